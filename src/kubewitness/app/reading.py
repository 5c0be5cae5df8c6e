"""Reading sources into a table: the engine takes whole files, what it cannot place is decoded line by line.

Every record ends in the table, or is counted as other or rejected; nothing is dropped. Every row of the table can be
read again: it is from a plain file of lines that lasts as long as the reading does.
"""

from __future__ import annotations

from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from kubewitness.decode import (
    Event,
    Layout,
    Other,
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
    STDIN,
    LineMap,
    Source,
    find_sources,
    index_lines,
    keep_stdin,
    open_source,
    read_lines,
    select_lines,
    spool_lines,
)

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from kubewitness.decode import Outcome

_SHAPES = {
    Layout.PLAIN_LINES: EngineShape.PLAIN,
    Layout.AZURE_LINES: EngineShape.AZURE,
    Layout.TABLE_LINES: EngineShape.TABLE,
}
_HEAD_BYTES = 64 << 10
_BATCH_FILES = 500
_PART_BYTES = 256 << 20
_KEPT_REJECTIONS = 1000
_KEPT_BYTES = 2 << 30


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


@dataclass(frozen=True, slots=True)
class Part:
    """A plain file of lines of one shape: a source itself, or a piece of one.

    Attributes:
        path: the file.
        shape: of its lines.
        source_id: which source it is of; None where every line says so itself.
        cluster: name for records that do not say.
        first_line: line of the source with which it begins.
        lines: where its records stand, when that is known already.
    """

    path: str
    shape: EngineShape
    source_id: int | None
    cluster: str | None = None
    first_line: int = 1
    lines: LineMap | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of one part, in its order.

    Attributes:
        first_row: row of its first record.
        part: the file.
        lines: where its records stand.
    """

    first_row: int
    part: Part
    lines: LineMap


@dataclass(slots=True)
class Reading:
    """What was read: what is not in the table, and where the rows of the table are from.

    Attributes:
        sources: every source, by its id.
        other: records of another category that were decoded line by line.
        rejected: records that could not be read.
        rejections: the first of them.
        unreadable: sources that could not be opened or read to their end.
        left_out: files that were not read because their names say they are no logs.
        spans: parts that the engine read, by their first row, rising.
    """

    sources: list[Source] = field(default_factory=list)
    other: int = 0
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    unreadable: list[Rejection] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def span(self, row: int) -> Span:
        """The part that a row is from."""
        return self.spans[bisect_right(self.spans, row, key=lambda item: item.first_row) - 1]

    def origin(self, row: int, source_id: int | None, line: int | None) -> Origin:
        """Where the record of a row stands; `source_id` and `line` are its columns, null where the part knows them."""
        span = self.span(row)
        if source_id is None:
            source_id = span.part.source_id
            line = span.lines.line(row - span.first_row, span.part.first_line)
        return Origin(self.sources[source_id or 0].name, line)


def read_sources(
    engine: Engine, paths: Sequence[str], target: Target, folder: Path, *, cluster: str | None = None
) -> Reading:
    """Read everything the paths name into the target's table.

    Nothing is raised for bad input: the reading says what could not be read.

    Args:
        engine: where the table is.
        paths: files, directories, globs, `-`.
        target: the table and what goes into it.
        folder: for temporary files; must last as long as rows are to be read again.
        cluster: name of the cluster where neither a record nor its path says.
    """
    listing = find_sources(list(paths))
    reading = Reading(unreadable=listing.unreadable, left_out=listing.left_out)
    for source in listing.sources:
        reading.sources.append(keep_stdin(folder) if source.path == STDIN else source)
    with ThreadPoolExecutor(1) as pool:
        _Reader(engine, target, reading, folder, pool, cluster).read_all()
    return reading


def decoder(layout: Layout, reader: io.BufferedReader) -> Iterator[Outcome]:
    """Outcomes of a stream of this layout."""
    match layout:
        case Layout.CSV:
            return decode_csv(reader)
        case Layout.DOCUMENT:
            return decode_document(reader)
        case _:
            return decode_lines(read_lines(reader))


class _Reader:
    def __init__(
        self,
        engine: Engine,
        target: Target,
        reading: Reading,
        folder: Path,
        pool: ThreadPoolExecutor,
        cluster: str | None,
    ) -> None:
        self._engine = engine
        self._target = target
        self._reading = reading
        self._folder = folder
        self._pool = pool
        self._default_cluster = cluster
        self._decoded = 0
        self._kept_bytes = 0
        self._spool = _CanonicalSpool(folder / "decoded-0.ndjson")

    def read_all(self) -> None:
        batches: dict[tuple[EngineShape, str | None], list[Part]] = {}
        for source_id, source in enumerate(self._reading.sources):
            try:
                part = self._read_or_defer(source_id, source)
            except OSError as error:
                reason = error.strerror or str(error)
                self._reading.unreadable.append(Rejection(reason, Origin(source.name)))
                continue
            if part:
                batch = batches.setdefault((part.shape, part.cluster), [])
                batch.append(part)
                if len(batch) >= _BATCH_FILES:
                    self._read_parts(batches.pop((part.shape, part.cluster)))
        for batch in batches.values():
            self._read_parts(batch)
        self._flush()

    def _cluster(self, source_id: int) -> str | None:
        return cluster_from_path(self._reading.sources[source_id].name) or self._default_cluster

    def _read_or_defer(self, source_id: int, source: Source) -> Part | None:
        """Read a source, or return it as a part that the engine can read together with others."""
        cluster = self._cluster(source_id)
        with open_source(source) as (stream, reader):
            layout = sniff(reader.peek(_HEAD_BYTES)[:_HEAD_BYTES])
            shape = _SHAPES.get(layout)
            if shape and source.is_plain_file:
                return Part(source.path, shape, source_id, cluster)
            if shape:
                pieces = self._folder / f"source-{source_id}"
                pieces.mkdir()
                for piece in spool_lines(reader, pieces, part_bytes=_PART_BYTES):
                    part = Part(str(piece.path), shape, source_id, cluster, piece.first_line, piece.lines)
                    self._read_parts([part])
                    self._retire(piece.path)
            else:
                self._decode(source_id, decoder(layout, reader))
            if stream.failure:
                self._reading.unreadable.append(Rejection(stream.failure, Origin(source.name)))
        return None

    def _retire(self, piece: Path) -> None:
        """Keep a piece for reading it again, unless there are too many: then its source is unpacked once more."""
        self._kept_bytes += piece.stat().st_size
        if self._kept_bytes > _KEPT_BYTES:
            piece.unlink()

    def _read_parts(self, parts: list[Part], line_bytes: int = DEFAULT_LINE_BYTES) -> None:
        """Let the engine read parts of one shape and cluster, then decode the lines it could not place."""
        indexed = self._pool.map(_index, parts)
        first_row = self._next_row()
        try:
            self._insert(parts, line_bytes)
        except EngineError:
            self._read_refused(parts, list(indexed), line_bytes)
            return
        maps = list(indexed)
        if self._next_row() - first_row != sum(lines.records for lines in maps):
            # The engine saw other lines than there are: what it read counts for nothing.
            self._engine.run(f"UPDATE {self._target.table} SET outcome = 0 WHERE rowid >= $row", {"row": first_row})  # noqa: S608
            self._reading.spans.append(Span(first_row, parts[0], maps[0]))
            for part in parts:
                self._decode_part(part)
            return
        spans: list[Span] = []
        for part, lines in zip(parts, maps, strict=True):
            spans.append(Span(first_row, part, lines))
            first_row += lines.records
        self._reading.spans.extend(spans)
        if spans:
            self._decode_misfits(spans)

    def _read_refused(self, parts: list[Part], maps: list[LineMap], line_bytes: int) -> None:
        """Read parts that the engine refused together: half of them, then one by one, with room for long lines."""
        longest = maps[0].longest
        if len(parts) > 1:
            middle = len(parts) // 2
            self._read_parts(parts[:middle])
            self._read_parts(parts[middle:])
        elif line_bytes <= longest < MAX_LINE_BYTES:
            self._read_parts(parts, longest + 1)
        else:
            self._decode_part(parts[0])

    def _insert(self, parts: Sequence[Part], line_bytes: int) -> None:
        query = reading_query(
            f"INSERT INTO {self._target.table} BY NAME {self._target.select}",
            shape=parts[0].shape,
            paths=[part.path for part in parts],
            cluster=parts[0].cluster,
            line_bytes=line_bytes,
            above=self._target.above,
        )
        self._engine.run(query.sql, query.parameters)

    def _next_row(self) -> int:
        ((row,),) = self._engine.run(f"SELECT coalesce(max(rowid) + 1, 0) FROM {self._target.table}")  # noqa: S608
        return int(row)

    def _decode_misfits(self, spans: list[Span]) -> None:
        rows = self._engine.run(
            f"SELECT rowid FROM {self._target.table} WHERE outcome = 0 AND rowid >= $row ORDER BY rowid",  # noqa: S608
            {"row": spans[0].first_row},
        )
        by_span: dict[int, list[int]] = {}
        for (row,) in rows:
            index = bisect_right(spans, row, key=lambda span: span.first_row) - 1
            by_span.setdefault(index, []).append(row - spans[index].first_row)
        for index, records in by_span.items():
            span = spans[index]
            lines = (
                (span.lines.line(record, span.part.first_line), text)
                for record, text in select_lines(span.part.path, records)
            )
            self._decode(span.part.source_id or 0, decode_lines(lines))

    def _decode_part(self, part: Part) -> None:
        with open(part.path, "rb", buffering=1 << 20) as file:  # noqa: PTH123 - paths are text here
            lines: Iterable[tuple[int, bytes]] = read_lines(file)
            if part.lines is not None:  # blank lines were left out of a piece
                known = part.lines
                lines = (
                    (known.line(record, part.first_line), text) for record, (_, text) in enumerate(read_lines(file))
                )
            self._decode(part.source_id or 0, decode_lines(lines))

    def _decode(self, source_id: int, outcomes: Iterable[Outcome]) -> None:
        reading = self._reading
        cluster = self._cluster(source_id)
        for outcome in outcomes:
            match outcome:
                case Event():
                    if self._spool.size > _PART_BYTES or (self._spool.size and self._spool.cluster != cluster):
                        self._flush()
                    self._spool.add(canonical_line(outcome, source_id), cluster)
                case Other():
                    reading.other += 1
                case Rejected(line=line, reason=reason):
                    reading.rejected += 1
                    if len(reading.rejections) < _KEPT_REJECTIONS:
                        reading.rejections.append(Rejection(reason, Origin(reading.sources[source_id].name, line)))

    def _flush(self) -> None:
        """Hand what was decoded line by line to the engine."""
        if not self._spool.size:
            return
        lines = self._spool.finish()
        part = Part(str(self._spool.path), EngineShape.CANONICAL, None, self._spool.cluster, lines=lines)
        first_row = self._next_row()
        self._insert([part], lines.longest + 1)
        self._reading.spans.append(Span(first_row, part, lines))
        self._decoded += 1
        self._spool = _CanonicalSpool(self._folder / f"decoded-{self._decoded}.ndjson")


class _CanonicalSpool:
    """Events decoded line by line, waiting for the engine; all of one default cluster."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.cluster: str | None = None
        self._lines = LineMap()
        self._file: IO[bytes] | None = None

    def add(self, line: bytes, cluster: str | None) -> None:
        if self._file is None:
            self._file = self.path.open("wb", buffering=1 << 20)
            self.cluster = cluster
        self._file.write(line)
        self.size += len(line)
        self._lines.records += 1
        self._lines.longest = max(self._lines.longest, len(line))

    def finish(self) -> LineMap:
        if self._file is not None:
            self._file.close()
        return self._lines


def _index(part: Part) -> LineMap:
    return part.lines if part.lines is not None else index_lines(part.path)

