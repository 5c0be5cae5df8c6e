"""From matches to alerts: counting in sliding windows, first sights, and what belongs together."""

from __future__ import annotations

import itertools
import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewitness.detect.sigma import parse_rules
from kubewitness.model.alert import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubewitness.detect.rule import Rule
    from kubewitness.model.alert import Alert, Report

    Scan = Callable[..., Report]

START = datetime(2026, 11, 17, 8, 0)  # noqa: DTZ001 - times in the model are naive UTC
HEAD: dict[str, Any] = {
    "title": "A rule",
    "logsource": {"product": "kubernetes", "service": "audit"},
    "level": "low",
}
GETS: dict[str, Any] = {"s": {"verb": "get"}, "condition": "s"}


def single(name: str = "gets", detection: dict[str, Any] = GETS, **own: Any) -> list[Rule]:
    return parse_rules(yaml.safe_dump(HEAD | {"name": name, "detection": detection} | own), f"{name}.yml")


def counting(*, generate: bool = False, level: str = "high", **own: Any) -> list[Rule]:
    """Three requests of one actor within a minute, but for what `own` changes."""
    count = {
        "type": "event_count",
        "rules": ["gets"],
        "group-by": own.pop("group_by", ["actor"]),
        "timespan": "1m",
        "condition": {"gte": 3},
    }
    correlation = {
        "title": "Many",
        "name": "many",
        "level": level,
        "correlation": count | own | {"generate": generate},
    }
    base = HEAD | {"name": "gets", "detection": GETS}
    return parse_rules(yaml.safe_dump_all([base, correlation]), "many.yml")


_ids = itertools.count()


def at(second: float, actor: str | None = "alice", **own: Any) -> dict[str, Any]:
    """A request at a second after the start."""
    moment = START + timedelta(seconds=second)
    user = {"username": actor} if actor else {}
    return {
        "auditID": f"a-{next(_ids)}",
        "stage": "ResponseComplete",
        "verb": "get",
        "requestURI": "/x",
        "user": user,
        "requestReceivedTimestamp": moment.isoformat(timespec="microseconds") + "Z",
    } | own


def seconds_of(alert: Alert) -> list[float]:
    return [(event.at - START).total_seconds() for event in alert.events if event.at]


def alerts_of(scan_events: Scan, rules: list[Rule], *events: dict[str, Any], **options: Any) -> list[list[float]]:
    """The seconds of the events of each alert."""
    alerts = scan_events(rules, events, **options).alerts
    return sorted(seconds_of(alert) for alert in alerts)


def alerts_by_actor(
    scan_events: Scan, rules: list[Rule], cases: dict[str, list[dict[str, Any]]]
) -> dict[str, list[list[float]]]:
    """The seconds of each alert's events, of cases that are scanned together, each with an actor of its own."""
    events = [event | {"user": {"username": case}} for case, several in cases.items() for event in several]
    random.Random(7).shuffle(events)  # noqa: S311 - any order will do
    found: dict[str, list[list[float]]] = {case: [] for case in cases}
    for alert in scan_events(rules, events).alerts:
        found[str(alert.actor)].append(seconds_of(alert))
    return {case: sorted(alerts) for case, alerts in found.items()}


# Counting requests: seconds of one actor, and seconds of the alerts.
WINDOWS: list[tuple[str, list[float], list[list[float]]]] = [
    ("three together", [0, 1, 2], [[0, 1, 2]]),
    ("two are too few", [0, 1], []),
    ("the window's last moment counts", [0, 30, 60], [[0, 30, 60]]),
    ("a moment later does not", [0, 30, 60.000001], []),
    ("three at the same moment", [5, 5, 5], [[5, 5, 5]]),
    ("the window slides", [0, 50, 100, 105, 106], [[50, 100, 105, 106]]),
    ("what lies before and behind is left out", [0, 100, 110, 120, 300], [[100, 110, 120]]),
    ("a chain of windows is one alert", [0, 20, 40, 60, 80, 100], [[0, 20, 40, 60, 80, 100]]),
    ("two bursts within an hour are one alert", [0, 1, 2, 600, 601, 602], [[0, 1, 2, 600, 601, 602]]),
    ("two bursts further apart are two", [0, 1, 2, 5000, 5001, 5002], [[0, 1, 2], [5000, 5001, 5002]]),
    ("many but never together", [0, 100, 200, 300, 400, 500], []),
]  # fmt: skip


@pytest.fixture(scope="module")
def counted(scan_events: Scan) -> dict[str, list[list[float]]]:
    return alerts_by_actor(scan_events, counting(), {case: [at(second) for second in row] for case, row, _ in WINDOWS})


@pytest.mark.parametrize(("case", "expected"), [(case, expected) for case, _, expected in WINDOWS])
def test_requests_are_counted_in_sliding_windows(
    case: str, expected: list[list[float]], counted: dict[str, list[list[float]]]
) -> None:
    assert counted[case] == expected


def test_each_group_is_counted_apart(scan_events: Scan) -> None:
    events = [at(second, actor) for second in (0, 1, 2) for actor in ("alice", "bob")] + [
        at(3, "carol"),
        at(4, "carol"),
    ]
    report = scan_events(counting(), events)
    assert sorted(str(alert.actor) for alert in report.alerts) == ["alice", "bob"]
    assert [alert.count for alert in report.alerts] == [3, 3]


def test_an_absent_value_is_a_group_of_its_own(scan_events: Scan) -> None:
    events = [at(0, None), at(1, None), at(2, None), at(0), at(1)]
    assert alerts_of(scan_events, counting(), *events) == [[0, 1, 2]]


def test_without_groups_all_count_together(scan_events: Scan) -> None:
    events = [at(0, "alice"), at(1, "bob"), at(2, "carol")]
    assert alerts_of(scan_events, counting(group_by=[]), *events) == [[0, 1, 2]]


def test_stages_of_one_request_count_once(scan_events: Scan) -> None:
    stages = ("ResponseStarted", "ResponseComplete")
    twice = [at(0, auditID="same", stage=stage) for stage in stages] + [
        at(1, auditID="next", stage=stage) for stage in stages
    ]
    assert alerts_of(scan_events, counting(), *twice) == []
    (alert,) = scan_events(counting(), [*twice, at(2)]).alerts
    assert alert.count == 3
    assert len(alert.events) == 5


def test_the_same_record_again_counts_once(scan_events: Scan) -> None:
    first, second = at(0), at(1)
    report = scan_events(counting(), [first, second, second, second])
    assert report.alerts == ()
    assert report.ledger.duplicates == 2


def test_events_without_an_id_count_each(scan_events: Scan) -> None:
    assert alerts_of(scan_events, counting(), *(at(second, auditID=None) for second in (0, 1, 2))) == [[0, 1, 2]]


def test_events_without_a_time_do_not_count(scan_events: Scan) -> None:
    assert alerts_of(scan_events, counting(), *(at(0, requestReceivedTimestamp=None) for _ in range(5))) == []


def test_the_base_of_a_count_is_silent_unless_wanted(scan_events: Scan) -> None:
    events = [at(0), at(1), at(2), at(0, "bob")]
    assert {alert.rule_id for alert in scan_events(counting(), events).alerts} == {"many"}
    assert {alert.rule_id for alert in scan_events(counting(generate=True), events).alerts} == {
        "many",
        "gets",
    }


def names_at(*pairs: tuple[float, str | None]) -> list[dict[str, Any]]:
    return [at(second, objectRef={"resource": "secrets", "name": name}) for second, name in pairs]


VALUES: list[tuple[str, list[tuple[float, str | None]], list[list[float]]]] = [
    ("three different", [(0, "a"), (1, "b"), (2, "c")], [[0, 1, 2]]),
    ("repetitions do not count", [(0, "a"), (1, "a"), (2, "b"), (3, "b")], []),
    ("nor does an absent value", [(0, "a"), (1, "b"), (2, None)], []),
    ("but they belong to the alert", [(0, "a"), (1, "a"), (2, "b"), (3, "c")], [[0, 1, 2, 3]]),
    ("values of different windows", [(0, "a"), (50, "b"), (100, "c")], []),
    ("the window's last moment counts", [(0, "a"), (30, "b"), (60, "c")], [[0, 30, 60]]),
]


@pytest.fixture(scope="module")
def counted_values(scan_events: Scan) -> dict[str, list[list[float]]]:
    rules = counting(type="value_count", condition={"gte": 3, "field": "objectRef.name"})
    return alerts_by_actor(scan_events, rules, {case: names_at(*pairs) for case, pairs, _ in VALUES})


@pytest.mark.parametrize(("case", "expected"), [(case, expected) for case, _, expected in VALUES])
def test_distinct_values_are_counted_in_sliding_windows(
    case: str, expected: list[list[float]], counted_values: dict[str, list[list[float]]]
) -> None:
    assert counted_values[case] == expected


def test_a_count_over_several_base_rules_adds_them_up(scan_events: Scan) -> None:
    other = {"s": {"verb": "list"}, "condition": "s"}
    count = {
        "type": "event_count",
        "rules": ["gets", "lists"],
        "group-by": ["actor"],
        "timespan": "1m",
        "condition": {"gt": 2},
    }
    documents = [
        HEAD | {"name": "gets", "detection": GETS},
        HEAD | {"name": "lists", "detection": other},
        {"title": "Many", "name": "many", "level": "high", "correlation": count},
    ]
    rules = parse_rules(yaml.safe_dump_all(documents), "many.yml")
    assert alerts_of(scan_events, rules, at(0), at(1, verb="list"), at(2)) == [[0, 1, 2]]
    assert alerts_of(scan_events, rules, at(0), at(1, verb="list"), at(2, verb="watch")) == []


# First sights.

SEEN = {"field": "userAgent", "by": ["actor"], "after": 3}


def seen_at(*pairs: tuple[float, str | None], actor: str = "alice") -> list[dict[str, Any]]:
    return [at(second, actor, userAgent=agent) for second, agent in pairs]


SIGHTS: list[tuple[str, list[tuple[float, str | None]], list[list[float]]]] = [
    ("a new value after enough others", [(0, "a"), (1, "a"), (2, "a"), (3, "b")], [[3]]),
    ("too short a history", [(0, "a"), (1, "a"), (2, "b")], []),
    ("a known value", [(0, "b"), (1, "a"), (2, "a"), (3, "b")], []),
    ("only one value ever", [(0, "a"), (1, "a"), (2, "a"), (3, "a"), (4, "a")], []),
    ("it stays new for an hour", [(0, "a"), (1, "a"), (2, "a"), (3, "b"), (3603, "b")], [[3, 3603]]),
    ("and no longer", [(0, "a"), (1, "a"), (2, "a"), (3, "b"), (3603.1, "b")], [[3]]),
    ("two new values are two alerts", [(0, "a"), (1, "a"), (2, "a"), (3, "b"), (4, "c")], [[3], [4]]),
    ("an absent value is nothing new", [(0, "a"), (1, "a"), (2, "a"), (3, None)], []),
]


@pytest.fixture(scope="module")
def sighted(scan_events: Scan) -> dict[str, list[list[float]]]:
    return alerts_by_actor(scan_events, single(first_seen=SEEN), {case: seen_at(*pairs) for case, pairs, _ in SIGHTS})


@pytest.mark.parametrize(("case", "expected"), [(case, expected) for case, _, expected in SIGHTS])
def test_a_value_seen_for_the_first_time_is_an_alert(
    case: str, expected: list[list[float]], sighted: dict[str, list[list[float]]]
) -> None:
    assert sighted[case] == expected


def test_each_actor_has_a_history_of_its_own(scan_events: Scan) -> None:
    old = seen_at((0, "a"), (1, "a"), (2, "a"))
    assert alerts_of(scan_events, single(first_seen=SEEN), *old, *seen_at((3, "b"), actor="bob")) == []


# Matches of one cause.

GAPS: list[tuple[str, list[float], list[list[float]]]] = [
    ("an hour apart is one alert", [0, 3600], [[0, 3600]]),
    ("more than an hour apart are two", [0, 3600.000001], [[0], [3600.000001]]),
    ("each within an hour of the next", [0, 3000, 6000, 9000], [[0, 3000, 6000, 9000]]),
    ("two stretches", [0, 1, 10000, 10001], [[0, 1], [10000, 10001]]),
]


@pytest.fixture(scope="module")
def grouped(scan_events: Scan) -> dict[str, list[list[float]]]:
    return alerts_by_actor(scan_events, single(), {case: [at(second) for second in row] for case, row, _ in GAPS})


@pytest.mark.parametrize(("case", "expected"), [(case, expected) for case, _, expected in GAPS])
def test_matches_that_follow_each_other_are_one_alert(
    case: str, expected: list[list[float]], grouped: dict[str, list[list[float]]]
) -> None:
    assert grouped[case] == expected


def test_each_actor_and_each_rule_has_an_alert_of_its_own(scan_events: Scan) -> None:
    rules = single() + single("all", {"s": {"verb": "*"}, "condition": "s"})
    report = scan_events(rules, [at(0, "alice"), at(1, "bob"), at(2, "alice", verb="list")])
    found = sorted((alert.rule_id, str(alert.actor), alert.count) for alert in report.alerts)
    assert found == [("all", "alice", 2), ("all", "bob", 1), ("gets", "alice", 1), ("gets", "bob", 1)]


def test_where_nobody_authenticated_the_address_stands_for_the_actor(scan_events: Scan) -> None:
    events = [
        at(0, None, sourceIPs=["1.1.1.1"]),
        at(1, None, sourceIPs=["2.2.2.2"]),
        at(2, None, sourceIPs=["1.1.1.1"]),
    ]
    assert alerts_of(scan_events, single(), *events) == [[0, 2], [1]]


def test_an_event_without_a_time_is_an_alert_all_the_same(scan_events: Scan) -> None:
    (alert,) = scan_events(single(), [at(0, requestReceivedTimestamp=None)]).alerts
    assert (alert.first_at, alert.last_at, alert.count) == (None, None, 1)


def test_a_reused_id_hides_no_request(scan_events: Scan) -> None:
    events = [at(0, auditID="same"), at(0, auditID="same", requestURI="/y"), at(9, auditID="same")]
    (alert,) = scan_events(single(), events).alerts
    assert (alert.count, len(alert.events)) == (3, 3)


# What is left out.

PERIODS: list[tuple[float | None, float | None, list[list[float]]]] = [
    (None, None, [[0, 10, 20]]),
    (10, None, [[10, 20]]),
    (10.000001, None, [[20]]),
    (None, 20, [[0, 10]]),
    (10, 20, [[10]]),
    (30, None, []),
]


@pytest.mark.parametrize(("since", "until", "expected"), PERIODS)
def test_a_period_has_its_beginning_and_not_its_end(
    since: float | None, until: float | None, expected: list[list[float]], scan_events: Scan
) -> None:
    moments = {
        name: START + timedelta(seconds=second)
        for name, second in (("since", since), ("until", until))
        if second is not None
    }
    assert alerts_of(scan_events, single(), at(0), at(10), at(20), **moments) == expected


def test_a_count_looks_back_before_the_period(scan_events: Scan) -> None:
    events = [at(0), at(10), at(20)]
    assert alerts_of(scan_events, counting(), *events, since=START + timedelta(seconds=15)) == [[20]]


@pytest.mark.parametrize(
    ("minimum", "left"),
    [(Severity.INFORMATIONAL, 2), (Severity.LOW, 2), (Severity.MEDIUM, 1), (Severity.CRITICAL, 0)],
)
def test_alerts_below_a_severity_are_left_out(minimum: Severity, left: int, scan_events: Scan) -> None:
    rules = counting(generate=True)
    report = scan_events(rules, [at(0), at(1), at(2)], min_severity=minimum)
    assert len(report.alerts) == left
    assert all(match.severity.rank >= minimum.rank for match in report.matches)


def test_a_base_below_the_severity_still_counts(scan_events: Scan) -> None:
    assert alerts_of(scan_events, counting(), at(0), at(1), at(2), min_severity=Severity.HIGH) == [[0, 1, 2]]


def test_the_worst_alert_comes_first(scan_events: Scan) -> None:
    report = scan_events(counting(generate=True), [at(0), at(1), at(2)])
    assert [alert.rule_id for alert in report.alerts] == ["many", "gets"]
