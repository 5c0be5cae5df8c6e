"""Reading sources into a table: the engine takes whole files, what it cannot place is decoded line by line.

Every record ends in the table, or is counted as other or rejected; nothing is dropped.
"""

from __future__ import annotations

import shutil
import tempfile
from bisect import bisect_right
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kubewitness.decode import (
    Event,
    Layout,
    Other,
    Outcome,
    Rejected,
    canonical_line,
    cluster_from_path,
    decode_csv,
    decode_document,
    decode_lines,
    sniff,
)
from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.model.ledger import Origin, Rejection
from kubewitness.query.engine import DEFAULT_LINE_BYTES, Engine, EngineError
from kubewitness.query.reading import reading_query
from kubewitness.sources import (
    MAX_LINE_BYTES,
    LineMap,
    Source,
    find_sources,
    index_lines,
    open_source,
    read_lines,
    select_lines,
    spool_lines,
)

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Sequence

_SHAPES = {
    Layout.PLAIN_LINES: EngineShape.PLAIN,
    Layout.AZURE_LINES: EngineShape.AZURE,
    Layout.TABLE_LINES: EngineShape.TABLE,
}
_HEAD_BYTES = 64 << 10
_BATCH_FILES = 500
_PART_BYTES = 256 << 20
_KEPT_REJECTIONS = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows go.

    Attributes:
        table: name of an existing table with the columns `source_id`, `record_line` and `outcome` (0 for a row that the
            engine could not place) among those of `select`.
        select: query over `events` or over `above`.
        above: named queries between `events` and `select`.
    """

    table: str
    select: str
    above: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Tally:
    """What was read outside the table, and where the rows of the table are from.

    Attributes:
        sources: every source, by its id.
        clusters: cluster that a source's path names, by its id.
        other: records of another category that were decoded line by line.
        rejected: records that could not be read.
        rejections: the first of them.
        unreadable: sources that could not be opened or read to their end.
        left_out: files that were not read because their names say they are no logs.
        spans: first row of each file that the engine read, rising, with what is needed to name its lines.
    """

    sources: list[Source] = field(default_factory=list)
    clusters: dict[int, str] = field(default_factory=dict)
    other: int = 0
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    unreadable: list[Rejection] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def origin(self, row: int, source_id: int | None, line: int | None) -> Origin:
        """Where the record of a row stands; `source_id` and `line` are its columns, null for rows read by the engine."""
        place, line = self.locate(row, source_id, line)
        return Origin(self.sources[place].name, line)

    def locate(self, row: int, source_id: int | None, line: int | None) -> tuple[int, int]:
        """Source id and line of a row; see `origin`."""
        if source_id is not None:
            return source_id, line or 0
        span = self.spans[bisect_right(self.spans, row, key=lambda item: item.first_row) - 1]
        return span.source_id, span.lines.line(row - span.first_row, span.first_line)

    def cluster_rows(self) -> Iterator[tuple[int, int, str]]:
        """Rows (first, behind the last) that the engine read from sources whose path names a cluster."""
        named = ((span, self.clusters.get(span.source_id)) for span in self.spans)
        for cluster, group in groupby(named, key=lambda item: item[1]):
            if cluster:
                spans = [span for span, _ in group]
                yield spans[0].first_row, spans[-1].first_row + spans[-1].lines.records, cluster


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of one file, in its order.

    Attributes:
        first_row: row of its first record.
        source_id: which source.
        first_line: line of the source with which the file begins.
        lines: where its records stand.
    """

    first_row: int
    source_id: int
    first_line: int
    lines: LineMap


@dataclass(frozen=True, slots=True)
class _Part:
    """A plain file of lines: a source itself, or a piece of one."""

    path: str
    source_id: int
    first_line: int = 1
    lines: LineMap | None = None


def read_sources(engine: Engine, paths: Sequence[str], target: Target) -> Tally:
    """Read everything the paths name into the target's table.

    Nothing is raised for bad input: the tally says what could not be read.
    """
    listing = find_sources(list(paths))
    tally = Tally(sources=listing.sources, unreadable=listing.unreadable, left_out=listing.left_out)
    for source_id, source in enumerate(tally.sources):
        if cluster := cluster_from_path(source.path):
            tally.clusters[source_id] = cluster
    with _scratch() as folder, ThreadPoolExecutor(1) as pool:
        _Reader(engine, target, tally, folder, pool).read_all()
    return tally


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kubewitness-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Reader:
    def __init__(
        self, engine: Engine, target: Target, tally: Tally, folder: Path, pool: ThreadPoolExecutor
    ) -> None:
        self._engine = engine
        self._target = target
        self._tally = tally
        self._folder = folder
        self._pool = pool
        self._spool = _CanonicalSpool(folder / "decoded.ndjson")
        self._line_bytes = DEFAULT_LINE_BYTES

    def read_all(self) -> None:
        batches: dict[EngineShape, list[_Part]] = {}
        for source_id, source in enumerate(self._tally.sources):
            try:
                shape = self._read_or_defer(source_id, source)
            except OSError as error:
                self._tally.unreadable.append(Rejection(error.strerror or str(error), Origin(source.name)))
                continue
            if shape:
                batch = batches.setdefault(shape, [])
                batch.append(_Part(source.path, source_id))
                if len(batch) >= _BATCH_FILES:
                    self._read_parts(shape, batches.pop(shape))
        for shape, batch in batches.items():
            self._read_parts(shape, batch)
        self._flush()

    def _read_or_defer(self, source_id: int, source: Source) -> EngineShape | None:
        """Read a source, or say in which shape the engine can read it together with others."""
        with open_source(source) as (stream, reader):
            layout = sniff(reader.peek(_HEAD_BYTES)[:_HEAD_BYTES])
            shape = _SHAPES.get(layout)
            if shape and source.is_plain_file:
                return shape
            if shape:
                for part in spool_lines(reader, self._folder, part_bytes=_PART_BYTES):
                    self._read_parts(shape, [_Part(str(part.path), source_id, part.first_line, part.lines)])
                    part.path.unlink()
            else:
                self._decode(source_id, decoder(layout, reader))
            if stream.failure:
                self._tally.unreadable.append(Rejection(stream.failure, Origin(source.name)))
        return None

    def _read_parts(self, shape: EngineShape, parts: list[_Part]) -> None:
        """Let the engine read files of one shape; halve the batch when it refuses, decode a single file that it refuses."""
        indexed = self._pool.map(_index, parts)
        first_row = self._next_row()
        try:
            self._insert(shape, [part.path for part in parts])
            maps = list(indexed)
        except EngineError:
            self._read_refused(shape, parts, list(indexed))
            return
        rows = self._next_row() - first_row
        if rows != sum(lines.records for lines in maps):
            # The engine saw other lines than there are: what it read counts for nothing.
            self._engine.run(f"UPDATE {self._target.table} SET outcome = 0 WHERE rowid >= $row", {"row": first_row})  # noqa: S608
            for part in parts:
                self._decode_part(part)
            return
        starts: list[Span] = []
        row = first_row
        for part, lines in zip(parts, maps, strict=True):
            starts.append(Span(row, part.source_id, part.first_line, lines))
            row += lines.records
        self._tally.spans.extend(starts)
        self._decode_misfits(starts, parts)

    def _read_refused(self, shape: EngineShape, parts: list[_Part], maps: list[LineMap]) -> None:
        """Read parts that the engine refused together: half of them, then one by one, with room for long lines."""
        if len(parts) > 1:
            middle = len(parts) // 2
            self._read_parts(shape, parts[:middle])
            self._read_parts(shape, parts[middle:])
        elif self._line_bytes < maps[0].longest < MAX_LINE_BYTES:
            self._line_bytes = maps[0].longest + 1
            self._read_parts(shape, parts)
            self._line_bytes = DEFAULT_LINE_BYTES
        else:
            self._decode_part(parts[0])

    def _insert(self, shape: EngineShape, paths: list[str], line_bytes: int = 0) -> None:
        query = reading_query(
            f"INSERT INTO {self._target.table} BY NAME {self._target.select}",
            shape=shape,
            paths=paths,
            line_bytes=max(line_bytes, self._line_bytes),
            above=self._target.above,
        )
        self._engine.run(query.sql, query.parameters)

    def _next_row(self) -> int:
        ((row,),) = self._engine.run(f"SELECT coalesce(max(rowid) + 1, 0) FROM {self._target.table}")  # noqa: S608
        return int(row)

    def _decode_misfits(self, spans: list[Span], parts: list[_Part]) -> None:
        """Decode the lines that the engine could not place."""
        rows = self._engine.run(
            f"SELECT rowid FROM {self._target.table} WHERE outcome = 0 AND rowid >= $row ORDER BY rowid",  # noqa: S608
            {"row": spans[0].first_row},
        )
        if not rows:
            return
        by_part: dict[int, list[int]] = {}
        for (row,) in rows:
            index = bisect_right(spans, row, key=lambda span: span.first_row) - 1
            by_part.setdefault(index, []).append(row - spans[index].first_row)
        for index, records in by_part.items():
            span = spans[index]
            lines = (
                (span.lines.line(record, span.first_line), text)
                for record, text in select_lines(parts[index].path, records)
            )
            self._decode(span.source_id, decode_lines(lines))

    def _decode_part(self, part: _Part) -> None:
        with open(part.path, "rb", buffering=1 << 20) as file:  # noqa: PTH123 - paths are text here
            lines = ((part.first_line + number - 1, text) for number, text in read_lines(file))
            if part.lines is not None:  # blank lines were left out of the piece
                lines = (
                    (part.lines.line(record, part.first_line), text)
                    for record, (_, text) in enumerate(read_lines(file))
                )
            self._decode(part.source_id, decode_lines(lines))

    def _decode(self, source_id: int, outcomes: Iterable[Outcome]) -> None:
        tally = self._tally
        for outcome in outcomes:
            match outcome:
                case Event():
                    self._spool.add(canonical_line(outcome, source_id))
                    if self._spool.size > _PART_BYTES:
                        self._flush()
                case Other():
                    tally.other += 1
                case Rejected(line=line, reason=reason):
                    tally.rejected += 1
                    if len(tally.rejections) < _KEPT_REJECTIONS:
                        tally.rejections.append(Rejection(reason, Origin(tally.sources[source_id].name, line)))

    def _flush(self) -> None:
        """Hand what was decoded line by line to the engine."""
        if self._spool.size:
            longest = self._spool.finish()
            self._insert(EngineShape.CANONICAL, [str(self._spool.path)], longest + 1)
            self._spool.clear()


class _CanonicalSpool:
    """Events decoded line by line, waiting for the engine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._longest = 0
        self._file: IO[bytes] | None = None

    def add(self, line: bytes) -> None:
        if self._file is None:
            self._file = self.path.open("wb", buffering=1 << 20)
        self._file.write(line)
        self.size += len(line)
        self._longest = max(self._longest, len(line))

    def finish(self) -> int:
        """Close the file and return the bytes of its longest line."""
        if self._file is not None:
            self._file.close()
            self._file = None
        return self._longest

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)
        self.size = 0
        self._longest = 0


def decoder(layout: Layout, reader: io.BufferedReader) -> Iterator[Outcome]:
    """Outcomes of a stream of this layout."""
    match layout:
        case Layout.CSV:
            return decode_csv(reader)
        case Layout.DOCUMENT:
            return decode_document(reader)
        case _:
            return decode_lines(read_lines(reader))


def _index(part: _Part) -> LineMap:
    return part.lines if part.lines is not None else index_lines(part.path)
