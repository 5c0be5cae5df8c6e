"""Tests of asking events in SQL."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from kubewitness.app.asking.sql import ask, json_value
from kubewitness.app.events import Logs, open_events
from kubewitness.app.lake.ingest import ingest
from kubewitness.model.event import BY_NAME
from kubewitness.query.engine import EngineError
from kubewitness.query.filters import parse_filter
from kubewitness.query.questions import QuestionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    LineOf = Callable[..., bytes]


def _asked(sql: str, path: Path, where: str = "", **options: Any) -> list[dict[str, Any]]:
    with ask(sql, Logs((str(path),)), where=parse_filter(where), **options) as answer:
        return [dict(zip(answer.names, row, strict=True)) for row in answer.rows]


@pytest.fixture
def log(tmp_path: Path, line_of: LineOf) -> Path:
    """Three events: two reads of pods and a secret that is made."""
    path = tmp_path / "audit.log"
    secret = {
        "kind": "Secret", "type": "Opaque", "data": {"password": "aHVudGVyMg=="},
        "metadata": {"name": "db", "annotations": {"last-applied": '{"data":{"password":"aHVudGVyMg=="}}'}},
    }  # fmt: skip
    made = line_of(
        3, verb="create", objectRef={"resource": "secrets", "namespace": "shop", "name": "db"}, requestObject=secret
    )
    path.write_bytes(b"\n".join((line_of(1), line_of(2, verb="list"), made)) + b"\n")
    return path


def test_rows_are_counted_over_the_events_without_their_duplicates(tmp_path: Path, line_of: LineOf) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(b"\n".join((line_of(1), line_of(1), line_of(2))) + b"\n")
    assert _asked("SELECT verb, count(*) AS n FROM events GROUP BY verb", path) == [{"verb": "get", "n": 2}]


def test_a_star_gives_the_documented_columns_in_their_order(log: Path) -> None:
    (row, *_) = _asked("FROM events ORDER BY audit_id", log)
    assert [*row] == [*BY_NAME]
    assert (row["source"], row["line"], row["happened_at"]) == (str(log), 1, "2026-11-17T08:00:00.000000Z")
    assert row["source_ips"] == ["203.0.113.7"]


def test_a_filter_says_which_events_are_in_the_table(log: Path) -> None:
    assert _asked("SELECT count(*) AS n FROM events", log, "verb:list") == [{"n": 1}]


def test_a_body_is_json_and_not_text_with_json_in_it(log: Path) -> None:
    (row,) = _asked("SELECT request_object FROM events WHERE verb = 'create'", log, reveal=True)
    assert row["request_object"]["data"] == {"password": "aHVudGVyMg=="}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT request_object FROM events",
        "SELECT request_object ->> '$.data.password' AS a FROM events",
        "SELECT request_object::VARCHAR AS name FROM events",
        "SELECT json_extract_string(request_object, '$.metadata.annotations') FROM events",
        "SELECT DISTINCT b FROM (SELECT request_object -> '$.data' AS b FROM events)",
        "FROM events",
    ],
)
def test_values_of_secrets_do_not_come_out_however_a_body_is_taken_apart(log: Path, sql: str) -> None:
    assert "aHVudGVyMg" not in json.dumps(_asked(sql, log))
    assert "aHVudGVyMg" in json.dumps(_asked(sql, log, reveal=True))


def test_of_a_secret_is_left_what_is_none(log: Path) -> None:
    (row,) = _asked("SELECT request_object ->> '$.type' AS type FROM events WHERE verb = 'create'", log)
    assert row == {"type": "Opaque"}


@pytest.mark.parametrize("column", ["exec_command", "exec_command AS name", "'x ' || exec_command", "[exec_command]"])
def test_secret_words_of_a_command_are_redacted_under_any_name(tmp_path: Path, line_of: LineOf, column: str) -> None:
    path = tmp_path / "audit.log"
    uri = "/api/v1/namespaces/a/pods/b/exec?command=mysql&command=--password%3DhunterHunter2"
    reference = {"resource": "pods", "subresource": "exec", "namespace": "a", "name": "b"}
    path.write_bytes(line_of(1, verb="create", requestURI=uri, objectRef=reference) + b"\n")
    sql = f"SELECT {column} FROM events"  # noqa: S608 - of this test
    assert "mysql" in str(_asked(sql, path))
    assert "hunterHunter2" not in str(_asked(sql, path))
    assert "hunterHunter2" in str(_asked(sql, path, reveal=True))


def test_a_store_is_asked_where_it_is_and_nothing_beside_it(log: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "lake")
    ingest([str(log)], store)
    with ask("FROM events ORDER BY audit_id", Logs(store=store)) as answer:
        rows = [*answer.rows]
    with ask("FROM events ORDER BY audit_id", Logs((str(log),))) as answer:
        assert rows == [*answer.rows]
    with open_events(Logs(store=store), (), is_asked_once=True) as events:
        events.seal()
        assert events.engine.run("SELECT count(*) FROM stored_events WHERE verb = 'create'") == [(1,)]
        with pytest.raises(EngineError, match="disabled"):
            events.engine.run("FROM read_text($path)", {"path": str(log)})


def test_a_wrong_question_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="no event has a column"):
        _asked("SELECT usr FROM events", tmp_path / "missing.log")


def test_a_question_over_no_column_at_all_is_answered(log: Path) -> None:
    assert _asked("SELECT 1 AS one FROM events", log) == [{"one": 1}] * 3


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, None),
        (True, True),
        (2**70, 2**70),
        (1.5, 1.5),
        (float("nan"), None),
        (float("-inf"), None),
        (Decimal("3.00"), 3),
        (Decimal("3.25"), 3.25),
        (datetime(2026, 11, 17, 8, tzinfo=UTC).replace(tzinfo=None), "2026-11-17T08:00:00.000000Z"),
        (date(2026, 11, 17), "2026-11-17"),
        (timedelta(minutes=1), 60.0),
        ({"a": [Decimal(1), b"\x00\xff"]}, {"a": [1, "00ff"]}),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (complex(1), "(1+0j)"),
    ],
)
def test_values_are_said_as_json_can_say_them(value: Any, said: Any) -> None:
    assert json_value(value) == said
    json.dumps(json_value(value), allow_nan=False)
