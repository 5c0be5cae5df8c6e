"""Rules that can never match: values that no event has, tests that exclude each other, facts of different requests."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from kubewitness.query.domains import without_impossible
from kubewitness.query.identity import by_identity
from kubewitness.query.implication import is_never
from kubewitness.query.needs import needs
from kubewitness.query.predicate import And, Or, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubewitness.query.fields import Field
    from kubewitness.query.predicate import Predicate


_KNOWN = 1_000
_possible = by_identity(without_impossible, most=_KNOWN)


def never_holds(predicate: Predicate) -> bool:
    """Whether no event of Kubernetes can be such; False when that cannot be shown."""
    return _never_holds(predicate)


def contradictions(predicate: Predicate) -> Iterator[tuple[Field, ...]]:
    """Fields of the tests that cannot hold together, for each part of the predicate that can never hold.

    A part that can never hold because of a single test is none: see query/domains.py.
    """
    yield from _inside(_possible(predicate))


def _inside(predicate: Predicate) -> Iterator[tuple[Field, ...]]:
    match predicate:
        case And(items):
            if not any(map(_is_broken, items)) and _is_broken(predicate):
                yield _clash(items)
            for item in items:
                yield from _inside(item)
        case Or(items):
            for item in items:
                yield from _inside(item)
        case _:
            return


def _is_broken(predicate: Predicate) -> bool:
    return _needs_nothing(predicate) or is_never(predicate)


_never_holds = by_identity(lambda predicate: _is_broken(_possible(predicate)), most=_KNOWN)


def _clash(items: Sequence[Predicate]) -> tuple[Field, ...]:
    """Fields that two items exclude each other by; of all items when it takes more than two."""
    pairs = [pair for pair in combinations(items, 2) if _is_broken(And(pair))]
    one, other = ({field.name: field for field in fields_of(item)} for item in (pairs[0] if pairs else items[:2]))
    common = one.keys() & other.keys()
    if pairs and common:
        return tuple(field for name, field in one.items() if name in common)
    return tuple({field.name: field for item in (pairs[0] if pairs else items) for field in fields_of(item)}.values())


def _needs_nothing(predicate: Predicate) -> bool:
    """Whether what the tests need excludes each other, such as the verbs of two facts."""
    needed = needs(predicate)
    parts = (needed.verbs, needed.resources, needed.subresources, needed.traits, needed.actor_kinds)
    return any(part is not None and not part for part in parts)
