"""What follows from a predicate is found out once for each object, and not for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.query.fields import find_field
from kubewitness.query.identity import by_identity
from kubewitness.query.predicate import Exists

if TYPE_CHECKING:
    from kubewitness.query.predicate import Predicate


def test_it_is_found_out_once_for_each_object_and_forgotten_when_there_are_many() -> None:
    asked: list[Predicate] = []

    def find(predicate: Predicate) -> int:
        asked.append(predicate)
        return len(asked)

    remembered = by_identity(find, most=2)
    one, same, other = (Exists(find_field(name)) for name in ("verb", "verb", "name"))
    assert one == same
    assert [remembered(each) for each in (one, one, same, one)] == [1, 1, 2, 1]
    assert remembered(other) == 3
    assert remembered(one) == 4
