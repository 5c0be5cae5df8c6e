"""What remains of a predicate for somebody who does not see some columns, or knows something already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.query.needs import ABSENT
from kubewitness.query.predicate import ALWAYS, NEVER, And, Exists, Not, Operator, Or, Text, fields_of, leaves_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kubewitness.query.needs import Needs
    from kubewitness.query.predicate import Predicate


Bounds = tuple["Predicate", "Predicate"]
"""Of a test: what holds only where it does, and what holds wherever it does."""


def weaken(predicate: Predicate, bounds: Callable[[Predicate], Bounds]) -> Predicate:
    """A predicate that holds wherever this one does and asks only what can be seen; ALWAYS at worst.

    Args:
        predicate: the predicate.
        bounds: what can be seen of a test, which is no combination of others.
    """
    return _bound(predicate, bounds, is_upper=True)


def _bound(predicate: Predicate, bounds: Callable[[Predicate], Bounds], *, is_upper: bool) -> Predicate:
    """What holds wherever the predicate does, or only where it does."""
    match predicate:
        case Not(item):
            inner = _bound(item, bounds, is_upper=not is_upper)
            return ALWAYS if inner == NEVER else NEVER if inner == ALWAYS else Not(inner)
        case And(items):
            parts = dict.fromkeys(_bound(item, bounds, is_upper=is_upper) for item in items)
            return NEVER if NEVER in parts else _joined(And, parts, ALWAYS)
        case Or(items):
            parts = dict.fromkeys(_bound(item, bounds, is_upper=is_upper) for item in items)
            return ALWAYS if ALWAYS in parts else _joined(Or, parts, NEVER)
        case _:
            return bounds(predicate)[is_upper]


def _joined(kind: type[And | Or], parts: Iterable[Predicate], empty: Predicate) -> Predicate:
    """All of the parts, or any of them, less those that say nothing."""
    telling = tuple(part for part in parts if part != empty)
    return telling[0] if len(telling) == 1 else kind(telling)


def without_known(predicate: Predicate, known: Needs) -> Predicate:
    """A predicate that is true of the same events, as long as they have what is known."""
    kept = [item for item in _parts(predicate) if not _is_known(item, known)]
    return kept[0] if len(kept) == 1 else And(tuple(kept))


def without_seen(predicate: Predicate, is_seen: Callable[[Predicate], bool]) -> Predicate:
    """What is left to ask of those for whom the weakened predicate holds: the parts that could not be seen."""
    return And(tuple(part for part in _parts(predicate) if not all(map(is_seen, leaves_of(part)))))


def _parts(predicate: Predicate) -> Iterator[Predicate]:
    """What must all be true."""
    match predicate:
        case And(items):
            for item in items:
                yield from _parts(item)
        case Not(Or(items)) if not _is_list(items):
            for item in items:
                yield from _parts(Not(item))
        case Not(Not(item)):
            yield from _parts(item)
        case _:
            yield predicate


def _is_list(items: Sequence[Predicate]) -> bool:
    """Whether these are tests of one and the same text, such as a list of names: they are one test for the engine."""
    fields = {field for item in items for field in fields_of(item)}
    return len(items) > 1 and all(isinstance(item, Text) for item in items) and len(fields) == 1


def _is_known(item: Predicate, known: Needs) -> bool:
    columns = {
        "verb": known.verbs,
        "resource": known.resources,
        "subresource": known.subresources,
        "actor_kind": known.actor_kinds,
    }
    match item:
        case Not(Exists(field)) if field.column.name == "subresource":
            return known.subresources == frozenset({ABSENT})
        case Text() | Or():
            tests = item.items if isinstance(item, Or) else (item,)
            names, values = set(), set()
            for test in tests:
                if not isinstance(test, Text) or test.operator is not Operator.EQUALS or test.field.path:
                    return False
                names.add(test.field.column.name)
                values.add(test.value.lower())
            own = columns.get(names.pop()) if len(names) == 1 else None
            return own is not None and own <= values - {ABSENT}
        case _:
            return False
