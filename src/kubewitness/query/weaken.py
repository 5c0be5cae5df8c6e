"""What remains of a predicate for somebody who does not see some columns, or knows something already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.query.needs import ABSENT
from kubewitness.query.predicate import ALWAYS, NEVER, And, Exists, Not, Operator, Or, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kubewitness.query.needs import Needs
    from kubewitness.query.predicate import Predicate


def weaken(predicate: Predicate, is_seen: Callable[[Predicate], bool]) -> Predicate:
    """A predicate that holds wherever this one does and asks only what can be seen; ALWAYS at worst.

    Args:
        predicate: the predicate.
        is_seen: whether a test, which is no combination of others, can be carried out.
    """
    return _bound(predicate, is_seen, is_upper=True)


def leaves_of(predicate: Predicate) -> Iterator[Predicate]:
    """The tests that a predicate is made of."""
    match predicate:
        case And(items) | Or(items):
            for item in items:
                yield from leaves_of(item)
        case Not(item):
            yield from leaves_of(item)
        case _:
            yield predicate


def _bound(predicate: Predicate, is_seen: Callable[[Predicate], bool], *, is_upper: bool) -> Predicate:
    """What holds wherever the predicate does, or only where it does."""
    match predicate:
        case Not(item):
            inner = _bound(item, is_seen, is_upper=not is_upper)
            return ALWAYS if inner == NEVER else NEVER if inner == ALWAYS else Not(inner)
        case And(items):
            bounds = [_bound(item, is_seen, is_upper=is_upper) for item in items]
            if NEVER in bounds:
                return NEVER
            return And(tuple(bound for bound in bounds if bound != ALWAYS))
        case Or(items):
            bounds = [_bound(item, is_seen, is_upper=is_upper) for item in items]
            if ALWAYS in bounds:
                return ALWAYS
            return Or(tuple(bound for bound in bounds if bound != NEVER))
        case _:
            return predicate if is_seen(predicate) else ALWAYS if is_upper else NEVER


def without_known(predicate: Predicate, known: Needs) -> Predicate:
    """A predicate that is true of the same events, as long as they have what is known."""
    kept = [item for item in _parts(predicate) if not _is_known(item, known)]
    return kept[0] if len(kept) == 1 else And(tuple(kept))


def any_of(predicates: Iterable[Predicate]) -> Predicate:
    """A predicate that is true where one of these is, without those that another one covers."""
    parts = dict.fromkeys(frozenset(_parts(predicate)) for predicate in predicates)
    # Fewer conditions cover more events.
    smallest = [part for part in parts if not any(other < part for other in parts)]
    if frozenset() in smallest:
        return ALWAYS
    order = {item: number for number, item in enumerate(dict.fromkeys(item for part in smallest for item in part))}
    return Or(tuple(And(tuple(sorted(part, key=lambda item: order[item]))) for part in smallest))


def _parts(predicate: Predicate) -> Iterator[Predicate]:
    """What must all be true."""
    match predicate:
        case And(items):
            for item in items:
                yield from _parts(item)
        case Not(Or(items)):
            for item in items:
                yield from _parts(Not(item))
        case Not(Not(item)):
            yield from _parts(item)
        case _:
            yield predicate


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
