"""Ingest: every event gets into the store once, whatever happens to its file."""

from __future__ import annotations

import gzip
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.lake import ingest as ingesting
from kubewitness.app.lake import writing
from kubewitness.app.lake.ingest import ingest
from kubewitness.model.errors import StoreError, UnreadableError
from kubewitness.query.engine import Engine, MemoryShortError
from kubewitness.store.lake import Lake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.app.lake.conftest import Line, Stored

    from kubewitness.store.files import DataFile

    Ids = Callable[[Path], Counter[str]]


@pytest.fixture
def log(tmp_path: Path, line: Line) -> Path:
    path = tmp_path / "logs" / "audit.log"
    path.parent.mkdir()
    path.write_bytes(b"".join(map(line, range(10))))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def each_once(count: int) -> Counter[str]:
    return Counter(f"id-{number}" for number in range(count))


def test_events_get_into_the_store_with_their_facts_and_origins(log: Path, store: Path, stored: Stored) -> None:
    done = ingest([str(log)], str(store))
    assert (done.ledger.read, done.ledger.events, done.files) == (10, 10, 1)
    first, *_ = stored(store, "audit_id", "actor", "actor_kind", "source", "line", "day::VARCHAR AS day")
    assert first == {
        "audit_id": "id-0", "actor": "user-0", "actor_kind": "user", "source": str(log), "line": 1, "day": "2026-11-17",
    }  # fmt: skip
    assert [row["line"] for row in stored(store, "line")] == [*range(1, 11)]


def test_a_second_run_finds_nothing_new(log: Path, store: Path, ids: Ids) -> None:
    ingest([str(log)], str(store))
    version = Lake.open(str(store)).version
    again = ingest([str(log)], str(store))
    assert (again.ledger.read, again.known, again.version) == (0, (str(log),), version)
    assert ids(store) == each_once(10)


def test_a_file_that_grew_is_taken_up_where_it_was_left(
    log: Path, store: Path, line: Line, ids: Ids, stored: Stored
) -> None:
    ingest([str(log)], str(store))
    with log.open("ab") as file:
        file.write(b"".join(map(line, range(10, 13))))
    done = ingest([str(log)], str(store))
    assert (done.ledger.read, done.ledger.duplicates) == (3, 0)
    assert ids(store) == each_once(13)
    assert [row["line"] for row in stored(store, "line")] == [*range(1, 14)]


def test_a_line_without_end_waits_for_it(log: Path, store: Path, line: Line, ids: Ids) -> None:
    whole = line(10)
    with log.open("ab") as file:
        file.write(whole[:50])
    assert ingest([str(log)], str(store)).waiting == {str(log): 50}
    with log.open("ab") as file:
        file.write(whole[50:])
    assert ingest([str(log)], str(store)).ledger.events == 1
    assert ids(store) == each_once(11)


def test_a_whole_record_without_newline_does_not_wait(log: Path, store: Path, line: Line, ids: Ids) -> None:
    with log.open("ab") as file:
        file.write(line(10).rstrip(b"\n"))
    assert ingest([str(log)], str(store)).ledger.events == 11
    with log.open("ab") as file:
        file.write(b"\n" + line(11))
    assert ingest([str(log)], str(store)).ledger.read == 1
    assert ids(store) == each_once(12)


def test_the_last_line_of_a_finished_file_is_taken_as_it_is(log: Path, store: Path, line: Line) -> None:
    with log.open("ab") as file:
        file.write(line(10)[:-40])
    done = ingest([str(log)], str(store), is_finished=True)
    assert (done.ledger.events, done.ledger.partial, done.waiting) == (10, 1, {})


def test_a_file_that_was_renamed_packed_or_copied_is_known(log: Path, store: Path, ids: Ids) -> None:
    ingest([str(log)], str(store))
    packed = log.with_name("audit-1.log.gz")
    packed.write_bytes(gzip.compress(log.read_bytes()))
    shutil.copy(log, log.with_name("copy.log"))
    log.rename(log.with_name("audit-2.log"))
    done = ingest([str(log.parent)], str(store))
    assert (done.ledger.read, len(done.known)) == (0, 3)
    assert ids(store) == each_once(10)


def test_copies_in_one_run_are_read_once(log: Path, store: Path, ids: Ids) -> None:
    shutil.copy(log, log.with_name("copy.log"))
    assert ingest([str(log.parent)], str(store)).ledger.read == 10
    assert ids(store) == each_once(10)


@pytest.mark.parametrize("has_ids", [True, False])
def test_an_earlier_state_of_a_file_adds_nothing(
    log: Path, store: Path, line: Line, stored: Stored, has_ids: bool
) -> None:
    lines = [line(number, id="" if has_ids else None) for number in range(10)]
    log.write_bytes(b"".join(lines))
    ingest([str(log)], str(store))
    log.write_bytes(b"".join(lines[:6]))
    done = ingest([str(log)], str(store))
    assert (done.ledger.events, done.ledger.duplicates) == (0, 6)
    log.write_bytes(b"".join([*lines, line(10)]))
    assert ingest([str(log)], str(store)).ledger.events == 1
    assert len(stored(store, "line")) == 11


def test_a_file_that_begins_like_another_one_is_another_one(log: Path, store: Path, line: Line, ids: Ids) -> None:
    ingest([str(log)], str(store))
    log.write_bytes(b"".join(line(number) for number in [*range(5), *range(20, 30)]))
    done = ingest([str(log)], str(store))
    assert (done.ledger.events, done.ledger.duplicates) == (10, 5)
    assert set(ids(store).values()) == {1}
    assert len(ids(store)) == 20


def test_overlapping_exports_are_told_by_record(tmp_path: Path, store: Path, line: Line, ids: Ids) -> None:
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    first.write_bytes(b"".join(map(line, range(10))))
    second.write_bytes(b"".join(map(line, range(6, 15))))
    ingest([str(first)], str(store))
    done = ingest([str(second)], str(store))
    assert (done.ledger.read, done.ledger.events, done.ledger.duplicates) == (9, 5, 4)
    assert ids(store) == each_once(15)


def test_another_request_with_a_known_id_is_another_event(log: Path, store: Path, line: Line, ids: Ids) -> None:
    ingest([str(log)], str(store))
    other = log.with_name("other.log")
    other.write_bytes(line(1, verb="delete") + line(2, requestReceivedTimestamp="2026-11-17T08:00:59.000000Z"))
    assert ingest([str(other)], str(store)).ledger.events == 2
    assert ids(store)["id-1"] == ids(store)["id-2"] == 2


def test_events_without_id_are_never_called_duplicates(tmp_path: Path, store: Path, line: Line, stored: Stored) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.log").write_bytes(line(90 + ord(name)) + line(1, id=None))
    ingest([str(tmp_path / "a.log")], str(store))
    ingest([str(tmp_path / "b.log")], str(store))
    assert sum(row["audit_id"] is None for row in stored(store, "audit_id")) == 2


def test_a_cut_copy_of_a_stored_record_adds_nothing(log: Path, store: Path, line: Line, ids: Ids) -> None:
    ingest([str(log)], str(store))
    cut = log.with_name("cut.log")
    cut.write_bytes(line(77) + line(3)[:-60] + b"\n")
    done = ingest([str(cut)], str(store))
    assert (done.ledger.events, done.ledger.partial, done.ledger.duplicates) == (1, 0, 1)
    assert ids(store)["id-3"] == 1


def test_the_same_records_of_another_cluster_are_other_events(log: Path, store: Path, ids: Ids) -> None:
    ingest([str(log)], str(store), cluster="a")
    ingest([str(log)], str(store), cluster="b")
    assert set(ids(store).values()) == {2}


def test_small_pieces_give_the_same_as_large_ones(log: Path, store: Path, ids: Ids, stored: Stored) -> None:
    log.write_bytes(log.read_bytes() * 1)
    ingest([str(log)], str(store), piece_bytes=600)
    assert ids(store) == each_once(10)
    assert [row["line"] for row in stored(store, "line")] == [*range(1, 11)]


def test_many_days_get_a_file_each(tmp_path: Path, store: Path, line: Line, ids: Ids) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(
        b"".join(line(day, requestReceivedTimestamp=f"2026-10-{day:02}T08:00:00.000000Z") for day in range(1, 21))
    )
    assert ingest([str(log)], str(store)).files == 20
    assert len(ids(store)) == 20
    assert {each.day.day for each in Lake.open(str(store)).files() if each.day} == {*range(1, 21)}


def test_a_period_leaves_out_files(tmp_path: Path, store: Path, line: Line, stored: Stored) -> None:
    from datetime import datetime  # noqa: PLC0415 - used here alone

    log = tmp_path / "audit.log"
    log.write_bytes(
        b"".join(line(day, requestReceivedTimestamp=f"2026-10-{day:02}T08:00:00.000000Z") for day in range(1, 6))
    )
    ingest([str(log)], str(store))
    rows = stored(store, "audit_id", since=datetime(2026, 10, 2), until=datetime(2026, 10, 4))  # noqa: DTZ001 - UTC, naive
    assert [row["audit_id"] for row in rows] == ["id-2", "id-3"]


def test_nothing_to_read_is_an_error_and_makes_no_store(tmp_path: Path, store: Path) -> None:
    with pytest.raises(UnreadableError, match="nothing to read"):
        ingest([str(tmp_path / "none.log")], str(store))
    assert not store.exists()


def test_a_folder_of_something_else_is_no_place_for_a_store(log: Path) -> None:
    with pytest.raises(StoreError, match="folder with other things"):
        ingest([str(log)], str(log.parent))


def test_an_empty_file_is_neither_read_nor_known(tmp_path: Path, store: Path) -> None:
    (tmp_path / "empty.log").write_bytes(b"\n\n")
    done = ingest([str(tmp_path / "empty.log")], str(store))
    assert (done.ledger.read, done.sources, done.commits) == (0, 0, 0)


def test_records_are_read_without_facts_being_planned(log: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are planned once, where events are written: a `*` in what is read would have all of them."""
    statements: list[str] = []
    run = Engine.run

    def noted(self: Engine, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        statements.append(sql)
        return run(self, sql, parameters)

    monkeypatch.setattr(Engine, "run", noted)
    ingest([str(log)], str(store))
    (reading,) = [sql for sql in statements if "INSERT INTO staged" in sql]
    assert "happened_at" in reading
    assert "actor_kind" not in reading


def test_rows_that_the_engine_cannot_take_at_once_are_written_in_parts(
    log: Path, store: Path, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(engine: Engine, decoded: str, *arguments: Any, **named: Any) -> list[DataFile]:
        ((count,),) = engine.run(f"SELECT count(*) FROM ({decoded})")  # noqa: S608 - our own
        if count > 3:
            raise StoreError("cannot be written") from MemoryShortError("no memory")
        return writing.write_files(engine, decoded, *arguments, **named)

    monkeypatch.setattr(ingesting, "write_files", short)
    assert ingest([str(log)], str(store)).files > 2
    assert ids(store) == each_once(10)


def test_what_no_part_of_can_be_written_leaves_nothing(log: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(engine: Engine, decoded: str, *arguments: Any, **named: Any) -> list[DataFile]:
        if engine.run(f"SELECT 1 FROM ({decoded}) WHERE audit_id = 'id-9'"):  # noqa: S608 - our own
            raise StoreError("cannot be written") from MemoryShortError("no memory")
        return writing.write_files(engine, decoded, *arguments, **named)

    monkeypatch.setattr(ingesting, "write_files", short)
    with pytest.raises(StoreError, match="cannot be written"):
        ingest([str(log)], str(store))
    assert not [*store.rglob("*.parquet")]
