"""Weakening: no event is lost, and what is not seen is not looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.query.predicates import holds, predicates

from kubewitness.model.event import COLUMNS
from kubewitness.query.fields import find_field
from kubewitness.query.predicate import ALWAYS, NEVER, And, Exists, Not, Or, Predicate, fields_of
from kubewitness.query.weaken import weaken

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., list[dict[str, Any]]]

EVENTS = Path(__file__).parents[1] / "fixtures" / "events.json"
SEEN = Exists(find_field("verb"))
OTHER = Exists(find_field("username"))
UNSEEN = Exists(find_field("request_object"))


@pytest.fixture(scope="module")
def rows(ask: Ask) -> list[dict[str, Any]]:
    return ask("SELECT * FROM events", json.loads(EVENTS.read_text(encoding="utf-8")))


@given(predicates, st.sets(st.sampled_from([column.name for column in COLUMNS])))
def test_the_weaker_predicate_holds_wherever_the_other_one_does(
    rows: list[dict[str, Any]], predicate: Predicate, unseen: set[str]
) -> None:
    weaker = weaken(predicate, unseen)
    assert not {field.column.name for field in fields_of(weaker)} & unseen
    for row in rows:
        assert holds(weaker, row) or not holds(predicate, row)


@given(predicates)
def test_who_sees_everything_loses_nothing(rows: list[dict[str, Any]], predicate: Predicate) -> None:
    weaker = weaken(predicate, ())
    assert [holds(weaker, row) for row in rows] == [holds(predicate, row) for row in rows]


@pytest.mark.parametrize(
    ("predicate", "weaker"),
    [
        (UNSEEN, ALWAYS),
        (Not(UNSEEN), ALWAYS),
        (And((SEEN, UNSEEN)), And((SEEN,))),
        (And((SEEN, Not(UNSEEN))), And((SEEN,))),
        (Or((SEEN, UNSEEN)), ALWAYS),
        (Not(And((SEEN, UNSEEN))), ALWAYS),
        (Not(Or((SEEN, UNSEEN))), Not(Or((SEEN,)))),
        (And((OTHER, Or((SEEN, UNSEEN)))), And((OTHER,))),
        (And((UNSEEN, NEVER)), NEVER),
    ],
)
def test_what_is_left_says_as_much_as_it_can(predicate: Predicate, weaker: Predicate) -> None:
    assert weaken(predicate, {"request_object"}) == weaker
