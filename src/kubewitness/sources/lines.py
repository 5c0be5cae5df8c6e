"""Lines of a source and where they stand: the bridge between the engine's records and the user's line numbers.

The engine reads a file of lines without saying which line a row is from, but it keeps their order and skips blank
lines. So the n-th row is the n-th line that is not blank, and a LineMap says which line of which source that is.
"""

from __future__ import annotations

import mmap
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator

# What the engine, too, takes for a blank line (C isspace).
_BLANK = b" \t\r\n\v\f"

MAX_LINE_BYTES = 128 << 20
"""Longest line that is kept whole."""

CUT_LINE_BYTES = 1 << 20
"""What is kept of a longer one: enough to salvage who did what."""


@dataclass(slots=True)
class LineMap:
    """Which line a record is from.

    Attributes:
        records: number of lines that are not blank.
        longest: bytes of the longest line.
        blanks: for each blank line, the number of records before it, rising.
    """

    records: int = 0
    longest: int = 0
    blanks: list[int] = field(default_factory=list)

    def line(self, record: int, first_line: int = 1) -> int:
        """Line, from `first_line`, of a record counted from 0."""
        return first_line + record + bisect_right(self.blanks, record)


def index_lines(path: str) -> LineMap:
    """Count the lines of a plain file, without holding it in memory.

    Raises:
        OSError: the file cannot be read.
    """
    result = LineMap()
    with Path(path).open("rb") as file:
        size = file.seek(0, 2)
        if size == 0:
            return result
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            for start, end in _spans(text, size):
                length = end - start
                # A short line may be blank; a long one is looked at only when it begins like one.
                if text[start] <= 32 and not text[start:end].strip(_BLANK) if length else True:  # noqa: PLR2004
                    result.blanks.append(result.records)
                else:
                    result.records += 1
                    result.longest = max(result.longest, length)
    return result


def _spans(text: mmap.mmap, size: int) -> Iterator[tuple[int, int]]:
    find = text.find
    start = 0
    while (end := find(b"\n", start)) >= 0:
        yield start, end
        start = end + 1
    if start < size:
        yield start, size


def select_lines(path: str, records: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Yield (record, text without newline) for these records of a plain file, counted from 0, rising."""
    wanted = iter(records)
    target = next(wanted, None)
    if target is None:
        return
    with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        record = -1
        for start, end in _spans(text, len(text)):
            if start == end or (text[start] <= 32 and not text[start:end].strip(_BLANK)):  # noqa: PLR2004
                continue
            record += 1
            if record == target:
                yield record, text[start : min(end, start + MAX_LINE_BYTES)]
                target = next(wanted, None)
                if target is None:
                    return


def read_lines(stream: io.BufferedReader) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, text without newline) of every line that is not blank.

    A line above MAX_LINE_BYTES comes as its first CUT_LINE_BYTES: one record that was cut, and no more memory.
    """
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = line[:CUT_LINE_BYTES]
            _skip_line(stream)
        text = line.rstrip(b"\r\n")
        if text.strip(_BLANK):
            yield number, text


def _skip_line(stream: io.BufferedReader) -> None:
    while rest := stream.readline(1 << 20):
        if rest.endswith(b"\n"):
            return


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


def spool_lines(stream: io.BufferedReader, folder: Path, *, part_bytes: int = 256 << 20) -> Iterator[Spool]:
    """Cut a stream into plain files of about `part_bytes`, at ends of lines. Blank lines are left out."""
    part = 0
    pending = _Part(folder / f"part-{part}.ndjson", 1)
    number = 0
    for number, text in read_lines(stream):
        if pending.size >= part_bytes:
            yield pending.finish()
            part += 1
            pending = _Part(folder / f"part-{part}.ndjson", number)
        pending.add(number, text)
    yield pending.finish()


class _Part:
    def __init__(self, path: Path, first_line: int) -> None:
        self._path = path
        self._first_line = first_line
        self._next_line = first_line
        self._lines = LineMap()
        self._file: IO[bytes] = path.open("wb", buffering=1 << 20)
        self.size = 0

    def add(self, number: int, text: bytes) -> None:
        lines = self._lines
        if number != self._next_line:
            lines.blanks.extend([lines.records] * (number - self._next_line))
        self._next_line = number + 1
        lines.records += 1
        lines.longest = max(lines.longest, len(text))
        self._file.write(text)
        self._file.write(b"\n")
        self.size += len(text) + 1

    def finish(self) -> Spool:
        self._file.close()
        return Spool(self._path, self._first_line, self._lines)
