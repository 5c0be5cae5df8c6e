"""Reading records again: what the events were about that make an alert."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.query.engine import DEFAULT_LINE_BYTES, EngineError
from kubewitness.query.reading import reading_query
from kubewitness.sources import open_source, read_lines, select_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kubewitness.app.reading import Part, Reading, Span
    from kubewitness.query.engine import Engine


class Evidence:
    """Events of a reading, looked up by their rows.

    Args:
        engine: that read them.
        reading: where they are from.
        folder: for temporary files.
    """

    def __init__(self, engine: Engine, reading: Reading, folder: Path) -> None:
        self._engine = engine
        self._reading = reading
        self._file = folder / "evidence.ndjson"

    def events(self, rows: Iterable[int], columns: Sequence[str]) -> dict[int, dict[str, Any]]:
        """Columns of the events table by row.

        Args:
            rows: rows of the table that the reading filled.
            columns: names of columns of the events table.

        Returns:
            Values by name, without those that are null. A row is missing when its source is no longer there.
        """
        found: dict[int, dict[str, Any]] = {}
        spans = ((self._reading.span(row), row) for row in sorted(set(rows)))
        # Parts of one kind are read together: many small files cost as much as one.
        by_part = [(span, [row for _, row in group]) for span, group in groupby(spans, key=lambda item: item[0])]
        by_part.sort(key=lambda item: _kind(item[0].part))
        for _, group in groupby(by_part, key=lambda item: _kind(item[0].part)):
            found |= self._read(list(group), columns)
        return found

    def _read(self, wanted: list[tuple[Span, list[int]]], columns: Sequence[str]) -> dict[int, dict[str, Any]]:
        order: list[int] = []
        longest = DEFAULT_LINE_BYTES
        with self._file.open("wb") as file:
            for span, rows in wanted:
                for row, text in self._texts(span, rows):
                    file.write(text)
                    file.write(b"\n")
                    order.append(row)
                    longest = max(longest, len(text) + 1)
        part = wanted[0][0].part
        query = reading_query(
            "SELECT " + ", ".join(f'"{name}"' for name in columns) + " FROM events",
            shape=part.shape,
            paths=[str(self._file)],
            cluster=part.cluster,
            line_bytes=longest,
        )
        try:
            events = self._engine.rows(query.sql, query.parameters)
        except EngineError:
            return {}
        if len(events) != len(order):
            return {}
        return {
            row: {name: value for name, value in event.items() if value is not None}
            for row, event in zip(order, events, strict=True)
        }

    def _texts(self, span: Span, rows: list[int]) -> Iterator[tuple[int, bytes]]:
        records = [row - span.first_row for row in rows]
        path = Path(span.part.path)
        try:
            if path.exists():
                for record, text in select_lines(str(path), records):
                    yield span.first_row + record, text
            else:
                yield from self._unpacked(span, records)
        except OSError:
            return

    def _unpacked(self, span: Span, records: list[int]) -> Iterator[tuple[int, bytes]]:
        """Lines of a piece that was not kept, out of its source."""
        by_line = {span.lines.line(record, span.part.first_line): record for record in records}
        last = max(by_line)
        with open_source(self._reading.sources[span.part.source_id or 0]) as (_, reader):
            for number, text in read_lines(reader):
                if number in by_line:
                    yield span.first_row + by_line[number], text
                if number >= last:
                    return


def _kind(part: Part) -> tuple[str, str]:
    return part.shape.value, part.cluster or ""
