"""What remains of a predicate for somebody who does not see some columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.query.predicate import ALWAYS, NEVER, And, Not, Or, fields_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from kubewitness.query.predicate import Predicate


def weaken(predicate: Predicate, unseen: Collection[str]) -> Predicate:
    """A predicate that holds wherever this one does and looks at none of the unseen columns; ALWAYS at worst."""
    return _bound(predicate, unseen, is_upper=True)


def _bound(predicate: Predicate, unseen: Collection[str], *, is_upper: bool) -> Predicate:
    """What holds wherever the predicate does, or only where it does."""
    match predicate:
        case Not(item):
            inner = _bound(item, unseen, is_upper=not is_upper)
            return ALWAYS if inner == NEVER else NEVER if inner == ALWAYS else Not(inner)
        case And(items):
            bounds = [_bound(item, unseen, is_upper=is_upper) for item in items]
            if NEVER in bounds:
                return NEVER
            return And(tuple(bound for bound in bounds if bound != ALWAYS))
        case Or(items):
            bounds = [_bound(item, unseen, is_upper=is_upper) for item in items]
            if ALWAYS in bounds:
                return ALWAYS
            return Or(tuple(bound for bound in bounds if bound != NEVER))
        case _:
            is_seen = not any(field.column.name in unseen for field in fields_of(predicate))
            return predicate if is_seen else ALWAYS if is_upper else NEVER
