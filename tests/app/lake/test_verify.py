"""From a stored event back to the bytes that it was read from."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from kubewitness.app.events import Logs
from kubewitness.app.lake.export import export_records
from kubewitness.app.lake.ingest import ingest
from kubewitness.app.lake.upkeep import compact
from kubewitness.app.lake.verify import SourceState, trace_events, verify_store
from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.app.lake.conftest import Line


@pytest.fixture
def log(tmp_path: Path, line: Line) -> Path:
    path = tmp_path / "audit.log"
    path.write_bytes(b"".join(map(line, range(6))))
    return path


@pytest.fixture
def store(tmp_path: Path, log: Path) -> Path:
    ingest([str(log)], str(tmp_path / "lake"))
    return tmp_path / "lake"


def test_an_event_is_followed_to_its_bytes(store: Path, log: Path, line: Line) -> None:
    (found,) = trace_events(str(store), audit_id="id-4", origin=None)
    offset = sum(len(line(number)) for number in range(4))
    assert (found.byte_offset, found.byte_length) == (offset, len(line(4)) - 1)
    assert found.line_sha256 == hashlib.sha256(line(4).rstrip()).hexdigest()
    assert found.source_sha256 == hashlib.sha256(log.read_bytes()).hexdigest()
    assert (found.source_state, found.is_same_record, found.commit) == (SourceState.SAME, True, 1)
    assert json.loads(found.record) == json.loads(line(4))


def test_an_origin_leads_there_too_also_after_the_file_grew_and_was_compacted(
    store: Path, log: Path, line: Line
) -> None:
    with log.open("ab") as file:
        file.write(b"".join(map(line, range(6, 9))))
    ingest([str(log)], str(store))
    compact(str(store))
    (early,) = trace_events(str(store), audit_id=None, origin=f"{log}:2")
    (late,) = trace_events(str(store), audit_id=None, origin=f"{log}:8")
    assert (early.commit, late.commit) == (1, 2)
    assert (early.source_state, late.source_state) == (SourceState.SAME, SourceState.SAME)
    assert early.is_same_record
    assert late.is_same_record


def test_a_source_that_was_packed_and_moved_is_found_where_it_may_be(store: Path, log: Path, tmp_path: Path) -> None:
    packed = tmp_path / "archive" / "old.log.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    assert [each.state for each in verify_store(str(store)).sources] == [SourceState.MISSING]
    (found,) = trace_events(str(store), audit_id="id-1", origin=None, paths=[str(packed.parent)])
    assert (found.path, found.source_state, found.is_same_record) == (str(packed), SourceState.SAME, True)


def test_a_source_that_says_something_else_by_now_is_told(store: Path, log: Path) -> None:
    log.write_bytes(log.read_bytes().replace(b"p-3", b"p-4"))
    assert [each.state for each in verify_store(str(store)).sources] == [SourceState.CHANGED]
    (found,) = trace_events(str(store), audit_id="id-3", origin=None)
    assert (found.source_state, found.is_same_record) == (SourceState.CHANGED, False)


def test_a_sound_store_is_sound_and_a_broken_file_is_told(store: Path) -> None:
    checked = verify_store(str(store))
    assert (checked.is_sound, checked.events, checked.files) == (True, 6, 1)
    (path,) = store.rglob("*.parquet")
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 400] = bytes(400)
    path.write_bytes(content)
    assert not verify_store(str(store)).is_sound
    path.write_bytes(content[:-10])
    assert "bytes instead of" in verify_store(str(store)).broken[0][1]
    path.unlink()
    assert verify_store(str(store)).broken[0][1] == "is missing"


@pytest.mark.parametrize(("audit_id", "origin"), [("nobody", None), (None, "audit.log:1"), (None, "audit.log")])
def test_what_is_not_there_is_an_error(store: Path, audit_id: str | None, origin: str | None) -> None:
    with pytest.raises(UsageError):
        trace_events(str(store), audit_id=audit_id, origin=origin)


def test_records_are_exported_as_they_were_and_by_a_filter(store: Path, line: Line) -> None:
    assert [json.loads(text) for text in export_records(Logs(store=str(store)))] == [
        json.loads(line(number)) for number in range(6)
    ]
    found = export_records(Logs(store=str(store)), "name:p-2")
    assert [json.loads(text)["auditID"] for text in found] == ["id-2"]
