"""Platforms: how each shows itself in a log, and what is harmless on it.

A file of `platforms/` is one platform:

    title: Azure Kubernetes Service
    signs:                      # a detection item; an event for which it holds shows the platform (none: any cluster)
      - cluster|contains: /managedclusters/
    exceptions:                 # as in a file of exceptions, without owner and last day
      - rule: ...
        match: ...
        reason: ...

What a platform does by itself is known by who does it, from where, and what is done, all three: an identity of the
provider in other hands must not be hidden.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import yaml

from kubewitness.detect.bits import any_bits, bigint, when
from kubewitness.detect.exceptions import SOURCES, RuleException, names, parse_unowned
from kubewitness.detect.kinds import DIALECT
from kubewitness.detect.planning import with_kinds
from kubewitness.detect.sigma import parse_match
from kubewitness.model.errors import ExceptionError
from kubewitness.query.lower import lower

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kubewitness.detect.plan import Plan
    from kubewitness.query.predicate import Predicate

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform.

    Attributes:
        name: short name, which is also the file's.
        title: name for people.
        signs: holds of events that show it, asked of every kind; None for what holds in any cluster.
        exceptions: what is harmless on it.
    """

    name: str
    title: str
    signs: Predicate | None
    exceptions: tuple[RuleException, ...]


@lru_cache(maxsize=1)
def builtin_platforms() -> tuple[Platform, ...]:
    """The platforms that this package knows, by name."""
    with as_file(files("kubewitness").joinpath("platforms")) as folder:
        return tuple(_read(path, f"platforms/{path.name}") for path in sorted(folder.glob("*.yml")))


def _read(path: Path, where: str) -> Platform:
    text = path.read_text(encoding="utf-8")
    document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - CSafeLoader is the safe loader in C
    root = yaml.compose(text, Loader=_LOADER)
    lines = {
        key.value: [item.start_mark.line + 1 for item in value.value]
        for key, value in (root.value if root else ())
        if isinstance(value, yaml.SequenceNode)
    }
    found: list[RuleException] = []
    for item, line in zip(document.get("exceptions") or (), lines.get("exceptions", ()), strict=True):
        exception = parse_unowned(item, f"{where}:{line}", platform=path.stem)
        if not names(exception.predicate, SOURCES):
            raise ExceptionError("it names no source: the same identity from elsewhere is another matter", where=where)
        found.append(exception)
    signs = parse_match(document["signs"]) if "signs" in document else None
    return Platform(path.stem, document["title"], signs, tuple(found))


def with_signs(plan: Plan, platforms: Sequence[Platform]) -> Plan:
    """A plan whose pass over kinds also says, in the column `signs`, which platforms a kind shows."""
    shown = [(platform.name, platform.signs) for platform in platforms if platform.signs is not None]
    answers = [when(lower(signs), bigint(1 << place)) for place, (_, signs) in enumerate(shown)]
    answer = any_bits(answers).sql(DIALECT) if answers else "0"
    kinds = replace(
        plan.kinds,
        columns=plan.kinds.columns | {"signs": "INTEGER"},
        values=plan.kinds.values | {"signs": answer},
    )
    return replace(with_kinds(plan, kinds), platforms=tuple(name for name, _ in shown))
