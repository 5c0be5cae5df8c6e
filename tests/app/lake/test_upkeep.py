"""Compacting and letting go, while others read and write."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.lake import upkeep, writing
from kubewitness.app.lake.info import store_info
from kubewitness.app.lake.ingest import ingest
from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.lake.retaining import Keeping, retain
from kubewitness.app.lake.upkeep import compact
from kubewitness.facts import macros
from kubewitness.model.errors import StoreError
from kubewitness.model.event import FACTS
from kubewitness.query.engine import Engine
from kubewitness.store import files, relation, table
from kubewitness.store.lake import Lake

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from pathlib import Path

    from tests.app.lake.conftest import Line, Stored

    Ids = Callable[[Path], Counter[str]]

TODAY = date(2026, 11, 20)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def fill(store: Path, line: Line, counts: list[int], **more: Any) -> None:
    """One ingest for each count of events."""
    first = 0
    for number, count in enumerate(counts):
        log = store.parent / f"{number}.log"
        log.write_bytes(b"".join(line(first + index, **more) for index in range(count)))
        first += count
        ingest([str(log)], str(store))


def test_files_of_a_day_are_joined_and_no_event_changes(store: Path, line: Line, stored: Stored) -> None:
    fill(store, line, [5, 5, 5])
    columns = [column.name for column in table.STORED]
    before = stored(store, *columns)
    done = compact(str(store))
    assert (done.joined, done.written, len(Lake.open(str(store)).files())) == (3, 1, 1)
    assert stored(store, *columns) == before
    assert compact(str(store)).joined == 0


def test_a_dry_run_changes_nothing(store: Path, line: Line) -> None:
    fill(store, line, [2, 2])
    version = Lake.open(str(store)).version
    assert compact(str(store), is_dry_run=True).joined == 2
    assert retain(str(store), Keeping(0), today=TODAY, is_dry_run=True).events == 4
    assert (Lake.open(str(store)).version, len(Lake.open(str(store)).files())) == (version, 2)


def test_who_has_opened_the_store_reads_on_what_was_there(store: Path, line: Line, tmp_path: Path) -> None:
    fill(store, line, [3, 3])
    snapshot = open_snapshot(str(store))
    compact(str(store))
    engine = Engine(tmp_path)
    query = snapshot.query("SELECT count(*) FROM events")
    assert engine.run(query.sql, query.parameters) == [(6,)]
    engine.close()


def test_after_the_time_of_grace_replaced_files_are_gone(store: Path, line: Line, ids: Ids) -> None:
    fill(store, line, [3, 3])
    compact(str(store))
    assert len([*store.rglob("*.parquet")]) == 3
    assert len(compact(str(store), grace_hours=0).deleted) == 2
    assert len([*store.rglob("*.parquet")]) == 1
    assert len(ids(store)) == 6


def test_an_ingest_during_compacting_loses_nothing(
    store: Path, line: Line, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, line, [3, 3])
    late = store.parent / "late.log"
    late.write_bytes(b"".join(line(number) for number in range(4, 9)))
    rewrite = writing.rewrite_files

    def slow(*args: Any, **options: Any) -> Any:
        ingest([str(late)], str(store))
        return rewrite(*args, **options)

    monkeypatch.setattr(upkeep, "rewrite_files", slow)
    assert compact(str(store)).joined == 2
    assert ids(store) == {f"id-{number}": 1 for number in range(9)}


def test_two_compactings_at_once_are_as_one(store: Path, line: Line, ids: Ids, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, line, [3, 3])
    rewrite = writing.rewrite_files

    def slow(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(upkeep, "rewrite_files", rewrite)
        assert compact(str(store)).joined == 2
        return rewrite(*args, **options)

    monkeypatch.setattr(upkeep, "rewrite_files", slow)
    assert compact(str(store)).joined == 0
    assert ids(store) == {f"id-{number}": 1 for number in range(6)}


def test_old_days_go_and_do_not_come_back(store: Path, line: Line, ids: Ids) -> None:
    log = store.parent / "audit.log"
    log.write_bytes(
        b"".join(line(day, requestReceivedTimestamp=f"2026-11-{day:02}T08:00:00.000000Z") for day in range(1, 11))
    )
    ingest([str(log)], str(store))
    done = retain(str(store), Keeping(days=14), today=TODAY)
    assert (done.events, done.days[-1]) == (5, date(2026, 11, 5))
    assert set(ids(store)) == {f"id-{day}" for day in range(6, 11)}
    assert ingest([str(log)], str(store)).ledger.read == 0


def test_levels_are_kept_for_different_times(store: Path, line: Line, stored: Stored) -> None:
    log = store.parent / "audit.log"
    levels = ("Metadata", "Request", "RequestResponse")
    log.write_bytes(b"".join(line(number, level=levels[number % 3]) for number in range(9)))
    ingest([str(log)], str(store))
    keeping = Keeping(days=2, level_days={"RequestResponse": 90, "Request": 3})
    assert retain(str(store), keeping, today=TODAY).events == 3
    assert {row["level"] for row in stored(store, "level")} == {"Request", "RequestResponse"}
    assert retain(str(store), keeping, today=TODAY.replace(day=21)).events == 3
    assert {row["level"] for row in stored(store, "level")} == {"RequestResponse"}
    assert retain(str(store), keeping, today=TODAY.replace(day=21)).events == 0


def test_events_without_time_are_kept(store: Path, line: Line, stored: Stored) -> None:
    fill(store, line, [2], requestReceivedTimestamp=None, stageTimestamp=None)
    assert retain(str(store), Keeping(days=0), today=TODAY).events == 0
    assert len(stored(store, "line")) == 2


def _as_older(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program that knew no facts: it wrote none."""
    monkeypatch.setattr(table, "facts_version", lambda: "00000000")
    given = {column.name for column in table.GIVEN}
    monkeypatch.setattr(
        writing, "LISTED", ", ".join(f'"{column.name}"' for column in table.STORED if column.name in given)
    )
    monkeypatch.setattr(writing, "STATISTICS", tuple(name for name in table.STATISTICS if name in given))
    monkeypatch.setattr(files, "STATISTICS", tuple(name for name in table.STATISTICS if name in given))


def test_a_store_of_an_older_program_has_the_facts_of_this_one(
    store: Path, line: Line, stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [column.name for column in FACTS]
    spec = {"containers": [{"name": "a", "image": "b", "securityContext": {"privileged": True}}]}
    body = {"verb": "create", "level": "Request", "requestObject": {"kind": "Pod", "spec": spec}}
    new = store.with_name("new")
    fill(new, line, [4], **body)
    with monkeypatch.context() as patched:
        _as_older(patched)
        fill(store, line, [4], **body)
    assert store_info(str(store)).older_files == 1
    assert stored(store, *facts) == stored(new, *facts)
    assert any(row["privileged"] for row in stored(store, "privileged"))
    fill(store, line, [6], **body)
    assert len(stored(store, *facts)) == 6
    assert compact(str(store)).written == 1
    assert store_info(str(store)).older_files == 0
    assert stored(store, *facts)[:4] == stored(new, *facts)


@pytest.mark.parametrize("few", [0, 16])
def test_events_of_older_and_newer_files_are_looked_up_by_their_rows(
    few: int, store: Path, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        _as_older(patched)
        fill(store, line, [4])
    fill(store, line, [9])
    monkeypatch.setattr(relation, "_FEW_FILES", few)
    snapshot = open_snapshot(str(store))
    assert not snapshot.has_facts
    select = 'SELECT "row", audit_id, actor FROM events'
    engine = Engine(tmp_path)
    try:
        engine.run(macros())
        whole = snapshot.query(select)
        known = sorted(engine.run(whole.sql, whole.parameters))
        assert len(known) == 9
        some = snapshot.query(select, rows=[row for row, *_ in known[::2]])
        assert sorted(engine.run(some.sql, some.parameters)) == known[::2]
    finally:
        engine.close()


def test_a_store_of_a_newer_program_is_refused(store: Path, line: Line) -> None:
    fill(store, line, [1])
    log = store / "_delta_log" / "00000000000000000000.json"
    log.write_text(log.read_text().replace('"kubewitness.format":"1"', '"kubewitness.format":"99"'))
    assert "99" in log.read_text()
    with pytest.raises(StoreError, match="newer kubewitness"):
        Lake.open(str(store))


def test_a_folder_without_a_store_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no store") as caught:
        compact(str(tmp_path / "none"))
    assert "kubewitness ingest" in str(caught.value.hint)


def test_the_log_of_the_table_is_one_that_other_engines_understand(store: Path, line: Line) -> None:
    fill(store, line, [3])
    actions = [json.loads(text) for text in (store / "_delta_log" / f"{1:020}.json").read_text().splitlines()]
    (add,) = [action["add"] for action in actions if "add" in action]
    assert add["partitionValues"] == {"day": "2026-11-17", "cluster": None}
    assert json.loads(add["stats"])["numRecords"] == 3
    names = {action["txn"]["appId"]: action["txn"]["version"] for action in actions if "txn" in action}
    assert names["kubewitness"] == 1
    assert [end for name, end in names.items() if name.startswith("source:")] == [sum(len(line(n)) for n in range(3))]
