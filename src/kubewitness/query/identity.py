"""Remembering what follows from a predicate, known by its identity: to hash one takes longer than to ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubewitness.query.predicate import Predicate

_Found = TypeVar("_Found")


def by_identity(find: Callable[[Predicate], _Found], *, most: int) -> Callable[[Predicate], _Found]:
    """The same function, which finds out once what it is asked of the same object again.

    Args:
        find: what to remember.
        most: so many objects are remembered; then all are forgotten.
    """
    # With the object, so that no other one can get its number.
    known: dict[int, tuple[Predicate, _Found]] = {}

    def remembering(predicate: Predicate) -> _Found:
        entry = known.get(id(predicate))
        if entry is None:
            if len(known) >= most:
                known.clear()
            entry = known[id(predicate)] = predicate, find(predicate)
        return entry[1]

    return remembering
