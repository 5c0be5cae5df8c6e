"""Every record of every shape can be written back out of a store, with what is not known about it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.lake.ingest import ingest
from kubewitness.app.reading import decoder
from kubewitness.decode import Event, sniff
from kubewitness.sources import find_sources, open_source
from kubewitness.store.original import WRITTEN, written_back

if TYPE_CHECKING:
    from tests.app.lake.conftest import Line, Stored

SHAPES = Path(__file__).resolve().parents[2] / "fixtures" / "shapes"
NAMES = sorted({path.name for path in SHAPES.iterdir()})
COLUMNS = ("remainder", "raw", "source", "line", *WRITTEN)
# Rows of these tables have columns, not records: what they lack is not theirs.
TABLES = {"aks_audit_rows.ndjson", "aks_audit_az_monitor.json", "log_analytics.csv", "log_analytics_rest.json"}


def _record(text: bytes) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


def _decoded(path: Path) -> Counter[str]:
    """What the events of a file say, decoded one by one; each record once."""
    found: set[str] = set()
    for source in find_sources([str(path)]).sources:
        with open_source(source) as (_, reader):
            for outcome in decoder(sniff(reader.peek(1 << 16)[: 1 << 16]), reader):
                if isinstance(outcome, Event) and not outcome.partial:
                    found.add(_record(outcome.text))
    return Counter(found)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in TABLES])
def test_records_of_every_shape_are_written_back_as_they_were(name: str, tmp_path: Path, stored: Stored) -> None:
    ingest([str(SHAPES / name)], str(tmp_path / "lake"), is_finished=True)
    rows = [row for row in stored(tmp_path / "lake", *COLUMNS, "partial") if not row["partial"]]
    assert rows or not _decoded(SHAPES / name)
    assert Counter(_record(written_back(row)) for row in rows) == _decoded(SHAPES / name)


ODD: list[tuple[str, dict[str, Any]]] = [
    ("an unknown field", {"traceID": "abc", "spans": [{"a": None}]}),
    ("an unknown field inside", {"user": {"username": "a", "nickname": "b"}}),
    ("a wrong type", {"verb": 7, "sourceIPs": "192.0.2.1"}),
    ("a number as text", {"responseStatus": {"metadata": {}, "code": "404"}}),
    ("another time", {"stageTimestamp": "2026-11-17T10:00:00.123456789+02:00"}),
    ("no metadata of the status", {"responseStatus": {"code": 200}}),
    ("an empty user", {"user": {}}),
    ("empty texts", {"objectRef": {"resource": "pods", "namespace": "", "subresource": "", "name": ""}}),
    ("nulls", {"requestObject": None, "annotations": None}),
    ("texts of all kinds", {"requestObject": {"a": '<&>\u2028"\\ \U0001f600', "b": [1.5, 1e300, -0.0, None]}}),
    ("a large number", {"requestObject": {"a": 123456789012345678901234567890}}),
    ("an older event", {"apiVersion": "audit.k8s.io/v1beta1", "timestamp": "2018-03-01T10:00:00Z", "metadata": {}}),
    ("an address with a query", {"requestURI": "/api?a=1&b=<2>"}),
    ("an empty list", {"sourceIPs": [], "user": {"username": "a", "groups": []}}),
    ("a skipped body", {"requestObject": "skipped-too-big-size-object"}),
]  # fmt: skip


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_odd_records_are_written_back_as_they_were(
    separators: tuple[str, str], tmp_path: Path, line: Line, stored: Stored
) -> None:
    records = [json.loads(line(number)) | more for number, (_, more) in enumerate(ODD)]
    log = tmp_path / "audit.log"
    log.write_text("".join(json.dumps(record, separators=separators) + "\n" for record in records))
    ingest([str(log)], str(tmp_path / "lake"))
    texts = {row["line"]: json.loads(written_back(row)) for row in stored(tmp_path / "lake", *COLUMNS)}
    for number, (name, _) in enumerate(ODD):
        assert texts[number + 1] == records[number], name


def test_a_record_in_which_a_key_stands_twice_is_kept_as_it_was_written(
    tmp_path: Path, line: Line, stored: Stored
) -> None:
    text = line(1).replace(b'"level": "Metadata"', b'"level": "Metadata", "level": "Request!"')
    log = tmp_path / "audit.log"
    log.write_bytes(text)
    ingest([str(log)], str(tmp_path / "lake"))
    (row,) = stored(tmp_path / "lake", *COLUMNS)
    assert written_back(row) == text.strip()


def test_a_cut_record_is_kept_as_it_was_written(tmp_path: Path, line: Line, stored: Stored) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(line(1) + line(2)[:-70] + b"\n" + line(3))
    ingest([str(log)], str(tmp_path / "lake"))
    (row,) = [row for row in stored(tmp_path / "lake", *COLUMNS, "partial") if row["partial"]]
    assert written_back(row) == line(2)[:-70]


def test_what_an_api_server_writes_needs_no_remainder(tmp_path: Path, line: Line, stored: Stored) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"".join(json.dumps(json.loads(line(n)), separators=(",", ":")).encode() + b"\n" for n in range(5)))
    ingest([str(log)], str(tmp_path / "lake"))
    assert {(row["remainder"], row["raw"]) for row in stored(tmp_path / "lake", "remainder", "raw")} == {(None, None)}
