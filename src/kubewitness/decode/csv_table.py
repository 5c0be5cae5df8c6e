"""Decode the CSV exports of Log Analytics and Sentinel: one row a record, dynamic columns as JSON text."""

from __future__ import annotations

import codecs
import csv
import io
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from kubewitness.decode.columns import column_name
from kubewitness.decode.outcome import Outcome, Rejected
from kubewitness.decode.reading import decode_text
from kubewitness.decode.record import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_CELL_BYTES = 128 * 1024 * 1024
_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DELIMITERS = (",", ";", "\t")
_KNOWN = frozenset({"timegenerated", "log_s", "auditid", "requesturi", "category", "tenantid", "_resourceid", "verb"})


def is_csv_header(line: str) -> bool:
    """Whether a line names columns of a Log Analytics export: at least two that are known."""
    return _delimiter(line) is not None


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
    header = next(csv.reader([header_line], delimiter=_delimiter(header_line) or ","), [])
    names = [name.strip().partition(" [")[0] for name in header]
    rows = csv.reader(lines, delimiter=_delimiter(header_line) or ",")
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
            yield from _decode_row(names, row, Envelope(begin, cut=lines.is_open or len(row) < len(names)))


def _decode_row(names: list[str], row: list[str], envelope: Envelope) -> Iterator[Outcome]:
    cells = {name: cell for name, cell in zip(names, row, strict=False) if cell}
    yield from decode_text(msgspec.json.encode(cells), envelope)


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
