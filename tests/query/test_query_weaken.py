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
from kubewitness.query.needs import ABSENT, Needs, needs
from kubewitness.query.predicate import (
    ALWAYS,
    NEVER,
    And,
    Exists,
    Not,
    Operator,
    Or,
    Predicate,
    Text,
    fields_of,
    leaves_of,
)
from kubewitness.query.weaken import weaken, without_known, without_seen

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., list[dict[str, Any]]]

EVENTS = Path(__file__).parents[1] / "fixtures" / "events.json"
SEEN = Exists(find_field("verb"))
OTHER = Exists(find_field("username"))
UNSEEN = Exists(find_field("request_object"))


def sees_all_but(unseen: set[str]) -> Callable[[Predicate], bool]:
    return lambda test: not {field.column.name for field in fields_of(test)} & unseen


def all_but(unseen: set[str]) -> Callable[[Predicate], tuple[Predicate, Predicate]]:
    is_seen = sees_all_but(unseen)
    return lambda test: (test, test) if is_seen(test) else (NEVER, ALWAYS)


def verb(value: str) -> Predicate:
    return Text(find_field("verb"), Operator.EQUALS, value)


def has(row: dict[str, Any], known: Needs) -> bool:
    """Whether an event has what is known, but for its traits."""
    own = {"verb": known.verbs, "resource": known.resources, "subresource": known.subresources}
    own["actor_kind"] = known.actor_kinds
    return all(values is None or (row[name] or ABSENT) in values for name, values in own.items())


@pytest.fixture(scope="module")
def rows(ask: Ask) -> list[dict[str, Any]]:
    return ask("SELECT * FROM events", json.loads(EVENTS.read_text(encoding="utf-8")))


@given(predicates, st.sets(st.sampled_from([column.name for column in COLUMNS])))
def test_the_weaker_predicate_holds_wherever_the_other_one_does(
    rows: list[dict[str, Any]], predicate: Predicate, unseen: set[str]
) -> None:
    weaker = weaken(predicate, all_but(unseen))
    assert not {field.column.name for field in fields_of(weaker)} & unseen
    for row in rows:
        assert holds(weaker, row) or not holds(predicate, row)


@given(predicates)
def test_a_predicate_is_made_of_tests_that_are_no_combinations(predicate: Predicate) -> None:
    tests = list(leaves_of(predicate))
    assert not any(isinstance(test, And | Or | Not) for test in tests)
    assert [field for test in tests for field in fields_of(test)] == list(fields_of(predicate))


@given(predicates)
def test_who_sees_everything_loses_nothing(rows: list[dict[str, Any]], predicate: Predicate) -> None:
    weaker = weaken(predicate, all_but(set()))
    assert [holds(weaker, row) for row in rows] == [holds(predicate, row) for row in rows]


@pytest.mark.parametrize(
    ("predicate", "weaker"),
    [
        (UNSEEN, ALWAYS),
        (Not(UNSEEN), ALWAYS),
        (And((SEEN, UNSEEN)), SEEN),
        (And((SEEN, Not(UNSEEN))), SEEN),
        (Or((SEEN, UNSEEN)), ALWAYS),
        (Not(And((SEEN, UNSEEN))), ALWAYS),
        (Not(Or((SEEN, UNSEEN))), Not(SEEN)),
        (And((OTHER, Or((SEEN, UNSEEN)))), OTHER),
        (And((UNSEEN, NEVER)), NEVER),
        (Or((SEEN, SEEN)), SEEN),
    ],
)
def test_what_is_left_says_as_much_as_it_can(predicate: Predicate, weaker: Predicate) -> None:
    assert weaken(predicate, all_but({"request_object"})) == weaker


KNOWN = Needs(frozenset({"create", "patch"}), frozenset({"pods"}), frozenset({ABSENT}))


@given(predicates)
def test_what_is_known_need_not_be_asked(rows: list[dict[str, Any]], predicate: Predicate) -> None:
    known = needs(predicate)
    left = without_known(predicate, known)
    for row in rows:
        if has(row, known):
            assert holds(left, row) == holds(predicate, row)


@given(predicates, st.sets(st.sampled_from([column.name for column in COLUMNS])))
def test_what_can_be_seen_and_what_is_left_are_the_whole(
    rows: list[dict[str, Any]], predicate: Predicate, unseen: set[str]
) -> None:
    weaker = weaken(predicate, all_but(unseen))
    left = without_seen(predicate, sees_all_but(unseen))
    for row in rows:
        assert (holds(weaker, row) and holds(left, row)) == holds(predicate, row)


@pytest.mark.parametrize(
    ("predicate", "left"),
    [
        (And((verb("create"), OTHER)), And((verb("create"), OTHER))),  # it may be a patch
        (And((Or((verb("create"), verb("patch"))), OTHER)), OTHER),
        (And((Or((verb("create"), verb("patch"), verb("update"))), OTHER)), OTHER),
        (And((Or((verb("create"), OTHER)), OTHER)), And((Or((verb("create"), OTHER)), OTHER))),
        (Not(Exists(find_field("subresource"))), ALWAYS),
        (Not(Or((Exists(find_field("subresource")), OTHER))), Not(OTHER)),
    ],
)
def test_what_is_known_falls_away(predicate: Predicate, left: Predicate) -> None:
    assert without_known(predicate, KNOWN) == left
