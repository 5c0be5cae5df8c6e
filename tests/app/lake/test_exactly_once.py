"""Ingests that are killed, that run at once, and that run beside readers and upkeep."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable

from kubewitness.app.lake import ingest as ingesting
from kubewitness.app.lake import landing, writing
from kubewitness.app.lake.ingest import ingest
from kubewitness.app.lake.opening import open_snapshot
from kubewitness.model.errors import StoreError
from kubewitness.store.lake import Change, ConflictError, Lake
from kubewitness.store.places import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.app.lake.conftest import Line

    from kubewitness.app.lake.landing import Landing
    from kubewitness.app.lake.pieces import Piece
    from kubewitness.query.engine import Engine
    from kubewitness.store.files import DataFile

    Ids = Callable[[Path], Counter[str]]

EVENTS = 600
PIECE_BYTES = 60_000
PROGRAM = """
import sys
from kubewitness.app.lake import ingest as ingesting
from kubewitness.app.lake import landing, writing
ingesting._BATCH_BYTES = 1
print("ready", flush=True)
sys.stdin.readline()
ingesting.ingest(sys.argv[2:], sys.argv[1], piece_bytes=60_000)
"""


@pytest.fixture
def logs(tmp_path: Path, line: Line) -> Path:
    """Two files that overlap; together EVENTS events."""
    folder = tmp_path / "logs"
    folder.mkdir()
    lines = [line(number) for number in range(EVENTS)]
    (folder / "a.log").write_bytes(b"".join(lines[: EVENTS * 2 // 3]))
    (folder / "b.log").write_bytes(b"".join(lines[EVENTS // 3 :]))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def begin(store: Path, *paths: Path) -> subprocess.Popen[str]:
    """Start an ingest that waits until it is told to go."""
    command = [sys.executable, "-c", PROGRAM, str(store), *map(str, paths)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def each_once(count: int = EVENTS) -> Counter[str]:
    return Counter(f"id-{number}" for number in range(count))


def test_killed_at_any_moment_and_run_again_every_event_is_there_once(logs: Path, store: Path, ids: Ids) -> None:
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    kills = 0
    for _ in range(6):
        process = begin(store, logs)
        go(process)
        time.sleep(chance.uniform(0.02, 1.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
        if any(store.glob("_delta_log/*.json")):
            assert set(ids(store).values()) <= {1}
    assert kills
    ingest([str(logs)], str(store))
    assert ids(store) == each_once()


STEPS = ("land", "note_remainders", "mark_known", "write_files", "commit", "after commit")


@pytest.mark.parametrize("step", STEPS)
def test_stopped_at_each_step_and_run_again_every_event_is_there_once(
    step: str, logs: Path, store: Path, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(BaseException):
        """Like a kill: nobody catches it."""

    def stop(*_: object, **__: object) -> None:
        raise Stop

    commit = Lake.commit

    def commit_and_stop(self: Lake, change: Change) -> None:
        commit(self, change)
        raise Stop

    with monkeypatch.context() as patched:
        patched.setattr(ingesting, "_BATCH_BYTES", 1)
        # Nothing is tidied up by who was killed.
        patched.setattr(ingesting, "drop_files", lambda *_: None)
        if step == "commit":
            patched.setattr(Lake, "commit", stop)
        elif step == "after commit":
            patched.setattr(Lake, "commit", commit_and_stop)
        else:
            patched.setattr(ingesting, step, stop)
        with pytest.raises(Stop):
            ingest([str(logs)], str(store), piece_bytes=PIECE_BYTES)
    ingest([str(logs)], str(store))
    assert ids(store) == each_once()


def test_two_ingests_at_once_take_every_event_once(logs: Path, store: Path, ids: Ids) -> None:
    processes = [begin(store, logs / "a.log", logs / "b.log"), begin(store, logs / "b.log", logs / "a.log")]
    for process in processes:
        go(process)
    for process in processes:
        process.communicate(timeout=120)
    assert [process.returncode for process in processes] == [0, 0]
    assert ids(store) == each_once()


def test_a_record_that_two_ingests_found_at_once_is_there_once(
    logs: Path, store: Path, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one commits between the look at the store and the commit."""
    commit = Lake.commit
    others = iter([logs / "b.log"])

    def late(self: Lake, change: Change) -> None:
        for path in others:
            ingest([str(path)], str(store))
        commit(self, change)

    monkeypatch.setattr(Lake, "commit", late)
    done = ingest([str(logs / "a.log")], str(store))
    assert done.ledger.duplicates == EVENTS // 3
    assert ids(store) == each_once()


def test_a_source_that_two_ingests_take_at_once_is_taken_once(
    logs: Path, store: Path, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Lake.commit
    others = iter([logs / "a.log"])

    def late(self: Lake, change: Change) -> None:
        for path in others:
            ingest([str(path)], str(store))
        commit(self, change)

    monkeypatch.setattr(Lake, "commit", late)
    done = ingest([str(logs / "a.log")], str(store))
    assert (done.ledger.read, len(done.known)) == (0, 1)
    assert ids(store) == each_once(EVENTS * 2 // 3)


def test_who_commits_on_what_is_no_longer_so_is_refused(logs: Path, store: Path) -> None:
    ingest([str(logs / "a.log")], str(store))
    first, second = Lake.open(str(store)), Lake.open(str(store))
    first.commit(Change())
    with pytest.raises(ConflictError):
        second.commit(Change())
    second.refresh()
    second.commit(Change())


def test_an_ingest_goes_on_when_the_store_was_made_a_second_time(
    logs: Path, store: Path, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that make it at once, the later one may write the same metadata again."""
    commit = Lake.commit
    refused: list[ConflictError] = []

    def late(self: Lake, change: Change) -> None:
        if not refused:
            DeltaTable(str(store)).alter.set_table_properties({"delta.checkpointInterval": "50"})
        try:
            commit(self, change)
        except ConflictError as error:
            refused.append(error)
            raise

    monkeypatch.setattr(Lake, "commit", late)
    ingest([str(logs)], str(store))
    assert len(refused) == 1
    assert ids(store) == each_once()


def test_what_cannot_be_written_leaves_nothing(
    logs: Path, store: Path, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "keep", full)
        with pytest.raises(StoreError, match="No space left") as caught:
            ingest([str(logs)], str(store))
    assert caught.value.hint is not None
    assert not [*store.rglob("*.parquet")]
    ingest([str(logs)], str(store))
    assert ids(store) == each_once()


def test_what_is_done_early_is_committed_in_its_turn(
    logs: Path, store: Path, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step is held up until the second one has written its files."""
    order: list[int] = []
    is_second_written = threading.Event()

    def late(engine: Engine, pieces: Sequence[Piece], folder: Path) -> Landing:
        if pieces[0].first_line == 1 and not order:
            assert is_second_written.wait(60)
        return landing.land(engine, pieces, folder)

    def noted(*arguments: Any, **named: Any) -> list[DataFile]:
        files = writing.write_files(*arguments, **named)
        order.append(sum(each.events for each in files))
        is_second_written.set()
        return files

    monkeypatch.setattr(ingesting, "_STEPS", 2)
    monkeypatch.setattr(ingesting, "_BATCH_BYTES", 1)
    monkeypatch.setattr(ingesting, "land", late)
    monkeypatch.setattr(ingesting, "write_files", noted)
    ingest([str(logs / "a.log")], str(store), piece_bytes=PIECE_BYTES)
    assert ids(store) == each_once(EVENTS * 2 // 3)
    ends = [source["end"] for entry in Lake.open(str(store)).history() for source in entry["sources"]]
    assert len(ends) > 2
    assert ends == sorted(ends)


def test_when_an_earlier_step_fails_a_later_one_leaves_nothing(
    logs: Path, store: Path, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[DataFile] = []
    is_one_written = threading.Event()

    def fails_first(engine: Engine, pieces: Sequence[Piece], folder: Path) -> Landing:
        if pieces[0].first_line == 1:
            assert is_one_written.wait(60)
            raise StoreError("cannot be read")
        return landing.land(engine, pieces, folder)

    def noted(*arguments: Any, **named: Any) -> list[DataFile]:
        files = writing.write_files(*arguments, **named)
        written.extend(files)
        is_one_written.set()
        return files

    with monkeypatch.context() as patched:
        patched.setattr(ingesting, "_STEPS", 2)
        patched.setattr(ingesting, "_BATCH_BYTES", 1)
        patched.setattr(ingesting, "land", fails_first)
        patched.setattr(ingesting, "write_files", noted)
        with pytest.raises(StoreError, match="cannot be read"):
            ingest([str(logs / "a.log")], str(store), piece_bytes=PIECE_BYTES)
    assert written
    assert not [*store.rglob("*.parquet")]
    ingest([str(logs)], str(store))
    assert ids(store) == each_once()


def test_a_reader_sees_a_state_that_was_whatever_is_written_meanwhile(
    logs: Path, store: Path, stored: Callable[..., list[dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingesting, "_BATCH_BYTES", 1)
    ingest([str(logs / "a.log")], str(store), piece_bytes=PIECE_BYTES)
    before = open_snapshot(str(store))
    writer = threading.Thread(target=ingest, args=([str(logs)], str(store)))
    writer.start()
    counts = []
    while writer.is_alive():
        counts.append(len(stored(store, "audit_id")))
    writer.join()
    assert counts == sorted(counts)
    assert set(counts) <= {EVENTS * 2 // 3, EVENTS}
    assert before.events == EVENTS * 2 // 3
