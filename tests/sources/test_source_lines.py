"""Lines: which line a record is from, found again, and cut into pieces."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.sources import LineMap, index_lines, lines, read_lines, select_lines, spool_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINES = st.lists(
    st.sampled_from([b"", b" ", b"\t\v\f", b"\r", b"a", b" a", b"{}", b"{}\r", b"x" * 40, b"\0", b"\xc2\xa0"]),
    max_size=30,
)
ENDS = st.sampled_from([b"", b"\n", b"\n\n", b"\r\n", b"\n  "])


@pytest.fixture(scope="module", autouse=True)
def small_chunks() -> Iterator[None]:
    """Chunks of a few bytes, so that short texts have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_CHUNK_BYTES", 16)
        patch.setattr(lines, "_NEAR_RECORDS", 2)
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lines") / "audit.log"


def expected_of(text: bytes) -> list[tuple[int, bytes]]:
    """Number and text of every line that is not blank, the slow way."""
    numbered = enumerate(text.split(b"\n"), 1)
    return [(number, line.rstrip(b"\r")) for number, line in numbered if line.strip(b" \t\r\n\v\f")]


def reader(text: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(text), 16)


@settings(max_examples=300, deadline=None)
@given(st.builds(lambda parts, end: b"\n".join(parts) + end, LINES, ENDS))
def test_every_way_to_count_lines_gives_the_same_lines(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    expected = expected_of(text)
    index = index_lines(str(file))
    assert index.records == len(expected)
    assert [index.line(record) for record in range(index.records)] == [number for number, _ in expected]
    assert list(read_lines(reader(text))) == expected
    everything = [(record, line) for record, (_, line) in enumerate(expected)]
    assert list(select_lines(str(file), range(len(expected)), index)) == everything
    assert list(select_lines(str(file), range(0, len(expected), 5), index)) == everything[::5]


@settings(max_examples=200, deadline=None)
@given(st.builds(lambda parts, end: b"\n".join(parts) + end, LINES, ENDS), st.integers(1, 60))
def test_pieces_keep_the_line_numbers_of_their_source(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, part_bytes: int
) -> None:
    pieces = list(spool_lines(read_lines(reader(text)), tmp_path_factory.mktemp("pieces"), part_bytes=part_bytes))
    found = [
        (piece.lines.line(record, piece.first_line), line)
        for piece in pieces
        for record, line in select_lines(str(piece.path), range(piece.lines.records), piece.lines)
    ]
    assert found == expected_of(text)
    sizes = [piece.path.stat().st_size for piece in pieces]
    assert all(size <= 2 * part_bytes or piece.lines.records == 1 for size, piece in zip(sizes, pieces, strict=True))


def test_pieces_end_where_a_record_can_begin(tmp_path: Path) -> None:
    text = b'{"a":1}\n{\n "b":\n 2\n}\n{"c":3}\n'
    pieces = spool_lines(read_lines(reader(text)), tmp_path, part_bytes=12)
    assert [piece.path.read_bytes() for piece in pieces] == [b'{"a":1}\n{\n "b":\n 2\n}\n', b'{"c":3}\n']


def test_a_long_line_is_cut_and_its_neighbours_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    monkeypatch.setattr(lines, "CUT_LINE_BYTES", 4)
    text = b"before\n" + b"x" * 50 + b"\nafter\n0123456789\n0123456789A\nend"
    assert list(read_lines(reader(text))) == [
        (1, b"before"),
        (2, b"xxxx"),
        (3, b"after"),
        (4, b"0123456789"),
        (5, b"0123"),
        (6, b"end"),
    ]


def test_millions_of_empty_lines_cost_neither_memory_nor_time(file: Path) -> None:
    text = b"a\n" + b"\n" * 3_000_000 + b"b\n"
    file.write_bytes(text)
    with io.BufferedReader(io.FileIO(file), 1 << 16) as stream:
        assert list(read_lines(stream)) == [(1, b"a"), (3_000_002, b"b")]
    one_run = LineMap(records=1)
    one_run.add_blanks(3_000_000)
    assert one_run.line(1) == 3_000_002
    assert len(one_run._runs) == 1


@given(st.lists(st.integers(min_value=1, max_value=40), min_size=1).map(sorted))
def test_a_map_tells_the_line_of_each_record_also_of_several_on_one_line(numbers: list[int]) -> None:
    found = LineMap()
    for number in numbers:
        found.add(number)
    assert [found.line(record, 11) for record in range(found.records)] == [number + 10 for number in numbers]


def test_a_file_that_became_shorter_gives_what_is_left(file: Path) -> None:
    file.write_bytes(b"a\nb\nc\nd\n")
    index = index_lines(str(file))
    file.write_bytes(b"a\nb\n")
    assert list(select_lines(str(file), [0, 3], index)) == [(0, b"a")]
