"""Tests of requests paired out of stages, and of sessions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.app.investigate.conftest import at

from kubewitness.alert.redact import Redactor
from kubewitness.app.events import Logs, open_events
from kubewitness.app.investigate.requests import COLUMNS, pair_requests, requests_of, split_sessions
from kubewitness.query.filters import parse_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kubewitness.investigate.requests import Request

    Written = Callable[[Sequence[dict[str, Any]]], str]

HERE = Path(__file__).parent
REQUESTS = yaml.safe_load((HERE / "requests.yaml").read_text("utf-8"))
SESSIONS = yaml.safe_load((HERE / "sessions.yaml").read_text("utf-8"))


def _requests(log: str, where: str = "", columns: tuple[str, ...] = ()) -> list[Request]:
    predicate = parse_filter(where)
    with open_events(Logs((log,)), (*COLUMNS, *columns), predicate) as events:
        pair_requests(events, columns, predicate)
        split_sessions(events)
        return requests_of(events, Redactor())


def _staged(row: list[Any]) -> dict[str, Any]:
    audit_id, stage, received, reached, verb, code, uri = row
    return {
        "auditID": audit_id,
        "stage": stage,
        "requestReceivedTimestamp": at(received),
        "stageTimestamp": at(reached) if reached is not None else None,
        "verb": verb,
        "requestURI": uri,
        "user": {"username": "alice"},
        "responseStatus": {"code": code} if code else None,
        "objectRef": {"resource": "pods"},
    }


def _end_of_log(second: float) -> dict[str, Any]:
    return _staged(["end", "ResponseComplete", second, second, "get", 200, "/end"])


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case["name"])
def test_events_make_requests(case: dict[str, Any], log_of: Written) -> None:
    events = [_staged(row) for row in case["events"]]
    if "until" in case:
        events.append(_end_of_log(case["until"]))
    found = [
        [request.details.get("audit_id"), request.ending.value, request.duration_s, len(request.origins)]
        for request in _requests(log_of(events))
        if request.details.get("audit_id") != "end"
    ]
    assert sorted(found, key=str) == sorted(case["requests"], key=str)


def test_a_request_has_of_each_column_what_the_latest_stage_says(log_of: Written) -> None:
    first = _staged(["a", "RequestReceived", 0, 0, "create", None, "/api/v1/pods"])
    last = _staged(["a", "ResponseComplete", 0, 1, "create", 201, "/api/v1/pods"])
    last["objectRef"] = {"resource": "pods", "name": "web-0"}
    del last["user"]
    ((request),) = _requests(log_of([last, first]), columns=("name", "resource"))
    assert (request.details["name"], request.details["username"], request.code) == ("web-0", "alice", 201)
    assert [origin.line for origin in request.origins] == [2, 1], "in the order of stages"


def test_a_filter_on_what_only_the_beginning_has_says_nothing_of_ends(log_of: Written) -> None:
    events = [
        _staged(["a", "RequestReceived", 0, 0, "get", None, "/api/v1/pods"]),
        _staged(["a", "ResponseComplete", 0, 1, "get", 200, "/api/v1/pods"]),
        _end_of_log(600),
    ]
    ((request),) = _requests(log_of(events), "NOT code:*")
    assert request.ending.value == "unknown"
    assert {each.ending.value for each in _requests(log_of(events), "verb:get")} == {"ended"}


def test_secrets_in_requests_are_redacted(log_of: Written) -> None:
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlc2lnbmF0dXJl"  # noqa: S105
    event = _staged(["a", "ResponseComplete", 0, 1, "get", 200, f"/api/v1/pods?token={token}"])
    ((request),) = _requests(log_of([event]))
    assert token not in str(request)


def _session_event(number: int, row: list[Any]) -> dict[str, Any]:
    second, length, user, address, agent, verb, credential = row
    extra = {"authentication.kubernetes.io/credential-id": [credential]}
    return _staged([str(number), "ResponseComplete", second, second + length, verb, 200, "/api/v1/pods"]) | {
        "user": {"username": user, **({"extra": extra} if credential else {})} if user else {},
        "sourceIPs": [address],
        "userAgent": agent,
    }


@pytest.mark.parametrize("case", SESSIONS, ids=lambda case: case["name"])
def test_requests_make_sessions(case: dict[str, Any], log_of: Written) -> None:
    found: dict[int, list[int]] = {}
    for request in _requests(log_of([_session_event(*each) for each in enumerate(case["requests"])])):
        found.setdefault(request.session, []).append(int(request.details["audit_id"]))
    assert [found[number] for number in sorted(found)] == case["sessions"]


def test_a_session_counts_what_was_refused_failed_and_changed(log_of: Written) -> None:
    events = [
        _staged(["1", "ResponseComplete", 0, 1, "get", 403, "/a"]),
        _staged(["2", "ResponseComplete", 1, 2, "create", 201, "/b"]),
        _staged(["3", "ResponseComplete", 2, 3, "get", 404, "/c"]),
        _staged(["4", "RequestReceived", 3, 3, "patch", None, "/d"]),
        _end_of_log(600),
    ]
    with open_events(Logs((log_of(events),)), COLUMNS) as opened:
        pair_requests(opened, ())
        ((session),) = split_sessions(opened)
    counts = (session.requests, session.refused, session.failed, session.changes, session.unended)
    assert counts == (5, 1, 1, 1, 1)
    assert (session.actor, session.duration_s) == ("alice", 600.0)
