"""What changed between two states of an object, field by field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kubewitness.investigate.patches.list_keys import identity, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Path = tuple[str, ...]
"""Fields that lead to a value; items of lists are `[name=web]` or `[0]`."""

NOISE = frozenset(
    {
        ("metadata", "managedFields"),
        ("metadata", "resourceVersion"),
        ("metadata", "generation"),
        ("metadata", "selfLink"),
        ("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"),
        ("apiVersion",),
        ("kind",),
    }
)
"""Fields that say nothing about what somebody wanted."""

_PLAIN = re.compile(r"[A-Za-z_][\w-]*")


class ChangeKind(StrEnum):
    """What became of a value."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Part(StrEnum):
    """Which part of an object a field belongs to."""

    METADATA = "metadata"
    SPEC = "spec"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Change:
    """One value that changed.

    Attributes:
        path: where it stands.
        kind: what became of it.
        before: what it was; None where it was not there.
        after: what it is; None where it is no more.
    """

    path: Path
    kind: ChangeKind
    before: Any = None
    after: Any = None

    @property
    def part(self) -> Part:
        """The part of the object: whatever is neither metadata nor status is what somebody wants."""
        return part_of(self.path)

    @property
    def where(self) -> str:
        """The path as people write it: `spec.template.spec.containers[name=web].image`."""
        return written(self.path)


def part_of(path: Path) -> Part:
    """The part of an object that a path leads into."""
    match path[:1]:
        case ("metadata",):
            return Part.METADATA
        case ("status",):
            return Part.STATUS
        case _:
            return Part.SPEC


def written(path: Path) -> str:
    """A path as people write it."""
    text = ""
    for step in path:
        if step.startswith("["):
            text += step
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def changes_between(before: Any, after: Any, *, with_noise: bool = False) -> tuple[Change, ...]:
    """What changed, in the order of the fields.

    Args:
        before: a state; None for nothing.
        after: the next one; None for nothing.
        with_noise: whether to tell of fields of `NOISE`, too.
    """
    found = _changes(before, after, (), ())
    return tuple(change for change in found if with_noise or not is_noise(change.path))


def is_noise(path: Path) -> bool:
    """Whether a path leads to, or into, a field of `NOISE`."""
    return any(path[: len(each)] == each for each in NOISE)


def _changes(before: Any, after: Any, path: Path, fields: Path) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            step = str(key)
            if key not in after:
                yield from _whole(before[key], (*path, step), ChangeKind.REMOVED)
            elif key not in before:
                yield from _whole(after[key], (*path, step), ChangeKind.ADDED)
            else:
                yield from _changes(before[key], after[key], (*path, step), (*fields, step))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _changes_of_list(before, after, path, fields)
    elif before is None and after is not None:
        yield from _whole(after, path, ChangeKind.ADDED)
    elif before is not None and after is None:
        yield from _whole(before, path, ChangeKind.REMOVED)
    elif before != after or type(before) is not type(after):
        yield Change(path, ChangeKind.CHANGED, before, after)


def _changes_of_list(before: list[Any], after: list[Any], path: Path, fields: Path) -> Iterator[Change]:
    old, new = _by_step(before, fields), _by_step(after, fields)
    if old is None or new is None:
        if before != after:
            yield Change(path, ChangeKind.CHANGED, before, after)
        return
    for step in dict.fromkeys((*old, *new)):
        if step not in new:
            yield Change((*path, step), ChangeKind.REMOVED, before=old[step])
        elif step not in old:
            yield Change((*path, step), ChangeKind.ADDED, after=new[step])
        else:
            yield from _changes(old[step], new[step], (*path, step), fields)


def _whole(value: Any, path: Path, kind: ChangeKind) -> Iterator[Change]:
    """What came or went as a whole: metadata, and the object itself, field by field."""
    if isinstance(value, dict) and value and (len(path) == 0 or path == ("metadata",)):
        for key, each in value.items():
            yield from _whole(each, (*path, str(key)), kind)
    elif path and kind is ChangeKind.ADDED:
        yield Change(path, kind, after=value)
    elif path:
        yield Change(path, kind, before=value)


def _by_step(items: Sequence[Any], fields: Path) -> dict[str, Any] | None:
    """Items of a list by what tells them apart; None for a list that is one value."""
    keys = keys_of(fields, applied=True) or keys_of(fields)
    if keys is None:
        return {f"[{place}]": item for place, item in enumerate(items)} if _holds_objects(items) else None
    found: dict[str, Any] = {}
    for item in items:
        names = identity(item, keys)
        if names is None:
            return None
        step = f"[{','.join(f'{key}={value}' for key, value in zip(keys, names, strict=True) if value is not None)}]"
        if step in found:
            return None
        found[step] = item
    return found


def _holds_objects(items: Sequence[Any]) -> bool:
    return all(isinstance(item, dict) for item in items)


def leaves(value: Any, path: Path = (), fields: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every single value of an object with its path; empty objects and lists are values."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from leaves(each, (*path, str(key)), (*fields, str(key)))
    elif isinstance(value, list) and value and (items := _by_step(value, fields)) is not None:
        for step, item in items.items():
            yield from leaves(item, (*path, step), fields)
    else:
        yield path, value


def parts_of(value: Any, path: Path) -> dict[str, Any]:
    """The parts of a value one level down, by step; none of what is one value."""
    if isinstance(value, dict):
        return {str(key): each for key, each in value.items()}
    if isinstance(value, list):
        return _by_step(value, tuple(step for step in path if not step.startswith("["))) or {}
    return {}


def value_at(document: Any, path: Path) -> Any:
    """What stands at a path; None where nothing does."""
    return _value_at(document, path, ())


def _value_at(document: Any, path: Path, fields: Path) -> Any:
    if not path:
        return document
    step, rest = path[0], path[1:]
    if isinstance(document, list):
        items = _by_step(document, fields)
        return _value_at(items[step], rest, fields) if items is not None and step in items else None
    if isinstance(document, dict) and step in document:
        return _value_at(document[step], rest, (*fields, step))
    return None
