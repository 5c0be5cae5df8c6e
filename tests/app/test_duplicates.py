"""Cut copies: when a cut record is another one, and when it only says that it is."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.duplicates import is_same
from kubewitness.app.plans import plan_rules
from kubewitness.app.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    LineOf = Callable[..., bytes]

AT = datetime(2026, 11, 17, 8)  # noqa: DTZ001 - times in the model are naive UTC
WHOLE: dict[str, Any] = {
    "cluster": "a",
    "audit_id": "1",
    "verb": "create",
    "groups": ["x", "y"],
    "code": 201,
    "request_object": '{"spec":{"containers":[{"image":"a","args":["1","2"]},{"image":"b"}]},"kind":"Pod"}',
    "stage_at": AT,
    "annotations": '{"k":"v"}',
}
CUT: dict[str, Any] = {
    "cluster": "a",
    "audit_id": "1",
    "verb": "create",
    "groups": ["x", "y"],
    "code": 201,
    "request_object": '{"spec":{"containers":[{"image":"a","args":["1"]}]}}',
    "logged_at": AT + timedelta(seconds=3),
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"request_object": None}, True),
        ({"request_object": '{"spec":{"containers":[]}}'}, True),
        ({"request_object": '{"spec": {}}'}, True),
        ({"groups": ["x"]}, True),  # cut within the list
        ({"groups": ["y"]}, False),
        ({"verb": "delete"}, False),
        ({"code": 403}, False),
        ({"request_object": '{"spec":{"containers":[{"image":"evil"}]}}'}, False),
        ({"request_object": '{"spec":{"hostPID":true}}'}, False),
        ({"request_object": '{"spec":{"containers":[{"image":"a"},{"image":"b"},{"image":"c"}]}}'}, False),
        ({"request_object": "[]"}, False),
        ({"response_object": "{}"}, False),  # the whole one has none
        ({"user_agent": "x"}, False),
        ({"cluster": None}, True),
        ({"cluster": "b"}, False),
        ({"logged_at": None}, True),
        ({"logged_at": AT + timedelta(hours=1)}, False),
        ({"logged_at": AT - timedelta(hours=1)}, False),
    ],
)
def test_a_cut_record_is_another_one_only_when_all_it_says_stands_there(
    changed: dict[str, Any], expected: bool
) -> None:
    cut = {name: value for name, value in (CUT | changed).items() if value is not None}
    assert is_same(cut, WHOLE) is expected


def cut_record(line: bytes, at: str) -> bytes:
    """A record of Azure whose log is cut in the body."""
    record = {"category": "kube-audit", "properties": {"log": line[:-60].decode()}, "resourceId": "/x", "time": at}
    return json.dumps(record).encode()


def test_a_cut_record_that_is_delivered_often_is_one(tmp_path: Path, line_of: LineOf) -> None:
    body = {"spec": {"containers": [{"image": "a"}]}, "data": "x" * 100}
    cut = cut_record(line_of(1, requestObject=body, requestReceivedTimestamp=None), "2026-11-17T08:00:00Z")
    later = cut_record(line_of(1, requestObject=body, requestReceivedTimestamp=None), "2026-11-17T09:00:00Z")
    log = tmp_path / "audit.log"
    log.write_bytes(b"\n".join([cut] * 8000 + [later] * 3))
    ledger = scan([str(log)], plan_rules()).ledger
    assert (ledger.partial, ledger.duplicates) == (2, 8001)


def test_stages_and_events_without_id_or_time_are_never_duplicates(tmp_path: Path, line_of: LineOf) -> None:
    lines = [
        line_of(1, stage="RequestReceived"),
        line_of(1, stage="ResponseComplete"),
        *[line_of(2, auditID=None)] * 2,
        *[line_of(3, requestReceivedTimestamp=None)] * 2,
        *[line_of(4)] * 2,
    ]
    log = tmp_path / "audit.log"
    log.write_bytes(b"\n".join(lines))
    ledger = scan([str(log)], plan_rules()).ledger
    assert (ledger.events, ledger.duplicates) == (7, 1)
