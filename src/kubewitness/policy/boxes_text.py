"""Boxes in words."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from kubewitness.policy.boxes import ABSENT, DIMENSIONS, Members, Values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.policy.boxes import Box

_NOTHING = {
    ("group", ""): "core",
    ("username", None): "nobody (401)",
    ("subresource", ""): "(none)",
    ("namespace", ""): "(none)",
    ("name", ""): "(none)",
}


def describe(boxes: Sequence[Box], dimensions: Iterable[str] = DIMENSIONS) -> dict[str, str]:
    """What these boxes together say of each of the dimensions; those of which they say nothing are left out."""
    is_path = all(box.resource == ABSENT for box in boxes)
    found: dict[str, str] = {}
    for name in dimensions:
        parts = list({getattr(box, name) for box in boxes})
        if is_path and name in {"group", "resource", "subresource", "namespace", "name"}:
            continue
        text = _members(name, parts) if isinstance(parts[0], Members) else _values(name, parts)
        if text:
            found[name] = text
    return found


def _values(name: str, parts: Sequence[Values]) -> str:
    united = reduce(Values.either, parts)
    named = sorted(_NOTHING.get((name, value), value or "") for value in united.named)
    text = ", ".join(filter(None, named))
    if united.is_rest:
        return f"all but {text}" if text else ""
    return text


def _members(name: str, parts: Sequence[Members]) -> str:
    if all(part.inside for part in parts):
        return ", ".join(sorted(frozenset().union(*(part.inside for part in parts))))
    outside = frozenset.intersection(*(part.outside for part in parts))
    if any(part.inside & outside for part in parts) or any(part.inside for part in parts):
        return ""
    return f"not {', '.join(sorted(outside))}" if outside and name == "groups" else ""
