"""What correlations find: a table for each type, and agreement with a plain reference on random events."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubewitness.detect.sigma import parse_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kubewitness.detect.rule import Rule
    from kubewitness.model.alert import Report

    Scan = Callable[..., Report]

START = datetime(2026, 11, 17, 8, 0)  # noqa: DTZ001 - times in the model are naive UTC
TABLE: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "correlations.yaml").read_text(encoding="utf-8"))
WINDOW_S = 60
_ids = itertools.count()


def base(letter: str) -> dict[str, Any]:
    return {
        "title": letter,
        "name": letter,
        "logsource": {"product": "kubernetes", "service": "audit"},
        "detection": {"s": {"verb|contains": letter}, "condition": "s"},
    }


def rules_of(*correlations: dict[str, Any], letters: str = "abc") -> list[Rule]:
    """Base rules that hold where the verb has their letter, and correlations over them."""
    documents = [base(letter) for letter in letters]
    for number, spec in enumerate(correlations):
        common = {"timespan": f"{WINDOW_S}s", "group-by": ["actor"]}
        own = {key: value for key, value in spec.items() if key not in {"name", "alert_by"}}
        more = {"alert_by": spec["alert_by"]} if "alert_by" in spec else {}
        name = spec.get("name", f"found-{number}")
        documents.append({"title": "Found", "name": name, "level": "high", "correlation": common | own} | more)
    return parse_rules(yaml.safe_dump_all(documents), "x.yml")


def event(verb: str, second: float, value: str | None = None, actor: str = "alice", **own: Any) -> dict[str, Any]:
    moment = START + timedelta(seconds=second)
    return {
        "auditID": f"a-{next(_ids)}",
        "stage": "ResponseComplete",
        "verb": verb,
        "requestURI": "/x",
        "user": {"username": actor},
        "objectRef": {"resource": "pods", "namespace": "shop"} | ({"name": value} if value else {}),
        "requestReceivedTimestamp": moment.isoformat(timespec="microseconds") + "Z",
    } | own


def events_of(text: str, actor: str) -> list[dict[str, Any]]:
    found = []
    for word in text.split():
        verb, _, rest = word.partition("@")
        second, _, value = rest.partition("=")
        found.append(event(verb, float(second), value or None, actor))
    return found


def alerts_by_actor(report: Report) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = defaultdict(list)
    for alert in report.alerts:
        found[str(alert.actor)].append([(each.at - START).total_seconds() for each in alert.events if each.at])
    return {actor: sorted(alerts) for actor, alerts in found.items()}


@pytest.fixture(scope="module")
def tried(scan_events: Scan) -> dict[tuple[str, str], list[list[float]]]:
    """What each row of the table finds: one scan for each correlation, each case by an actor of its own."""
    found: dict[tuple[str, str], list[list[float]]] = {}
    for row in TABLE:
        events = [each for case in row["cases"] for each in events_of(case["events"], case["case"])]
        random.Random(5).shuffle(events)  # noqa: S311 - any order will do
        alerts = alerts_by_actor(scan_events(rules_of(row["correlation"]), events))
        found |= {(row["about"], case["case"]): alerts.get(case["case"], []) for case in row["cases"]}
    return found


@pytest.mark.parametrize(
    ("about", "case", "expected"),
    [(row["about"], case["case"], case["found"]) for row in TABLE for case in row["cases"]],
)
def test_a_correlation_finds(
    about: str, case: str, expected: list[list[float]], tried: dict[tuple[str, str], list[list[float]]]
) -> None:
    assert tried[about, case] == expected


def test_stages_of_one_request_are_one_step(scan_events: Scan) -> None:
    rules = rules_of({"type": "temporal_ordered", "rules": ["a", "a"]})
    stages = [event("a", 0, auditID="same", stage=stage) for stage in ("ResponseStarted", "ResponseComplete")]
    assert scan_events(rules, stages).alerts == ()
    (alert,) = scan_events(rules, [*stages, event("a", 1)]).alerts
    assert (alert.count, len(alert.events)) == (2, 3)


def test_a_sum_takes_each_request_once(scan_events: Scan) -> None:
    rules = rules_of({"type": "value_sum", "rules": ["a"], "condition": {"gte": 10, "field": "objectRef.name"}})
    stages = [event("a", 0, "6", auditID="same", stage=stage) for stage in ("ResponseStarted", "ResponseComplete")]
    assert scan_events(rules, stages).alerts == ()
    assert len(scan_events(rules, [*stages, event("a", 1, "4")]).alerts) == 1


def test_a_long_window_is_one_alert(scan_events: Scan) -> None:
    rules = rules_of({"type": "temporal_ordered", "rules": ["a", "b"], "timespan": "1d"})
    (alert,) = scan_events(rules, [event("a", 0), event("b", 40_000)]).alerts
    assert alert.count == 2


def test_causes_can_be_one_alert(scan_events: Scan) -> None:
    spec = {"type": "temporal_ordered", "rules": ["a", "b"], "group-by": ["actor", "objectRef.name"]}
    events = [event(verb, second, name) for second, name in ((0, "x"), (10, "y")) for verb in ("a", "b")]
    assert len(scan_events(rules_of(spec), events).alerts) == 2
    rules = rules_of(spec | {"alert_by": ["actor"]})
    (alert,) = scan_events(rules, events).alerts
    assert alert.count == 4


# Aliases: the same value in another field.

WHOM = {
    "type": "temporal_ordered",
    "rules": ["a", "b"],
    "group-by": ["whom"],
    "aliases": {"whom": {"a": "objectRef.name", "b": "actor"}},
}


def test_an_alias_joins_different_fields(scan_events: Scan) -> None:
    events = [event("a", 0, "bob"), event("b", 5, actor="bob"), event("b", 6, actor="carol")]
    (alert,) = scan_events(rules_of(WHOM), events).alerts
    assert [each.line for each in alert.events] == [1, 2]


def test_what_is_absent_does_not_join_under_an_alias(scan_events: Scan) -> None:
    events = [event("a", 0), event("b", 5, user={})]
    assert scan_events(rules_of(WHOM), events).alerts == ()


def test_each_of_several_values_joins(scan_events: Scan) -> None:
    aliases = {"whom": {"a": "user.groups", "b": "objectRef.name"}}
    user = {"username": "alice", "groups": ["red", "blue"]}
    events = [event("a", 0, user=user), event("b", 5, "blue"), event("b", 6, "green")]
    (alert,) = scan_events(rules_of(WHOM | {"aliases": aliases}), events).alerts
    assert [each.line for each in alert.events] == [1, 2]


# Correlations over correlations.

BURST = {"name": "burst", "type": "event_count", "rules": ["a"], "condition": {"gte": 3}}


def test_a_correlation_is_a_step_of_another(scan_events: Scan) -> None:
    rules = rules_of(BURST, {"type": "temporal_ordered", "rules": ["burst", "b"], "timespan": "5m"})
    burst = [event("a", second) for second in (0, 10, 20)]
    (alert,) = scan_events(rules, [*burst, event("b", 100)]).alerts
    assert (alert.rule_id, [each.line for each in alert.events]) == ("found-1", [1, 2, 3, 4])
    assert scan_events(rules, [*burst[:2], event("b", 100)]).alerts == ()
    assert scan_events(rules, [event("b", 15), *burst]).alerts == ()


def test_the_inner_window_does_not_widen(scan_events: Scan) -> None:
    rules = rules_of(BURST, {"type": "temporal_ordered", "rules": ["burst", "b"], "timespan": "30s"})
    burst = [event("a", second) for second in (0, 10, 20)]
    assert len(scan_events(rules, [*burst, event("b", 50)]).alerts) == 1
    assert scan_events(rules, [*burst, event("b", 51)]).alerts == ()


def test_a_burst_counts_once_however_long(scan_events: Scan) -> None:
    rules = rules_of(BURST, {"type": "event_count", "rules": ["burst"], "condition": {"gte": 2}, "timespan": "1h"})
    once = [event("a", second) for second in range(10)]
    assert scan_events(rules, once).alerts == ()
    (alert,) = scan_events(rules, once + [event("a", 1000 + second) for second in range(3)]).alerts
    assert alert.count == 13


def test_the_base_of_a_wanted_correlation_stays_silent(scan_events: Scan) -> None:
    rules = rules_of(BURST, {"type": "temporal_ordered", "rules": ["burst", "b"]})
    assert scan_events(rules, [event("a", second) for second in range(5)]).alerts == ()


# Correlations that are asked together.


def test_each_has_its_own_window_and_figure(scan_events: Scan) -> None:
    def finding(events: str, *specs: dict[str, Any]) -> dict[str, list[float]]:
        report = scan_events(rules_of(*specs), events_of(events, "alice"))
        return {
            alert.rule_id: [(each.at - START).total_seconds() for each in alert.events if each.at]
            for alert in report.alerts
        }

    counts = [
        {"type": "event_count", "rules": ["a"], "condition": {"gte": figure}, "timespan": f"{seconds}s"}
        for figure, seconds in ((2, 10), (3, 60), (4, 60), (4, 300))
    ]
    assert finding("a@0 a@9 a@100 a@120", *counts) == {"found-0": [0, 9], "found-3": [0, 9, 100, 120]}
    steps = [
        {"type": "temporal_ordered", "rules": rules, "timespan": f"{seconds}s"}
        for rules, seconds in ((["a", "b"], 5), (["a", "b"], 50), (["a", "b", "c"], 50), (["c", "a", "b"], 300))
    ]
    assert finding("c@0 a@90 b@100 c@130", *steps) == {
        "found-1": [90, 100],
        "found-2": [90, 100, 130],
        "found-3": [0, 90, 100],
    }


def test_a_window_may_begin_and_end_at_any_time(scan_events: Scan) -> None:
    rules = rules_of(
        {"type": "event_count", "rules": ["a"], "condition": {"gte": 4}},
        {"type": "value_count", "rules": ["a"], "condition": {"gt": 3, "field": "objectRef.name"}},
    )
    for second in range(0, 120, 7):
        events = [event("a", second + later, str(later)) for later in (0, 20, 40, 60)]
        assert len(scan_events(rules, events).alerts) == 2
        assert scan_events(rules, events[1:]).alerts == ()


# A plain reference: all subsets, no cleverness.


@dataclass(frozen=True)
class Plain:
    """One request: letters of the rules that it matches, second, value."""

    letters: str
    second: int
    value: int


def ordered(requests: Sequence[Plain], steps: str) -> set[int]:
    found: set[int] = set()
    for chain in itertools.product(range(len(requests)), repeat=len(steps)):
        each = [requests[place] for place in chain]
        fits = all(step in one.letters for step, one in zip(steps, each, strict=True))
        rises = all(one.second <= two.second for one, two in itertools.pairwise(each))
        distinct = all(one != two for one, two in itertools.pairwise(chain))
        if fits and rises and distinct and each[-1].second - each[0].second <= WINDOW_S:
            found |= set(chain)
    return found


def inside(requests: Sequence[Plain], wanted: str, enough: Callable[[list[Plain]], bool]) -> set[int]:
    found: set[int] = set()
    own = [place for place, one in enumerate(requests) if set(one.letters) & set(wanted)]
    for last in own:
        end = requests[last].second
        window = [place for place in own if end - WINDOW_S <= requests[place].second <= end]
        if enough([requests[place] for place in window]):
            found |= set(window)
    return found


def letters_of(several: list[Plain]) -> set[str]:
    return set("".join(one.letters for one in several))


REFERENCES: dict[str, tuple[dict[str, Any], Callable[[Sequence[Plain]], set[int]]]] = {
    "ordered": (
        {"type": "temporal_ordered", "rules": ["a", "b", "c"]},
        lambda requests: ordered(requests, "abc"),
    ),
    "ordered-twice": (
        {"type": "temporal_ordered", "rules": ["a", "b", "a"]},
        lambda requests: ordered(requests, "aba"),
    ),
    "ordered-either": (
        {"type": "temporal_ordered", "condition": "a and (b or c)"},
        lambda requests: ordered(requests, "ab") | ordered(requests, "ac"),
    ),
    "together": (
        {"type": "temporal", "rules": ["a", "b", "c"]},
        lambda requests: inside(requests, "abc", lambda several: letters_of(several) >= set("abc")),
    ),
    "two-of-three": (
        {"type": "temporal", "rules": ["a", "b", "c"], "condition": {"gt": 1}},
        lambda requests: inside(requests, "abc", lambda several: len(letters_of(several) & set("abc")) > 1),
    ),
    "count": (
        {"type": "event_count", "rules": ["a", "b"], "condition": {"gte": 3}},
        lambda requests: inside(requests, "ab", lambda several: len(several) >= 3),
    ),
    "values": (
        {"type": "value_count", "rules": ["a"], "condition": {"gte": 2, "field": "objectRef.name"}},
        lambda requests: inside(requests, "a", lambda several: len({one.value for one in several}) >= 2),
    ),
    "sum": (
        {"type": "value_sum", "rules": ["a"], "condition": {"gt": 4, "field": "objectRef.name"}},
        lambda requests: inside(requests, "a", lambda several: sum(one.value for one in several) > 4),
    ),
    "average": (
        {"type": "value_avg", "rules": ["a"], "condition": {"lte": 1, "field": "objectRef.name"}},
        lambda requests: inside(requests, "a", lambda several: sum(o.value for o in several) <= len(several)),
    ),
}

REQUESTS = st.lists(
    st.builds(
        Plain,
        st.sampled_from(["a", "b", "c", "ab", "bc", "ca", "abc"]),
        st.sampled_from([0, 1, 20, 40, 59, 60, 61, 80, 100, 120]),
        st.integers(1, 3),
    ),
    max_size=7,
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(REQUESTS, min_size=20, max_size=20))
def test_the_engine_agrees_with_a_plain_reference(scan_events: Scan, cases: list[list[Plain]]) -> None:
    specs = [{"name": name} | spec for name, (spec, _) in REFERENCES.items()]
    events = [
        event(one.letters, one.second, str(one.value), f"case-{number}", auditID=f"{number}-{place}")
        for number, case in enumerate(cases)
        for place, one in enumerate(case)
    ]
    random.Random(3).shuffle(events)  # noqa: S311 - any order will do
    found: dict[tuple[str, int], set[int]] = defaultdict(set)
    for alert in scan_events(rules_of(*specs), events).alerts:
        for each in alert.events:
            number, _, place = str(each.audit_id).partition("-")
            found[alert.rule_id, int(number)].add(int(place))
    expected = {
        (name, number): places
        for name, (_, reference) in REFERENCES.items()
        for number, case in enumerate(cases)
        if (places := reference(case))
    }
    assert dict(found) == expected
