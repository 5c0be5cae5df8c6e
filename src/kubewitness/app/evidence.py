"""Reading records again: what the events were about that make an alert."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any

from kubewitness.app.parts import read_rows
from kubewitness.query.engine import EngineError
from kubewitness.query.reading import reading_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from kubewitness.app.parts import Part, Span
    from kubewitness.app.readings import Reading
    from kubewitness.decode.engine_shapes import EngineShape
    from kubewitness.query.engine import Engine
    from kubewitness.query.reading import ReadingQuery

    Rows = list[tuple[Span, list[int]]]


_FILE_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class Copied:
    """Lines copied into files.

    Attributes:
        paths: the files; the next copy replaces them.
        shape: of the lines.
        cluster: name for records that do not say.
        rows: row of each line, in their order.
        longest: bytes of the longest line.
    """

    paths: list[str]
    shape: EngineShape
    cluster: str | None
    rows: list[int]
    longest: int

    def query(self, select: str, above: Sequence[tuple[str, str]] = ()) -> ReadingQuery:
        """A query over the events of these lines."""
        return reading_query(
            select,
            shape=self.shape,
            paths=self.paths,
            cluster=self.cluster,
            line_bytes=self.longest,
            above=above,
        )


class _Copier:
    """Writes lines into small files: the engine reads several at once, and makes facts of few long lines at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room = 0
        self._file: IO[bytes] | None = None
        self.paths: list[str] = []
        self.longest = 0

    def __enter__(self) -> None:
        self._open()

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def add(self, text: bytes) -> None:
        if self._room <= 0:
            self._open()
        assert self._file is not None  # noqa: S101 - just opened
        self._file.write(text)
        self._file.write(b"\n")
        self._room -= len(text) + 1
        self.longest = max(self.longest, len(text) + 1)

    def _open(self) -> None:
        if self._file:
            self._file.close()
        path = self._folder / f"{len(self.paths)}.ndjson"
        self._file = path.open("wb", buffering=1 << 20)
        self._room = _FILE_BYTES
        self.paths.append(str(path))


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
        self._folder = folder / "evidence"

    def events(self, rows: Iterable[int], columns: Sequence[str]) -> dict[int, dict[str, Any]]:
        """Columns of the events table by row.

        Args:
            rows: rows of the table that the reading filled.
            columns: names of columns of the events table.

        Returns:
            Values by name, without those that are null. A row is missing when its source is no longer there.
        """
        return self.values(rows, {f'"{name}"': f'"{name}"' for name in columns})

    def values(self, rows: Iterable[int], wanted: Mapping[str, str]) -> dict[int, dict[str, Any]]:
        """Values of expressions over the events table by row, as `events` gives columns.

        Args:
            rows: rows of the table that the reading filled.
            wanted: SQL by name.
        """
        listed = ", ".join(f"{sql} AS {name}" for name, sql in wanted.items())
        found: dict[int, dict[str, Any]] = {}
        for group in self.alike(sorted(set(rows))):
            found |= self._read(group, listed)
        return found

    def alike(self, rows: Iterable[int]) -> list[Rows]:
        """Rising rows by the shape and cluster of their parts: what can be read together, however many files it is."""
        by_span = [(span, list(members)) for span, members in groupby(rows, key=self._reading.span)]
        by_span.sort(key=lambda item: _kind(item[0].part))
        return [list(group) for _, group in groupby(by_span, key=lambda item: _kind(item[0].part))]

    def copy(self, wanted: Rows) -> Copied:
        """Copy the lines of these rows, which are of one shape and cluster, into files of their own.

        Lines of a source that is gone are missing.
        """
        self._folder.mkdir(exist_ok=True)
        copier = _Copier(self._folder)
        order: list[int] = []
        with copier:
            for row, text in read_rows(wanted):
                copier.add(text)
                order.append(row)
        part = wanted[0][0].part
        return Copied(copier.paths, part.shape, part.cluster, order, copier.longest)

    def _read(self, wanted: Rows, listed: str) -> dict[int, dict[str, Any]]:
        copied = self.copy(wanted)
        query = copied.query(f"SELECT {listed} FROM events")  # noqa: S608 - names of columns and facts about them
        try:
            events = self._engine.rows(query.sql, query.parameters)
        except EngineError:
            events = []
        if len(events) != len(copied.rows):
            # A single row that cannot be read is missing.
            return {row: event for half in halves(wanted) for row, event in self._read(half, listed).items()}
        return {
            row: {name: value for name, value in event.items() if value is not None}
            for row, event in zip(copied.rows, events, strict=True)
        }


def halves(wanted: Rows) -> list[Rows]:
    """Rows of spans in two halves; none of a single row."""
    if len(wanted) > 1:
        middle = len(wanted) // 2
        return [wanted[:middle], wanted[middle:]]
    ((span, rows),) = wanted
    middle = len(rows) // 2
    return [[(span, rows[:middle])], [(span, rows[middle:])]] if middle else []


def _kind(part: Part) -> tuple[str, str]:
    return part.shape.value, part.cluster or ""
