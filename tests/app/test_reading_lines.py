"""Every record keeps its line, however its source is cut, packed, refused by the engine or changed while it is read."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from kubewitness.app import parts, reading
from kubewitness.app.plans import plan_rules
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.query.engine import Engine, EngineError
from kubewitness.sources import lines as source_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Read = Callable[..., Any]
    LineOf = Callable[..., bytes]

FIXTURES = Path(__file__).parent.parent / "fixtures"


def azure(line: bytes) -> bytes:
    return json.dumps({"category": "kube-audit", "properties": {"log": line.decode()}, "resourceId": "/x"}).encode()


@pytest.fixture
def log(line_of: LineOf) -> tuple[bytes, list[int], list[tuple[int, str]]]:
    """A log with everything between its events; lines of its events; lines that are rejected."""
    pretty = json.dumps(json.loads(line_of(5)), indent=1).encode()
    pieces: list[tuple[bytes, str | None]] = [
        (b"\xef\xbb\xbf" + line_of(0) + b"\r", "event"),
        (b"", None),
        (line_of(1), "event"),
        (b" \t", None),
        (b"\r", None),
        (b"garbage", "rejected"),
        (line_of(2) + b"  ", "event"),
        (line_of(3)[:-30], "event"),  # cut
        (line_of(4), "event"),
        *[(line, "event" if number == 0 else None) for number, line in enumerate(pretty.split(b"\n"))],
        (line_of(6), "event"),
        (b"\n\n", None),
        (azure(line_of(7)), "event"),
        (b"[1]", "rejected"),
        *[(line_of(number), "event") for number in range(8, 60)],
    ]
    text, events, rejected, number = b"", [], [], 1
    for line, kind in pieces:
        if kind == "event":
            events.append(number)
        elif kind:
            rejected.append(number)
        text += line + b"\n"
        number += line.count(b"\n") + 1
    return text[:-1], events, [(line, "") for line in rejected]


SIZES = {
    "in a bundle": {},
    "by itself": {"_BUNDLED_BYTES": 0},
    "in pieces": {"_BUNDLED_BYTES": 0, "_PART_BYTES": 3000},
}


@pytest.mark.parametrize("way", SIZES)
@pytest.mark.parametrize("packing", ["none", "gzip", "zstd"])
def test_line_numbers_are_exact(
    read: Read, tmp_path: Path, log: Any, *, way: str, packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SIZES[way].items():
        monkeypatch.setattr(reading, name, value)
    text, events, rejected = log
    pack: dict[str, Callable[[bytes], bytes]] = {
        "none": bytes,
        "gzip": gzip.compress,
        "zstd": zstandard.ZstdCompressor().compress,
    }
    (tmp_path / "audit.log").write_bytes(pack[packing](text))
    seen = read(tmp_path)
    assert seen.lines == events
    assert sorted(set(seen.ids)) == sorted(f"id-{number}" for number in range(60))
    assert [line for line, _ in seen.rejected] == [line for line, _ in rejected]


def test_standard_input_has_the_same_lines(read: Read, log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text, events, _ = log
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(text))))
    seen = read("-")
    assert seen.lines == events
    assert {source for source, _, _ in seen.events} == {"-"}


def test_a_pipe_has_the_same_lines(read: Read, tmp_path: Path, log: Any) -> None:
    text, events, _ = log
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(text,))
    writer.start()
    assert read(tmp_path / "pipe").lines == events
    writer.join()


@pytest.mark.parametrize("bundled", [1 << 20, 0])
def test_many_files_read_together_keep_their_own_lines(
    read: Read, tmp_path: Path, line_of: LineOf, bundled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_BUNDLED_BYTES", bundled)
    expected = []
    for number in range(40):
        good = [b"", line_of(number), b"" if number % 3 else b"nonsense", line_of(number + 100), b"\r"]
        (tmp_path / f"{number:02d}.log").write_bytes(b"\n".join(good) + b"\n" * (number % 2))
        expected += [(f"{number:02d}.log", 2, f"id-{number}"), (f"{number:02d}.log", 4, f"id-{number + 100}")]
    seen = read(tmp_path)
    assert [(Path(name).name, line, event["audit_id"]) for name, line, event in seen.events] == expected
    assert seen.rejected == [(3, "not JSON: expected '{' at character 1")] * 14


@pytest.mark.parametrize(
    "name", ["a[1].log", "w?.log", "s*.log", "~h.log", os.fsdecode(b"caf\xe9.log"), "n\nl.log", "{a,b}.log"]
)
@pytest.mark.parametrize("bundled", [1 << 20, 0])
def test_a_file_of_any_name_is_read(
    read: Read, tmp_path: Path, line_of: LineOf, *, name: str, bundled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_BUNDLED_BYTES", bundled)
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(line_of(0) + b"\n")
    Path("a1.log").write_bytes(line_of(1) + b"\n")
    assert read(name).ids == ["id-0"]
    assert sorted(read(tmp_path).ids) == ["id-0", "id-1"]


def test_empty_sources_have_no_records(read: Read, tmp_path: Path) -> None:
    for name, text in (("a", b""), ("b", b"\n\n"), ("c", b"\xef\xbb\xbf"), ("d", gzip.compress(b"")), ("e", b" ")):
        (tmp_path / name).write_bytes(text)
    seen = read(tmp_path)
    assert (seen.events, seen.rejected, seen.unreadable) == ([], [], {})
    assert len(seen.reading.sources) == 5


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make the engine refuse what has POISON in it, as far as it is not decoded; sizes of what it is asked to read."""
    monkeypatch.setattr(reading, "_SMALL_BYTES", 8_000)
    sizes: list[int] = []
    insert = reading._Reader._insert

    def poisoned(self: reading._Reader, batch: Sequence[parts.Part]) -> None:
        sizes.append(sum(part.size for part in batch))
        if batch[0].source_id is not None and any(b"POISON" in Path(part.path).read_bytes() for part in batch):
            raise EngineError("poison")
        insert(self, batch)

    monkeypatch.setattr(reading._Reader, "_insert", poisoned)
    return sizes


@pytest.mark.parametrize("places", [[0], [700], [1999], [0, 1, 2], [500, 1000, 1500], list(range(0, 2000, 400))])
def test_a_line_that_the_engine_refuses_takes_no_neighbour_with_it(
    read: Read, tmp_path: Path, line_of: LineOf, *, asked: list[int], places: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_BUNDLED_BYTES", 0)
    lines = [line_of(number) for number in range(2000)]
    for place in places:
        lines[place] = line_of(place, requestObject={"data": "POISON" + "x" * 300_000})
    (tmp_path / "audit.log").write_bytes(b"\n\n".join(lines))
    seen = read(tmp_path)
    assert seen.lines == list(range(1, 4001, 2))
    assert seen.ids == [f"id-{number}" for number in range(2000)]
    assert {len(event.get("request_object", "")) for _, _, event in seen.events} == {0, 300_017}
    assert 3 < len(asked) < 50 * len(places)


def test_a_log_full_of_lines_that_the_engine_refuses_is_given_up_early(
    read: Read, tmp_path: Path, line_of: LineOf, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_BUNDLED_BYTES", 0)
    lines = [line_of(number, userAgent="POISON" if number % 10 == 0 else "x") for number in range(3000)]
    (tmp_path / "audit.log").write_bytes(b"\n".join(lines))
    seen = read(tmp_path)
    assert seen.ids == [f"id-{number}" for number in range(3000)]
    assert seen.lines == list(range(1, 3001))
    assert 3 < len(asked) < 100


@pytest.mark.parametrize("bundled", [1 << 20, 0])
def test_one_bad_file_of_many_is_found(
    read: Read, tmp_path: Path, line_of: LineOf, *, asked: list[int], bundled: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_BUNDLED_BYTES", bundled)
    for number in range(60):
        text = line_of(number, userAgent="POISON" if number == 41 else "x") + b"\n" + line_of(number + 100) + b"\n"
        (tmp_path / f"{number:02d}.log").write_bytes(text)
    seen = read(tmp_path)
    assert seen.ids == [f"id-{number + offset}" for number in range(60) for offset in (0, 100)]
    assert seen.lines == [1, 2] * 60
    assert 3 < len(asked) < 30


def test_an_event_that_the_engine_cannot_read_at_all_loses_its_bodies(
    read: Read, tmp_path: Path, line_of: LineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = reading._Reader._insert

    def poisoned(self: reading._Reader, batch: Sequence[parts.Part]) -> None:
        if any(b"POISON" in Path(part.path).read_bytes() for part in batch):
            raise EngineError("poison")
        insert(self, batch)

    monkeypatch.setattr(reading._Reader, "_insert", poisoned)
    body, head = line_of(1, requestObject={"a": "POISON"}), line_of(2, userAgent="POISON")
    (tmp_path / "audit.log").write_bytes(b"\n".join([line_of(0), body, head, line_of(3)]))
    seen = read(tmp_path)
    assert seen.ids == ["id-0", "id-1", "id-3"]
    assert [event["truncated"] for _, _, event in seen.events] == [False, True, False]
    assert seen.rejected == [(3, "too large or too deep to be read")]


def test_a_mistake_in_a_query_is_no_refusal(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    for sql in ("SELECT nothing", "SELECT no_function(1)", "SELEKT 1", "SELECT * FROM nowhere"):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - what matters is what it is not
            engine.run(sql)
        assert not isinstance(caught.value, EngineError)
    engine.close()


def test_an_insert_that_fails_leaves_no_gap_in_the_numbers_of_rows(tmp_path: Path) -> None:
    # The rows of the table are told apart by these numbers: the n-th row is the n-th record.
    engine = Engine(tmp_path, threads=2)
    engine.run("CREATE TABLE t (n BIGINT)")
    expected = 0
    for rows in (3, 200_000, 500_000):
        with pytest.raises(EngineError):
            engine.run(
                "INSERT INTO t SELECT CASE WHEN n = $rows - 1 THEN error('no') ELSE n END FROM range($rows) r(n)",
                {"rows": rows},
            )
        engine.run("INSERT INTO t SELECT n FROM range(10) r(n)")
        expected += 10
        assert engine.run("SELECT max(rowid) + 1, count(*) FROM t") == [(expected, expected)]
    engine.close()


@pytest.fixture
def changing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[Path], object]], None]:
    """A function that has something happen to the files of parts just before or after the engine reads them."""
    monkeypatch.setattr(reading, "_BUNDLED_BYTES", 0)
    insert = reading._Reader._insert

    def change(when: str, what: Callable[[Path], object]) -> None:
        is_done = False

        def changed(self: reading._Reader, batch: Sequence[parts.Part]) -> None:
            nonlocal is_done
            is_first, is_done = not is_done, True
            if is_first and when == "before":
                what(Path(batch[0].path))
            insert(self, batch)
            if is_first and when == "after":
                what(Path(batch[0].path))

        monkeypatch.setattr(reading._Reader, "_insert", changed)
        # Lines are counted when the engine has read them, not at the same time.
        monkeypatch.setattr(ThreadPoolExecutor, "map", lambda _, function, items: map(function, items))

    return change


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("others", [0, 3])
def test_a_log_that_grows_while_it_is_read_gives_what_was_there(
    read: Read, tmp_path: Path, line_of: LineOf, *, changing: Any, when: str, others: int
) -> None:
    for number in range(others):
        (tmp_path / f"b-{number}.log").write_bytes(line_of(100 + number) + b"\n")
    log = tmp_path / "a.log"
    log.write_bytes(b"\n".join([line_of(0), b"", line_of(1), line_of(2)[:50]]))
    rest = line_of(2)[50:] + b"\n" + line_of(3) + b"\n" + line_of(4) + b"\n"

    def grow(path: Path) -> None:
        path.write_bytes(path.read_bytes() + rest)

    changing(when, grow)
    seen = read(tmp_path)
    at_least = ["id-0", "id-1", "id-2"]
    grown = [*at_least, "id-3", "id-4"] if when == "before" else at_least
    assert seen.ids == [*grown, *(f"id-{100 + number}" for number in range(others))]
    assert seen.lines[:3] == [1, 3, 4]
    assert seen.rejected == []


@pytest.mark.parametrize("others", [0, 3])
def test_a_log_that_vanishes_or_shrinks_takes_no_other_with_it(
    read: Read, tmp_path: Path, line_of: LineOf, changing: Any, others: int
) -> None:
    for number in range(others):
        (tmp_path / f"b-{number}.log").write_bytes(line_of(100 + number) + b"\n")
    log = tmp_path / "a.log"
    kept = [f"id-{100 + number}" for number in range(others)]
    for when in ("before", "after"):
        log.write_bytes(line_of(0) + b"\n" + line_of(1) + b"\n")
        changing(when, Path.unlink)
        seen = read(tmp_path)
        assert seen.ids == kept
        assert seen.unreadable == {"a.log": "No such file or directory"}
        log.write_bytes(line_of(0) + b"\n" + line_of(1) + b"\n")
        changing(when, lambda path: path.write_bytes(line_of(0) + b"\n"))
        assert read(tmp_path).ids == ["id-0", *kept]


def test_pieces_that_were_packed_still_give_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_rules()
    shapes = FIXTURES / "shapes"
    names = ["plain.ndjson.gz", "insights-logs-kube-audit", "pretty.json", "cut_16k.ndjson"]
    paths = [str(shapes / name) for name in names]
    plain = scan(paths, plan, ScanOptions(matches=True))
    monkeypatch.setattr(reading, "_BUNDLED_BYTES", 0)
    monkeypatch.setattr(reading, "_PART_BYTES", 4000)
    monkeypatch.setattr(parts, "_PLAIN_BYTES", -1)
    packed = scan(paths, plan, ScanOptions(matches=True))
    assert packed.matches == plain.matches
    assert [alert.explanation for alert in packed.alerts] == [alert.explanation for alert in plain.alerts]
    assert packed.ledger == plain.ledger


def test_a_very_long_line_is_one_record_that_was_cut(
    read: Read, tmp_path: Path, line_of: LineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_lines, "MAX_LINE_BYTES", 200_000)
    monkeypatch.setattr(source_lines, "CUT_LINE_BYTES", 10_000)
    long = line_of(1, requestObject={"data": "x" * 300_000})
    (tmp_path / "audit.log").write_bytes(b"\n".join([line_of(0), long, line_of(2), b"{" * 300_000, line_of(3)]))
    seen = read(tmp_path)
    assert seen.ids == ["id-0", "id-1", "id-2", "id-3"]
    assert [event["partial"] for _, _, event in seen.events] == [False, True, False, False]
    assert [line for line, _ in seen.rejected] == [4]


def test_five_thousand_small_files_take_seconds(read: Read, tmp_path: Path, line_of: LineOf) -> None:
    for number in range(5000):
        name = tmp_path / f"{number % 50}" / f"{number:04d}.json"
        name.parent.mkdir(exist_ok=True)
        text = line_of(number) + b"\n" + line_of(number + 10_000) + b"\n"
        name.write_bytes(gzip.compress(text, 1) if number % 5 == 0 else text)
    began = time.perf_counter()
    seen = read(tmp_path)
    assert time.perf_counter() - began < 20  # two or three on an idle machine
    assert len(seen.events) == 10_000
    assert {name: line for name, line, _ in seen.events} == {source.name: 2 for source in seen.reading.sources}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le with mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_encoding_and_any_end_of_line_is_read(
    read: Read, tmp_path: Path, line_of: LineOf, *, encoding: str, end: str
) -> None:
    text = end.join(line_of(number, userAgent="Zürich").decode() for number in range(5)) + end
    mark, name = ("\ufeff", "utf-16-le") if "mark" in encoding else ("", encoding)
    (tmp_path / "audit.log").write_bytes((mark + text).encode(name))
    seen = read(tmp_path)
    assert seen.ids == [f"id-{number}" for number in range(5)]
    assert {event["user_agent"] for _, _, event in seen.events} == {"Zürich"}
    assert seen.rejected == []
