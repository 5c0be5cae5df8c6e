"""Requests that begin and never end, and the many reasons why a log may lack an end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewitness.detect.sigma import parse_rules
from kubewitness.model.errors import RuleError
from kubewitness.model.rule import RuleKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubewitness.detect.rule import Rule
    from kubewitness.model.alert import Report

    Scan = Callable[..., Report]
    Events = list[dict[str, Any]]

START = datetime(2026, 11, 17, 8, 0)  # noqa: DTZ001 - times in the model are naive UTC


def rules_of(unfinished: Any = True, detection: dict[str, Any] | None = None) -> list[Rule]:
    rule = {
        "title": "Lost",
        "name": "lost",
        "logsource": {"product": "kubernetes", "service": "audit"},
        "detection": detection or {"s": {"verb": ["patch", "watch", "get"]}, "condition": "s"},
        "unfinished": unfinished,
    }
    return parse_rules(yaml.safe_dump(rule), "lost.yml")


def stage(request: str, second: float, stage: str = "RequestReceived", **own: Any) -> dict[str, Any]:
    moment = START + timedelta(seconds=second)
    return {
        "auditID": request,
        "stage": stage,
        "verb": "patch",
        "requestURI": f"/{request}",
        "user": {"username": "alice"},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": request},
        "requestReceivedTimestamp": moment.isoformat(timespec="microseconds") + "Z",
    } | own


def whole(request: str, second: float, **own: Any) -> Events:
    return [stage(request, second, each, **own) for each in ("RequestReceived", "ResponseComplete")]


LATER = whole("later", 3600)


def lost(scan_events: Scan, events: Events, rules: list[Rule] | None = None) -> list[str]:
    alerts = scan_events(rules or rules_of(), events).alerts
    return sorted({str(event.audit_id) for alert in alerts for event in alert.events})


def test_a_request_without_an_end_is_found(scan_events: Scan) -> None:
    (rule,) = rules_of()
    assert rule.info.kind is RuleKind.UNFINISHED
    assert lost(scan_events, [*whole("a", 0), stage("b", 1), *LATER]) == ["b"]


def test_the_order_of_lines_does_not_matter(scan_events: Scan) -> None:
    assert lost(scan_events, [*reversed([*whole("a", 0), stage("b", 1), *LATER])]) == ["b"]


@pytest.mark.parametrize("end", ["ResponseComplete", "Panic"])
def test_either_end_is_one(scan_events: Scan, end: str) -> None:
    assert lost(scan_events, [*whole("a", 0), stage("b", 1), stage("b", 1, end), *LATER]) == []


def test_a_start_of_the_answer_is_no_end(scan_events: Scan) -> None:
    events = [*whole("a", 0), stage("b", 1), stage("b", 1, "ResponseStarted"), *LATER]
    assert lost(scan_events, events) == ["b"]


@pytest.mark.parametrize(
    "own",
    [
        {"verb": "watch"},
        {"objectRef": {"resource": "pods", "subresource": "exec", "name": "x"}, "verb": "get"},
        {"stage": "ResponseStarted", "responseStatus": {"code": 401}},
    ],
)
def test_what_has_no_end_by_nature_is_left_out(scan_events: Scan, own: dict[str, Any]) -> None:
    assert lost(scan_events, [*whole("a", 0), stage("b", 1) | own, *LATER]) == []


@pytest.mark.parametrize(("second", "expected"), [(3480, ["b"]), (3481, [])])
def test_the_end_of_the_log_ends_all(scan_events: Scan, second: float, expected: list[str]) -> None:
    assert lost(scan_events, [*whole("a", 0), stage("b", second), *LATER]) == expected


def test_the_log_goes_on_as_long_as_any_stage(scan_events: Scan) -> None:
    watch = stage("w", 0, "ResponseComplete", verb="watch", stageTimestamp="2026-11-17T09:00:00.000000Z")
    assert lost(scan_events, [*whole("a", 0), stage("b", 1), watch]) == ["b"]


def test_a_log_without_ends_is_no_finding(scan_events: Scan) -> None:
    assert lost(scan_events, [*(stage(f"r{number}", number) for number in range(4)), stage("later", 3600)]) == []


@pytest.mark.parametrize(("count", "is_found"), [(2, True), (3, False)])
def test_a_kind_of_request_that_never_ends_is_not_recorded_whole(
    scan_events: Scan, count: int, *, is_found: bool
) -> None:
    own: dict[str, Any] = {"objectRef": {"resource": "secrets", "name": "x"}}
    events = [stage(f"s{number}", number, **own) for number in range(count)]
    assert bool(lost(scan_events, [*whole("a", 0), *events, *LATER])) is is_found


@pytest.mark.parametrize(("missing", "is_found"), [(5, True), (6, False)])
def test_a_log_with_many_holes_is_no_finding(scan_events: Scan, missing: int, *, is_found: bool) -> None:
    ended = [each for number in range(100) for each in whole(f"a{number}", number)]
    events = [stage(f"b{number}", number) for number in range(missing)]
    assert bool(lost(scan_events, [*ended, *events, *LATER])) is is_found


def test_another_request_on_the_same_object_excuses(scan_events: Scan) -> None:
    same: dict[str, Any] = {"objectRef": {"resource": "pods", "namespace": "shop", "name": "same"}}
    events = [*whole("a", 0, **same), stage("b", 1, **same), stage("c", 2), *LATER]
    assert lost(scan_events, events) == ["b", "c"]
    assert lost(scan_events, events, rules_of({"unless": ["objectRef.name"]})) == ["c"]


def test_without_an_id_nobody_can_say(scan_events: Scan) -> None:
    assert lost(scan_events, [*whole("a", 0), stage("b", 1, auditID=None), *LATER]) == []


@pytest.mark.parametrize("spec", [5, {"within": "soon"}, {"by": ["nothing"]}, {"until": "2m"}])
def test_what_makes_no_sense_is_refused(spec: Any) -> None:
    with pytest.raises(RuleError):
        rules_of(spec)
