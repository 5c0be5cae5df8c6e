"""Tests of the table of events that questions are asked of."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.events import Logs, open_events
from kubewitness.app.scan import scan
from kubewitness.model.errors import UnreadableError
from kubewitness.query.filters import parse_filter

if TYPE_CHECKING:
    from collections.abc import Callable

    LineOf = Callable[..., bytes]


SHAPES = str(Path(__file__).parent.parent / "fixtures" / "shapes")
NOON = datetime(2026, 11, 17, 12)  # noqa: DTZ001 - times of events are naive and UTC


def _rows(path: Path | str, columns: list[str], where: str = "", **options: Any) -> list[dict[str, Any]]:
    with open_events(Logs((str(path),), **options), columns, parse_filter(where)) as events:
        return events.rows("SELECT * EXCLUDE (row) FROM events ORDER BY source, line")


def test_events_have_their_origin_and_the_columns_that_were_asked_for(tmp_path: Path, line_of: LineOf) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"\n\n" + line_of(1) + b"\n\n\n" + line_of(2) + b"\n" + line_of(3) + b"\n\n")
    assert [(row["line"], row["audit_id"]) for row in _rows(log, ["audit_id"])] == [
        (3, "id-1"), (6, "id-2"), (7, "id-3"),
    ]  # fmt: skip
    assert {row["source"] for row in _rows(log, [])} == {str(log)}


def test_a_record_in_an_envelope_that_is_decoded_in_python_has_its_line(tmp_path: Path, line_of: LineOf) -> None:
    log = tmp_path / "hub.json"
    record = {"category": "kube-audit", "properties": {"log": line_of(1).decode()}}
    log.write_text(
        json.dumps({"records": [record]}) + "\n\n" + json.dumps({"records": [record | {"time": "x"}]}) + "\n"
    )
    log.write_text(log.read_text().replace("id-1", "id-2", 1))
    assert [(row["line"], row["audit_id"]) for row in _rows(log, ["audit_id"])] == [(1, "id-2"), (3, "id-1")]


def test_only_events_of_which_the_predicate_holds_are_there(tmp_path: Path, line_of: LineOf) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"\n".join(line_of(number, verb="get" if number % 2 else "list") for number in range(10)))
    with open_events(Logs((str(log),)), ["name"], parse_filter("verb:list")) as events:
        assert events.ledger.events == 10
        assert [row["name"] for row in events.rows("SELECT name FROM events ORDER BY row")] == [
            f"web-{number}" for number in range(0, 10, 2)
        ]


def test_the_period_leaves_out_what_happened_before_and_after(tmp_path: Path, line_of: LineOf) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(
        b"\n".join(line_of(hour, requestReceivedTimestamp=f"2026-11-17T{hour:02}:00:00.000000Z") for hour in range(5))
    )
    rows = _rows(log, ["audit_id"], since=NOON.replace(hour=1), until=NOON.replace(hour=3))
    assert [row["audit_id"] for row in rows] == ["id-1", "id-2"]


def test_the_same_record_twice_is_there_once(tmp_path: Path, line_of: LineOf) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(line_of(1) + b"\n" + line_of(1) + b"\n" + line_of(2) + b"\n")
    with open_events(Logs((str(log),)), ["audit_id"]) as events:
        assert (events.ledger.events, events.ledger.duplicates) == (2, 1)
        assert Counter(row["audit_id"] for row in events.rows("SELECT audit_id FROM events")) == {"id-1": 1, "id-2": 1}


def test_bodies_and_facts_about_them_are_read_when_they_are_asked_for(tmp_path: Path, line_of: LineOf) -> None:
    log = tmp_path / "audit.log"
    pod = {"metadata": {"name": "p"}, "spec": {"hostPID": True, "containers": [{"name": "c", "image": "i"}]}}
    log.write_bytes(line_of(1, verb="create", requestObject=pod) + b"\n")
    ((row),) = _rows(log, ["host_pid", "request_object"], "host_pid:true")
    assert (row["host_pid"], json.loads(row["request_object"])) == (True, pod)


def test_the_ledger_is_that_of_a_scan() -> None:
    with open_events(Logs((SHAPES,)), []) as events:
        assert events.ledger == scan([SHAPES]).ledger


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="nothing to read"), open_events(Logs((str(tmp_path),)), []):
        pass
