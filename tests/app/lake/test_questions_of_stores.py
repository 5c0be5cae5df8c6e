"""What is asked of a store has the answer that its files have, whichever way events are looked up in it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.asking.hunt import hunt
from kubewitness.app.events import Logs
from kubewitness.app.lake import ingest as ingesting
from kubewitness.app.lake import kinds, opening
from kubewitness.app.lake.ingest import ingest
from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.lake.upkeep import compact
from kubewitness.app.policies import recognition
from kubewitness.facts import macros
from kubewitness.query.engine import Engine
from kubewitness.store import relation

if TYPE_CHECKING:
    from collections.abc import Callable

    Line = Callable[..., bytes]

EXAMPLE = str(Path(__file__).resolve().parents[3] / "examples" / "aks-attack")
FILTERS = (
    "",
    "code:403",
    "verb:delete OR verb:create",
    "user:system* NOT user:*node*",
    "user:*a*e* verb:get",
    "ip:203.0.113.0/24",
    "ip:10.0.0.0/8 OR resource:secrets",
    "NOT ip:10.0.0.0/8",
    "groups:system:masters",
    "user_agent:kub*1.3?*",
    "name:*a*b* ip:203.0.113.0/24",
    "ip:192.0.2.0/30",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of several files."""
    folder = str(tmp_path_factory.mktemp("questions") / "lake")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ingesting, "_BATCH_BYTES", 1 << 20)
        ingest([EXAMPLE], folder, is_finished=True, piece_bytes=1 << 20)
    return folder


MOST = 100


def _answer(text: str, logs: Logs) -> tuple[int, Counter[str], list[Any]]:
    found = hunt(text, logs, most=MOST)
    # Of more, those of the last time that is shown are any.
    events = Counter(repr(sorted(event.items())) for event in found.events if found.count <= MOST)
    return found.count, events, [found.first_at, found.last_at]


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """Answers of the files."""
    return {text: _answer(text, Logs(paths=(EXAMPLE,))) for text in FILTERS}


@pytest.mark.parametrize("way", ["as it comes", "kinds always", "kinds never", "files together"])
def test_a_filter_finds_in_a_store_what_it_finds_in_files(
    way: str, store: str, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    match way:
        case "kinds always":
            monkeypatch.setattr(kinds, "_ALIKE", 1)
        case "kinds never":
            monkeypatch.setattr(kinds, "_ALIKE", 10**9)
        case "files together":
            monkeypatch.setattr(kinds, "_ALIKE", 1)
            monkeypatch.setattr(relation, "_FEW_FILES", 0)
    answers = {text: _answer(text, Logs(store=store)) for text in FILTERS}
    assert answers == expected
    assert len({count for count, *_ in answers.values()}) > 5


def test_dear_tests_are_asked_of_one_event_of_each_kind(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, folder = tmp_path / "audit.log", str(tmp_path / "lake")
    log.write_bytes(b"".join(line(number, sourceIPs=[f"192.0.2.{number % 2}"]) for number in range(600)))
    ingest([str(log)], folder)
    asked: list[int] = []
    query = opening.Snapshot.query

    def spy(self: opening.Snapshot, select: str, **options: Any) -> Any:
        if options.get("rows") is not None and "kind" in select:
            asked.append(len(options["rows"]))
        return query(self, select, **options)

    monkeypatch.setattr(opening.Snapshot, "query", spy)
    assert hunt("ip:192.0.2.1/32", Logs(store=folder)).count == 300
    assert asked == [6]  # three users from two addresses


@pytest.mark.parametrize("few", [0, 16])
def test_events_are_looked_up_by_their_rows(
    few: int, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relation, "_FEW_FILES", few)
    snapshot = open_snapshot(store)
    assert len(snapshot.files) > 2
    engine = Engine(tmp_path)
    try:
        engine.run(macros())
        whole = snapshot.query('SELECT "row", audit_id FROM events')
        known = dict(engine.run(whole.sql, whole.parameters))
        wanted = [*known][::7]
        some = snapshot.query('SELECT "row", audit_id FROM events', rows=wanted)
        assert dict(engine.run(some.sql, some.parameters)) == {row: known[row] for row in wanted}
        none = snapshot.query('SELECT "row" FROM events', rows=[])
        assert engine.run(none.sql, none.parameters) == []
    finally:
        engine.close()


def test_how_a_store_was_recorded_is_told_by_files_of_all_its_time(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "lake")
    for day in range(6):
        log = tmp_path / f"{day}.log"
        log.write_bytes(b"".join(line(day * 50_000 + number, verb=f"verb{day}") for number in range(30)))
        ingest([str(log)], folder)
    snapshot = open_snapshot(folder)
    assert {row.verb for row in recognition.recognise_stored(snapshot).rows} == {f"verb{day}" for day in range(6)}
    monkeypatch.setattr(recognition, "_READ_THROUGH", 60)
    assert {row.verb for row in recognition.recognise_stored(snapshot).rows} == {"verb0", "verb2", "verb5"}
    compact(folder)
    assert recognition.recognise_stored(open_snapshot(folder)).read == 180


def test_what_was_seen_in_a_store_is_kept_until_other_files_are_looked_at(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = str(tmp_path / "lake")
    (tmp_path / "a.log").write_bytes(line(1, verb="get"))
    ingest([str(tmp_path / "a.log")], folder)
    seen = recognition.recognise_stored(open_snapshot(folder))
    assert [row.verb for row in seen.rows] == ["get"]
    looked: list[int] = []
    look_at = recognition._look_at

    def spy(snapshot: opening.Snapshot) -> list[recognition.RecordedRow]:
        looked.append(snapshot.events)
        return look_at(snapshot)

    monkeypatch.setattr(recognition, "_look_at", spy)
    assert recognition.recognise_stored(open_snapshot(folder)) == seen
    assert not looked
    for kept in (tmp_path / "cache" / "kubewitness").iterdir():
        kept.write_text("{")
    assert recognition.recognise_stored(open_snapshot(folder)) == seen
    (tmp_path / "b.log").write_bytes(line(2, verb="list"))
    ingest([str(tmp_path / "b.log")], folder)
    assert {row.verb for row in recognition.recognise_stored(open_snapshot(folder)).rows} == {"get", "list"}
    assert looked == [1, 2]
