"""Cases beside rules: how they expand, and what is said of those that cannot be run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from kubewitness.detect.cases import Case, example_of, parse_cases
from kubewitness.model.errors import RuleError


def case_of(spec: dict[str, Any]) -> Case:
    (case,) = parse_cases(yaml.safe_dump({"match": [{"about": "it", **spec}]}), "x.test.yaml")
    return case


def seconds(case: Case) -> list[float]:
    times = [datetime.fromisoformat(event["requestReceivedTimestamp"]) for event in case.events]
    return [(moment - times[0]).total_seconds() for moment in times]


def test_events_lie_a_second_apart() -> None:
    assert seconds(case_of({"events": [{"verb": "get"}, {"verb": "list"}, {"verb": "get"}]})) == [0, 1, 2]


def test_series_follow_one_another_and_count_from_zero() -> None:
    parts = [
        {"repeat": 3, "every_s": 0.5, "event": {"name": "a{i}"}},
        {"repeat": 2, "event": {"name": ["b{i}"]}},
    ]
    case = case_of({"series": parts})
    assert seconds(case) == [0, 0.5, 1, 1.5, 2.5]
    assert [event["name"] for event in case.events] == ["a0", "a1", "a2", ["b0"], ["b1"]]


def test_audit_ids_differ_and_stay_the_same_from_run_to_run() -> None:
    first, second = (case_of({"event": {"verb": "get"}, "repeat": 5}) for _ in range(2))
    assert len({event["auditID"] for event in first.events}) == 5
    assert first == second


def test_what_an_event_says_itself_is_kept() -> None:
    event = {
        "auditID": "x",
        "requestReceivedTimestamp": datetime(2026, 12, 1, 9, tzinfo=UTC),
        "user": {"username": "{i}"},
    }
    case = case_of({"event": event})
    assert case.events == (
        {"auditID": "x", "requestReceivedTimestamp": "2026-12-01T09:00:00+00:00", "user": {"username": "0"}},
    )


def test_an_older_timestamp_is_not_doubled() -> None:
    (event,) = case_of({"event": {"timestamp": "2018-01-01T00:00:00Z"}}).events
    assert "requestReceivedTimestamp" not in event


def test_an_example_shows_what_its_author_wrote() -> None:
    assert example_of(case_of({"event": {"verb": "get"}})) == {"verb": "get"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("match: [", "not YAML"),
        ("- 1", "under `match` and `no_match`"),
        ("matches: []", "under `match` and `no_match`"),
        ("match: {a: 1}", "`match` is not a list"),
        ("match: [{event: {}}]", "needs `about`"),
        ("match: [{about: a}]", "one of `event`, `events` and `series`"),
        ("match: [{about: a, event: {}, events: [{}]}]", "one of `event`, `events` and `series`"),
        ("match: [{about: a, events: [{}], repeat: 2}]", "has no `repeat`"),
        ("match: [{about: a, event: {}, evry_s: 2}]", "has no `evry_s`"),
        ("match: [{about: a, events: []}]", "not empty"),
        ("match: [{about: a, event: 1}]", "an event is a mapping"),
        ("match: [{about: a, event: {}, repeat: 0}]", "`repeat` is a number"),
        ("match: [{about: a, event: {}, repeat: many}]", "`repeat` is a number"),
    ],
)
def test_a_case_that_cannot_be_run_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(RuleError, match=message) as caught:
        parse_cases(text, "rules/x.test.yaml")
    assert str(caught.value).startswith("rules/x.test.yaml")
