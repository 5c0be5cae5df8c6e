"""Tests of what requests are taken for."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.decode.request_info import info_of_event
from kubewitness.investigate.actions import group_actions
from kubewitness.investigate.phrases import duration
from kubewitness.investigate.requests import Ending, Request

NOON = datetime(2026, 11, 17, 12)  # noqa: DTZ001 - times of events are naive and UTC
CASES = yaml.safe_load((Path(__file__).parent / "actions.yaml").read_text("utf-8"))


def _request(number: int, row: list[Any]) -> Request:
    second, program, verb, uri, code, *name = row
    info = info_of_event(verb, uri)
    at = NOON + timedelta(seconds=second)
    details = {
        "request_uri": uri,
        "verb": verb,
        "user_agent_family": program,
        "code": code,
        "resource": info.resource,
        "subresource": info.subresource,
        "namespace": info.namespace,
        "name": info.name or (name[0] if name else None),
        "exec_command": " ".join(parse_qs(urlsplit(uri).query).get("command", [])),
    }
    return Request(
        key=number,
        began_at=at,
        ended_at=at if code else None,
        duration_s=0.0 if code else None,
        ending=Ending.ENDED if code else Ending.NEVER,
        details={column: value for column, value in details.items() if value},
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_requests_are_grouped_into_actions(case: dict[str, Any]) -> None:
    actions = group_actions([_request(*each) for each in enumerate(case["requests"])])
    assert [[action.text, len(action.requests)] for action in actions] == case["actions"]


ROWS = [row for case in CASES for row in case["requests"]]
COLUMNS = ("request_uri", "verb", "user_agent_family", "code", "resource", "subresource", "namespace", "name")


@given(st.lists(st.sampled_from(ROWS), max_size=30), st.data())
def test_no_request_is_lost_or_doubled_whatever_is_missing(rows: list[list[Any]], data: st.DataObject) -> None:
    requests = []
    for number, row in enumerate(sorted(rows, key=lambda row: float(row[0]))):
        request = _request(number, row)
        missing = data.draw(st.sets(st.sampled_from(COLUMNS), max_size=2))
        details = {name: value for name, value in request.details.items() if name not in missing}
        began_at = data.draw(st.sampled_from([request.began_at, request.began_at, None]))
        requests.append(Request(number, began_at, request.ended_at, None, request.ending, details=details))
    actions = group_actions(requests)
    assert sorted(request.key for action in actions for request in action.requests) == list(range(len(requests)))
    assert all(action.text for action in actions)


def test_a_request_alone_is_an_action() -> None:
    (action,) = group_actions([_request(0, [0, "kubectl", "delete", "/api/v1/namespaces/a/pods/p", 200])])
    assert (action.text, action.objects, action.is_change) == ("deleted pod p (namespace a)", ("pods/a/p",), True)


def test_an_action_that_was_refused_changed_nothing() -> None:
    (action,) = group_actions([_request(0, [0, "kubectl", "delete", "/api/v1/namespaces/a/pods/p", 403])])
    assert (action.refused, action.failed, action.is_change) == (1, 0, False)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0042, "4 ms"), (0.85, "850 ms"), (4.21, "4.2 s"), (32, "32 s"), (180, "3 min"), (7500, "2 h 5 min"),
        (7200, "2 h"), (273_600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_said_in_one_unit_or_two(seconds: float, text: str) -> None:
    assert duration(seconds) == text
