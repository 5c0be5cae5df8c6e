"""Lines of a source and where they stand: the bridge between the engine's records and the user's line numbers.

The engine reads a file of lines without saying which line a row is from, but it keeps their order and skips blank
lines. So the n-th row is the n-th line that is not blank, and a LineMap says which line of which source that is.
"""

from __future__ import annotations

import io
import os
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from mmap import ACCESS_READ, mmap
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# What the engine, too, takes for a blank line (C isspace).
_BLANK = b" \t\r\n\v\f"
_LARGEST_BLANK = 32
_CHUNK_BYTES = 4 << 20
_BUFFER_BYTES = 64 << 10
_NEAR_RECORDS = 100

MAX_LINE_BYTES = 128 << 20
"""Longest line that is kept whole."""

# No event is as short; a line that is may be blank.
_LIKELY_BLANK_BYTES = 16
_LONG_BYTES = 16 << 20
_ORDINARY_FILE_BYTES = 16 << 30

MARK_BYTES = 4 << 10
"""How far apart the places of records are noted: a record is found again by reading on from the last one."""

CUT_LINE_BYTES = 1 << 20
"""What is kept of a longer one: enough to salvage who did what."""


def _counters() -> array[int]:
    return array("Q")


@dataclass(slots=True)
class LineMap:
    """Which line a record is from, and roughly where it stands in its file.

    Attributes:
        records: number of lines that are not blank.
    """

    records: int = 0
    # For each run of blank lines, the records before it, and the blank lines up to its end.
    _runs: array[int] = field(default_factory=_counters)
    _blanks: array[int] = field(default_factory=_counters)
    # Some records, rising, and the offset at which each one's line begins.
    _marked: array[int] = field(default_factory=_counters)
    _offsets: array[int] = field(default_factory=_counters)
    # Where a line has several records, the line of each, from 1.
    _lines: array[int] = field(default_factory=_counters)
    # Where no line is blank or very long, the offset behind every record's line.
    _ends: array[int] = field(default_factory=_counters)

    @classmethod
    def of_lengths(cls, lengths: Iterable[int]) -> LineMap:
        """Where lines of these lengths, newlines included, stand, none of which is blank."""
        ends = array("Q", accumulate(lengths))
        return cls(len(ends), _ends=ends)

    @property
    def is_exact(self) -> bool:
        """Whether `place` tells where the record itself begins, and `end` where it ends."""
        return bool(self._ends)

    def end(self, record: int) -> int:
        """The offset behind a record's line; only when the map is exact."""
        return self._ends[record]

    def bounds(self, first: int, behind: int) -> array[int]:
        """Where each of these records' lines begins, and where the last one ends; only when the map is exact."""
        return self._ends[first - 1 : behind] if first else array("Q", [0]) + self._ends[:behind]

    def line(self, record: int, first_line: int = 1) -> int:
        """Line, from `first_line`, of a record counted from 0."""
        if self._lines:
            return first_line - 1 + self._lines[record]
        run = bisect_right(self._runs, record)
        return first_line + record + (self._blanks[run - 1] if run else 0)

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Yield (record, its line from 0) where records begin that follow each other without blank lines."""
        if not self._runs or self._runs[0]:
            yield 0, 0
        for record, blanks in zip(self._runs, self._blanks, strict=True):
            if record < self.records:
                yield record, record + blanks

    def place(self, record: int) -> tuple[int, int]:
        """A record at or before this one, and the offset at which its line, or a blank one before it, begins."""
        if self._ends:
            return record, self._ends[record - 1] if record else 0
        mark = bisect_right(self._marked, record)
        return (self._marked[mark - 1], self._offsets[mark - 1]) if mark else (0, 0)

    def add_blanks(self, count: int = 1) -> None:
        """Note blank lines after the last record."""
        blanks = self._blanks[-1] + count if self._blanks else count
        if self._runs and self._runs[-1] == self.records:
            self._blanks[-1] = blanks
        else:
            self._runs.append(self.records)
            self._blanks.append(blanks)

    def add(self, line: int) -> None:
        """Note a record on this line, counted from 1; lines do not fall from call to call."""
        if not self._lines:
            next_line = self.records + (self._blanks[-1] if self._blanks else 0) + 1
            if line > next_line:
                self.add_blanks(line - next_line)
            elif line < next_line:
                self._lines = array("Q", map(self.line, range(self.records)))
        if self._lines:
            self._lines.append(line)
        self.records += 1

    def mark(self, offset: int) -> None:
        """Note where the next record begins."""
        self._marked.append(self.records)
        self._offsets.append(offset)


def index_lines(path: str) -> LineMap:
    """Count the lines of a plain file, holding a few MiB of it in memory.

    Raises:
        OSError: the file cannot be read.
    """
    return _index_ordinary(path) or _index_any(path)


def _index_ordinary(path: str) -> LineMap | None:
    """Note where every line ends; None when some may be blank, or when some are very long."""
    size = os.stat(path).st_size  # noqa: PTH116 - paths are text here
    if not size or size > _ORDINARY_FILE_BYTES:
        return None
    with open(path, "rb", buffering=_CHUNK_BYTES // 4) as file:  # noqa: PTH123 - same
        with mmap(file.fileno(), 0, access=ACCESS_READ) as text:
            starts = range(0, size - _LONG_BYTES, _LONG_BYTES)
            if any(text.find(b"\n", start, start + _LONG_BYTES) < 0 for start in starts):
                return None
        lengths = array("Q", map(len, file))
    return LineMap.of_lengths(lengths) if lengths and min(lengths) >= _LIKELY_BLANK_BYTES else None


def _index_any(path: str) -> LineMap:
    counter = _Counter()
    buffer = bytearray(_CHUNK_BYTES)
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - paths are text here
        while size := file.readinto(buffer):
            counter.count(buffer, size)
    return counter.finish()


class _Counter:
    """Counts lines, chunk by chunk."""

    def __init__(self) -> None:
        self._lines = LineMap()
        self._has_content = False  # whether the line that goes on has something in it
        self._offset = 0

    def count(self, chunk: bytearray, size: int) -> None:
        lines, find = self._lines, chunk.find
        end = find(b"\n", 0, size)
        start = end + 1
        if end >= 0:
            self._end_line(chunk, 0, end)
            lines.mark(self._offset + start)
            records = lines.records
            next_mark = start + MARK_BYTES
            while (end := find(b"\n", start, size)) >= 0:
                if start >= next_mark:
                    lines.records = records
                    lines.mark(self._offset + start)
                    next_mark = start + MARK_BYTES
                if chunk[start] > _LARGEST_BLANK:
                    records += 1
                else:
                    lines.records = records
                    self._end_line(chunk, start, end)
                    records = lines.records
                start = end + 1
            lines.records = records
        self._has_content = self._has_content or _has_content(chunk, start, size)
        self._offset += size

    def finish(self) -> LineMap:
        self._lines.records += self._has_content
        return self._lines

    def _end_line(self, chunk: bytearray, start: int, end: int) -> None:
        if self._has_content or _has_content(chunk, start, end):
            self._lines.records += 1
            self._has_content = False
        else:
            self._lines.add_blanks()


def _has_content(text: bytes | bytearray, start: int, end: int) -> bool:
    return start < end and (text[start] > _LARGEST_BLANK or bool(text[start:end].strip(_BLANK)))


def select_lines(path: str, records: Iterable[int], lines: LineMap) -> Iterator[tuple[int, bytes]]:
    """Yield (record, text without newline) of these records of a plain file.

    Args:
        path: the file.
        records: counted from 0, rising.
        lines: where they stand.

    Raises:
        OSError: the file cannot be read. A file that has become shorter ends the yield.
    """
    if lines.is_exact:
        yield from _select_exactly(path, records, lines)
        return
    with io.BufferedReader(io.FileIO(path), _BUFFER_BYTES) as file:
        current = -1
        found = read_lines(file)
        for wanted in records:
            if wanted - current > _NEAR_RECORDS:
                record, offset = lines.place(wanted)
                if record > current:
                    file.seek(offset)
                    current = record - 1
            for _, text in found:
                current += 1
                if current == wanted:
                    yield wanted, text
                    break
            else:
                return


def _select_exactly(path: str, records: Iterable[int], lines: LineMap) -> Iterator[tuple[int, bytes]]:
    with io.FileIO(path) as file:
        descriptor = file.fileno()
        for record in records:
            _, start = lines.place(record)
            length = lines.end(record) - start
            text = os.pread(descriptor, length, start)
            if len(text) < length:
                return
            yield record, text.rstrip(b"\r\n")


def read_lines(stream: io.BufferedReader[Any]) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, text without newline) of every line that is not blank.

    A line above MAX_LINE_BYTES comes as its first CUT_LINE_BYTES: one record that was cut, and no more memory.
    """
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = line[:CUT_LINE_BYTES]
            _skip_line(stream)
        if _has_content(line, 0, len(line)):
            yield number, line.rstrip(b"\r\n")
        elif line == b"\n":
            number += _skip_empty_lines(stream)


def _skip_line(stream: io.BufferedReader[Any]) -> None:
    while rest := stream.readline(1 << 20):
        if rest.endswith(b"\n"):
            return


def _skip_empty_lines(stream: io.BufferedReader[Any]) -> int:
    """Skip the empty lines that stand next, as far as the buffer knows them: a file may have millions."""
    ahead = stream.peek(1)
    count = len(ahead) - len(ahead.lstrip(b"\n"))
    return len(stream.read(count))


@dataclass(slots=True)
class Spool:
    """A part of a stream as a plain file that the engine can open.

    Attributes:
        path: the file; the caller deletes it.
        first_line: line of the source with which it begins.
        lines: where its records stand.
    """

    path: Path
    first_line: int
    lines: LineMap


def spool_lines(lines: Iterable[tuple[int, bytes]], folder: Path, *, part_bytes: int = 256 << 20) -> Iterator[Spool]:
    """Write lines into plain files of about `part_bytes`.

    A file ends before a line that can begin a record, so that an object over several lines stays together; it is never
    longer than twice `part_bytes`, unless by a single line.

    Args:
        lines: number of each, rising, and text without newline; no blank ones.
        folder: for the files.
        part_bytes: size of a file.
    """
    part = 0
    pending: _Part | None = None
    for number, text in lines:
        if pending and (
            pending.size + len(text) >= 2 * part_bytes or (pending.size >= part_bytes and text.startswith(b"{"))
        ):
            yield pending.finish()
            pending = None
        if pending is None:
            pending = _Part(folder / f"part-{part}.ndjson", number)
            part += 1
        pending.add(number, text)
    if pending:
        yield pending.finish()


class _Part:
    def __init__(self, path: Path, first_line: int) -> None:
        self._path = path
        self._first_line = first_line
        self._lines = LineMap()
        self._file: IO[bytes] = path.open("wb", buffering=1 << 20)
        self._marked = 0
        self.size = 0

    def add(self, number: int, text: bytes) -> None:
        lines = self._lines
        if self.size - self._marked >= MARK_BYTES:
            self._marked = self.size
            lines.mark(self.size)
        lines.add(number - self._first_line + 1)
        self._file.write(text)
        self._file.write(b"\n")
        self.size += len(text) + 1

    def finish(self) -> Spool:
        self._file.close()
        return Spool(self._path, self._first_line, self._lines)
