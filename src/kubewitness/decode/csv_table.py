"""Decode CSV: exports of Log Analytics and Sentinel, and of indexes.

One row is a record. Log Analytics writes dynamic columns as JSON text; CloudWatch, Splunk, Kibana and Grafana have the
event as text in one column.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from itertools import chain, islice
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from kubewitness.decode.columns import column_name
from kubewitness.decode.outcome import Outcome, Rejected
from kubewitness.decode.reading import decode_text
from kubewitness.decode.record import Envelope
from kubewitness.decode.times import is_day_first, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    _Row = tuple[dict[str, str], Envelope] | Rejected

_MAX_CELL_BYTES = 128 * 1024 * 1024
_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DELIMITERS = (",", ";", "\t")
_SEPARATOR = re.compile(r"\ufeff?sep=[,;\t]\r?\n?\Z")
_QUOTED_EVENT = re.compile(r'"\s*\{\s*""[^{}]*(?:""auditID""|audit\.k8s\.io/)')
_NAMES = re.compile(r'(?:"?@?\w[\w .@:()\[\]-]*"?[,;\t]?)+')
_TIMES = frozenset({"timegenerated", "requestreceivedtime", "stagereceivedtime"})
_ROWS_TO_LOOK_AT = 1000
_KNOWN = frozenset({"timegenerated", "log_s", "auditid", "requesturi", "category", "tenantid", "_resourceid", "verb"})


def is_csv(line: str, following: str) -> bool:
    """Whether a file that begins with two lines is CSV.

    That is when the first names columns of a Log Analytics export, at least two that are known; and when it names
    any, and in the second an audit event stands in quotes. A line that only says what separates may come before.
    """
    return _SEPARATOR.match(line) is not None or _delimiter(line) is not None or _is_row(line, following)


def decode_csv(stream: BinaryIO) -> Iterator[Outcome]:
    """Decode a CSV export.

    Args:
        stream: bytes, decompressed: a header line, then rows. UTF-8, or UTF-16 with a byte order mark;
            separated by comma, semicolon or tab.

    Yields:
        The outcomes of every row, with the line it begins on. A file cut within a quoted cell gives a cut
        row. Raises only what reading the stream raises.
    """
    head = stream.read(2)
    encoding = "utf-16" if head in _BOMS else "utf-8-sig"
    text = io.TextIOWrapper(io.BufferedReader(_Prefixed(head, stream)), encoding=encoding, errors="replace", newline="")
    csv.field_size_limit(_MAX_CELL_BYTES)
    lines = _CountedLines(text)
    header_line = next(lines, "")
    if _SEPARATOR.match(header_line):
        header_line = next(lines, "")
    delimiter = _delimiter(header_line) or max(_DELIMITERS, key=header_line.count)
    header = next(csv.reader([header_line], delimiter=delimiter), [])
    names = [name.strip().partition(" [")[0] for name in header]
    yield from _decode_rows(names, lines, delimiter)


def _decode_rows(names: list[str], lines: _CountedLines, delimiter: str) -> Iterator[Outcome]:
    """Decode the rows after the header; the first ones are held until it is known how they write days."""
    rows = _rows(names, lines, delimiter)
    held = list(islice(rows, _ROWS_TO_LOOK_AT))
    day_first = _is_day_first(held)
    for row in chain(held, rows):
        yield from _decode_row(row, day_first=day_first)


def _rows(names: list[str], lines: _CountedLines, delimiter: str) -> Iterator[_Row]:
    rows = csv.reader(lines, delimiter=delimiter)
    while True:
        begin = lines.number + 1
        lines.is_open = False
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Rejected(begin, f"not CSV: {error}")
            continue
        if any(cell.strip() for cell in row):
            cells = {name: cell for name, cell in zip(names, row, strict=False) if cell}
            yield cells, Envelope(begin, cut=lines.is_open or len(row) < len(names))


def _is_day_first(rows: list[_Row]) -> bool:
    found = (row for row in rows if not isinstance(row, Rejected))
    return is_day_first(cell for cells, _ in found for name, cell in cells.items() if name.lower() in _TIMES)


def _decode_row(row: _Row, *, day_first: bool) -> Iterator[Outcome]:
    if isinstance(row, Rejected):
        yield row
        return
    cells, envelope = row
    if day_first:
        cells = {
            name: (rfc3339(cell, day_first=True) or cell) if name.lower() in _TIMES else cell
            for name, cell in cells.items()
        }
    yield from decode_text(msgspec.json.encode(cells), envelope)


def _is_row(header: str, row: str) -> bool:
    """Whether a line holds an audit event in quotes, and the one before it could be the names of columns."""
    return _QUOTED_EVENT.search(row) is not None and _NAMES.fullmatch(header.strip("\ufeff\r\n")) is not None


def _delimiter(header: str) -> str | None:
    for delimiter in _DELIMITERS:
        names = {column_name(cell.strip().strip('"')) for cell in header.split(delimiter)}
        if len(names & _KNOWN) > 1:
            return delimiter
    return None


class _CountedLines:
    """Lines of text, with the number of the last one and whether it ended within quotes."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.number = 0
        self.is_open = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self.number += 1
        self.is_open ^= line.count('"') % 2 == 1
        return line


class _Prefixed(io.RawIOBase):
    """A stream with the bytes put back that were read from it to see what it is."""

    def __init__(self, prefix: bytes, stream: BinaryIO) -> None:
        super().__init__()
        self._prefix = prefix
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._prefix or self._stream.read(len(buffer))
        self._prefix = b""
        buffer[: len(data)] = data
        return len(data)
