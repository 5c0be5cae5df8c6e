"""Which lines become the output of `policy apply`, in their order, cut into tasks of a few MiB."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from kubewitness.decode.engine_shapes import EngineShape

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Iterator, Mapping

    from kubewitness.app.parts import Span
    from kubewitness.app.readings import Reading

_TASK_BYTES = 4 << 20
_NO_EVENTS = re.compile(rb"-+")
_UNWRITTEN = b"NS-"


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines that stand together in a file.

    Attributes:
        path: the file; where it is gone, it is packed in `PATH.zst`.
        shape: of its lines.
        actions: what becomes of each line, one letter of `Action` each.
        record: the first of them, counted from 0 in the file.
        near: a record at or before it, and the offset at which its line, or a blank one before it, begins.
        bounds: where each line begins and where the last one ends; None when that is not known.
    """

    path: str
    shape: EngineShape
    actions: bytes
    record: int
    near: tuple[int, int]
    bounds: array[int] | None


@dataclass(frozen=True, slots=True)
class DecodedRows:
    """Rows of events of one source that were decoded one by one, rising.

    Attributes:
        rows: of the table.
        lines: of the source, on which each event begins.
    """

    rows: array[int]
    lines: array[int]


def tasks(reading: Reading, actions: bytes, decoded: Mapping[int, DecodedRows]) -> Iterator[list[Piece]]:
    """Yield what is to be written: all sources, one after the other, each in the order of its lines.

    Args:
        reading: what was read.
        actions: what becomes of each row, one letter of `Action` each.
        decoded: events that were decoded one by one, by the id of their source.
    """
    task: list[Piece] = []
    size = 0
    for piece, piece_bytes in _Pieces(reading, actions, decoded).of_all_sources():
        task.append(piece)
        size += piece_bytes
        if size >= _TASK_BYTES:
            yield task
            task, size = [], 0
    if task:
        yield task


class _Pieces:
    """Pieces, each with its bytes, about."""

    def __init__(self, reading: Reading, actions: bytes, decoded: Mapping[int, DecodedRows]) -> None:
        self._reading = reading
        self._actions = actions
        self._decoded = decoded
        rows = [span.first_row for span in reading.spans] + [len(actions)]
        self._end_rows = dict(pairwise(rows))

    def of_all_sources(self) -> Iterator[tuple[Piece, int]]:
        spans = self._spans()
        for source_id in range(len(self._reading.sources)):
            own = sorted(spans.get(source_id, ()), key=lambda item: (item.part.first_line, item.first_row))
            decoded = self._decoded.get(source_id)
            at = 0
            for span in own:
                row = span.first_row
                # Events that were decoded one by one stand where the lines do that the engine could not place.
                for gap in _NO_EVENTS.finditer(self._actions, row, self._end_rows[row]) if decoded else ():
                    behind = bisect_right(decoded.lines, span.line(gap.end() - 1), at) if decoded else at
                    if behind > at:
                        yield from self._of_rows(span, row, gap.start())
                        yield from self._of_decoded(decoded, at, behind)
                        at, row = behind, gap.end()
                yield from self._of_rows(span, row, self._end_rows[span.first_row])
            if decoded:
                yield from self._of_decoded(decoded, at, len(decoded.rows))

    def _spans(self) -> dict[int, list[Span]]:
        """The spans of each source's own lines, without those that the engine had to read again in pieces."""
        found: dict[int, list[Span]] = {}
        for span in self._reading.spans:
            rows = self._end_rows[span.first_row] - span.first_row
            is_read_again = (
                rows != span.lines.records and self._actions.count(b"-", span.first_row, span.first_row + rows) == rows
            )
            if span.part.shape is not EngineShape.CANONICAL and not is_read_again:
                found.setdefault(span.part.source_id or 0, []).append(span)
        return found

    def _of_decoded(self, decoded: DecodedRows | None, begin: int, end: int) -> Iterator[tuple[Piece, int]]:
        for first, behind in _runs(decoded.rows[begin:end] if decoded else ()):
            row = first
            while row < behind:
                span = self._reading.span(row)
                until = min(behind, self._end_rows[span.first_row])
                yield from self._of_rows(span, row, until)
                row = until

    def _of_rows(self, span: Span, begin: int, end: int) -> Iterator[tuple[Piece, int]]:
        is_exact = span.part.lines is None and span.lines.is_exact
        each_bytes = max(1, span.part.size // max(span.lines.records, 1))
        step = max(1, _TASK_BYTES // each_bytes)
        for first in range(begin, end, step):
            behind = min(first + step, end)
            actions = self._actions[first:behind]
            if not actions.strip(_UNWRITTEN):
                continue
            record = span.record(first)
            yield (
                Piece(
                    path=span.part.path,
                    shape=span.part.shape,
                    actions=actions,
                    record=record,
                    near=(span.part.places or span.lines).place(record),
                    bounds=span.lines.bounds(record, record + len(actions)) if is_exact else None,
                ),
                each_bytes * len(actions),
            )


def _runs(rows: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The first of rows that follow each other, and the one behind the last."""
    first = behind = -1
    for row in rows:
        if row != behind:
            if behind > first:
                yield first, behind
            first = row
        behind = row + 1
    if behind > first:
        yield first, behind
