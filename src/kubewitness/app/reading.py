"""Reading sources into a table: the engine takes whole files, what it cannot place is decoded line by line.

Every record ends in the table, or is counted as other or rejected; nothing is dropped. Every row of the table can be
read again: it is from a plain file of lines that lasts as long as the reading does.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from kubewitness.app.parts import Bundle, EventSpool, Part, Shelf, Span, read_rows
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
    origin_of_line,
    sniff,
    split_messages,
    without_bodies,
)
from kubewitness.decode.engine_shapes import Depth, EngineShape
from kubewitness.model.errors import UnreadableError
from kubewitness.model.ledger import Origin, Rejection
from kubewitness.query.engine import Engine, EngineError
from kubewitness.query.reading import reading_query
from kubewitness.sources import Source, find_sources, open_source, read_lines, spool_lines

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kubewitness.app.readings import Reading
    from kubewitness.decode import Outcome
    from kubewitness.sources import LineMap

_SHAPES = {
    Layout.PLAIN_LINES: EngineShape.PLAIN,
    Layout.AZURE_LINES: EngineShape.AZURE,
    Layout.TABLE_LINES: EngineShape.TABLE,
    Layout.MESSAGE_LINES: EngineShape.AZURE,
}
_HEAD_BYTES = 64 << 10
_BATCH_FILES = 500
_PART_BYTES = 256 << 20
_BUNDLED_BYTES = 1 << 20
"""Sources up to this size are read together, in one file."""
_SMALL_BYTES = 2 << 20
"""What the engine refuses is cut until a piece is smaller; that is decoded line by line."""
_TRIED = 4
"""How many of the pieces are tried before the others are decoded line by line when most are refused."""
_KEPT_REJECTIONS = 1000
_PAGE_ROWS = 100_000

_Kind = tuple[EngineShape, str | None]


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows go.

    Attributes:
        table: name of an existing table with the columns `source_id`, `record_line` and `outcome` (0 for a row that the
            engine could not place) among those of `select`.
        select: query over `events` or over `above`.
        above: named queries between `events` and `select`.
        depth: how much of each record is read.
        as_written: whether what is decoded line by line keeps, beside its event, the text it was written as.
    """

    table: str
    select: str
    above: tuple[tuple[str, str], ...] = ()
    depth: Depth = Depth.WHOLE
    as_written: bool = False


def read_sources(
    engine: Engine,
    paths: Sequence[str],
    target: Target,
    folder: Path,
    reading: Reading,
    *,
    cluster: str | None = None,
    then: Callable[[Sequence[Span]], None] | None = None,
    indexes: Mapping[str, LineMap] | None = None,
) -> None:
    """Read everything the paths name into the target's table.

    Nothing is raised for bad input: the reading says what could not be read.

    Args:
        engine: where the table is.
        paths: files, directories, globs, `-`.
        target: the table and what goes into it.
        folder: for temporary files; must last as long as rows are to be read again.
        reading: takes what there is to know of what was read.
        cluster: name of the cluster where neither a record nor its path says.
        then: called with the parts whose rows have just got into the table, while their files are there.
        indexes: where the lines of plain files stand, by path, as far as it is known.
    """
    listing = find_sources(list(paths))
    reading.unreadable += listing.unreadable
    reading.left_out += listing.left_out
    reading.sources += listing.sources
    with ThreadPoolExecutor(1) as pool:
        _Reader(
            engine, target, reading, folder, pool=pool, cluster=cluster, then=then, indexes=indexes or {}
        ).read_all()


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
        *,
        pool: ThreadPoolExecutor,
        cluster: str | None,
        then: Callable[[Sequence[Span]], None] | None,
        indexes: Mapping[str, LineMap],
    ) -> None:
        self._then = then
        self._indexes = indexes
        self._engine = engine
        self._target = target
        self._reading = reading
        self._folder = folder
        self._pool = pool
        self._shelf = Shelf(folder, pool)
        self._default_cluster = cluster
        self._batches: dict[_Kind, list[Part]] = {}
        self._bundles: dict[_Kind, Bundle] = {}
        self._spooled = 0
        self._spool = EventSpool(folder / "decoded-0.ndjson")

    def read_all(self) -> None:
        for source_id, source in enumerate(self._reading.sources):
            try:
                self._read_source(source_id, source)
            except (OSError, UnreadableError) as error:
                self._note_unreadable(source_id, error)
        for parts in self._batches.values():
            self._read(parts)
        for bundle in self._bundles.values():
            self._read_bundle(bundle)
        self._flush()
        self._shelf.finish()

    def _note_unreadable(self, source_id: int, error: OSError | UnreadableError) -> None:
        reason = error.message if isinstance(error, UnreadableError) else error.strerror or str(error)
        self._reading.unreadable.append(Rejection(reason, Origin(self._reading.sources[source_id].name)))

    def _cluster(self, source_id: int) -> str | None:
        return cluster_from_path(self._reading.sources[source_id].name) or self._default_cluster

    def _read_source(self, source_id: int, source: Source) -> None:
        """Read a source, or put it with others that the engine can read together with it."""
        cluster = self._cluster(source_id)
        with open_source(source) as (stream, reader):
            known = reader.peek(_SMALL_BYTES)
            layout = sniff(known[:_HEAD_BYTES])
            shape = _SHAPES.get(layout)
            lines = read_lines(reader)
            if is_split := layout is Layout.MESSAGE_LINES:
                lines = split_messages(lines)
            if shape is None:
                self._decode(source_id, decoder(layout, reader))
            elif stream.is_at_end and len(known) <= _BUNDLED_BYTES:
                self._add_to_bundle((shape, cluster), source_id, lines)
            elif source.is_plain_file and not is_split:
                index = self._indexes.get(source.path)
                self._add_to_batch((shape, cluster), Part(source.path, shape, source_id, cluster, lines=index))
            else:
                for piece in spool_lines(lines, self._shelf.folder(), part_bytes=_PART_BYTES):
                    self._read([Part(str(piece.path), shape, source_id, cluster, piece.first_line, piece.lines)])
                    self._shelf.keep(piece.path)
            if stream.failure:
                self._reading.unreadable.append(Rejection(stream.failure, Origin(source.name)))

    def _add_to_batch(self, kind: _Kind, part: Part) -> None:
        batch = self._batches.setdefault(kind, [])
        batch.append(part)
        if len(batch) >= _BATCH_FILES:
            self._read(self._batches.pop(kind))

    def _add_to_bundle(self, kind: _Kind, source_id: int, lines: Iterable[tuple[int, bytes]]) -> None:
        if kind not in self._bundles:
            self._bundles[kind] = self._shelf.bundle(*kind)
        self._bundles[kind].add(source_id, lines)
        if self._bundles[kind].size > _PART_BYTES:
            self._read_bundle(self._bundles.pop(kind))

    def _read_bundle(self, bundle: Bundle) -> bool:
        bundle.close()
        is_whole = self._read(bundle.parts)
        self._shelf.keep(bundle.path)
        return is_whole

    def _read(self, parts: Sequence[Part]) -> bool:
        """Read parts of one shape and cluster; False when the engine had to be given less at a time."""
        indexed = self._pool.map(Part.index, parts)
        first_row = self._next_row()
        try:
            self._insert(parts)
        except EngineError:
            rows = -1
        else:
            rows = self._next_row() - first_row
        counts = self._counts(parts, list(indexed), rows)
        if counts is None:
            if rows > 0:  # The engine saw other lines than there are: what it read counts for nothing.
                table = self._target.table
                self._engine.run(f"UPDATE {table} SET outcome = 0 WHERE rowid >= $row", {"row": first_row})  # noqa: S608
                self._reading.spans.append(Span(first_row, parts[0], parts[0].index()))
            self._read_less(parts)
            return False
        spans: list[Span] = []
        row = first_row
        for part, (lines, count) in zip(parts, counts, strict=True):
            spans.append(Span(row, part, lines))
            row += count
        self._reading.spans.extend(spans)
        if self._then:
            self._then(spans)
        for span, misfits in groupby(self._misfits(first_row, row), key=self._reading.span):
            self._decode_misfits(span, misfits)
        return True

    def _insert(self, parts: Sequence[Part]) -> None:
        query = reading_query(
            f"INSERT INTO {self._target.table} BY NAME {self._target.select}",
            shape=parts[0].shape,
            paths=list(dict.fromkeys(part.path for part in parts)),
            cluster=parts[0].cluster,
            line_bytes=parts[0].size if len(parts) == 1 and parts[0].lines and parts[0].lines.records == 1 else 0,
            above=self._target.above,
            depth=self._target.depth,
        )
        self._engine.run(query.sql, query.parameters)

    def _next_row(self) -> int:
        ((row,),) = self._engine.run(f"SELECT coalesce(max(rowid) + 1, 0) FROM {self._target.table}")  # noqa: S608
        return int(row)

    def _counts(self, parts: Sequence[Part], maps: list[LineMap], rows: int) -> list[tuple[LineMap, int]] | None:
        """Where the records of each part stand, and how many rows it gave; None when nobody can say."""
        if rows < 0:
            return None
        counts = [(lines, lines.records) for lines in maps]
        excess = rows - sum(lines.records for lines in maps)
        if excess == 0:
            return counts
        # A log that was written to in the meantime has more lines by now than the engine saw, or than were counted.
        changed = [index for index, part in enumerate(parts) if self._has_changed(part)]
        if len(changed) != 1:
            return None
        (index,) = changed
        lines = parts[index].index() if excess > 0 else maps[index]
        count = maps[index].records + excess
        if not 0 <= count <= lines.records:
            return None
        counts[index] = (lines, count)
        return counts

    def _has_changed(self, part: Part) -> bool:
        return part.lines is None and part.size != self._reading.sources[part.source_id or 0].size

    def _read_less(self, parts: Sequence[Part]) -> None:
        """Read parts that the engine refused: fewer of them, then pieces, then line by line."""
        try:
            if len(parts) > 1:
                step = -(-len(parts) // 16)
                self._read_each(parts[at : at + step] for at in range(0, len(parts), step))
            elif parts[0].shape is EngineShape.CANONICAL:
                self._read_less_of_events(parts[0])
            elif parts[0].size > _SMALL_BYTES and parts[0].index().records > 1:
                self._read_each([piece] for piece in self._shelf.split(parts[0], _SMALL_BYTES // 4))
            else:
                self._decode(parts[0].source_id or 0, decode_lines(parts[0].read()))
        except OSError as error:
            self._note_unreadable(parts[0].source_id or 0, error)

    def _read_each(self, batches: Iterable[Sequence[Part]]) -> None:
        refused = 0
        for tried, parts in enumerate(batches):
            is_hopeless = refused >= _TRIED and refused * 2 > tried
            if is_hopeless or (len(parts) == 1 and parts[0].size <= _SMALL_BYTES and parts[0].places):
                for part in parts:
                    self._decode(part.source_id or 0, decode_lines(part.read()))
            else:
                refused += not self._read_again(parts)

    def _read_again(self, parts: Sequence[Part]) -> bool:
        if not parts[0].places:
            return self._read(parts)
        bundle = self._shelf.bundle(parts[0].shape, parts[0].cluster)
        for part in parts:
            bundle.add(part.source_id, part.read())
        return self._read_bundle(bundle)

    def _read_less_of_events(self, part: Part) -> None:
        if part.index().records > 1:
            for piece in self._shelf.split(part, 1):
                self._read([piece])
        else:
            for _, line in part.read():
                self._read_slim(line, part)

    def _read_slim(self, line: bytes, part: Part) -> None:
        """Read one event without its bodies, because the engine cannot read it with them."""
        slim = without_bodies(line)
        if slim == line:
            source_id, number = origin_of_line(line)
            self._reject(source_id, number, "too large or too deep to be read")
            return
        spool = EventSpool(self._shelf.folder() / "event.ndjson")
        spool.add(slim, part.cluster)
        self._read([spool.finish()])

    def _misfits(self, first_row: int, end_row: int) -> Iterator[int]:
        """Rows that the engine could not place, page by page."""
        sql = (
            f"SELECT rowid FROM {self._target.table} WHERE outcome = 0 AND rowid >= $first AND rowid < $end"  # noqa: S608
            f" ORDER BY rowid LIMIT {_PAGE_ROWS}"
        )
        while rows := self._engine.run(sql, {"first": first_row, "end": end_row}):
            yield from (row for (row,) in rows)
            first_row = rows[-1][0] + 1

    def _decode_misfits(self, span: Span, rows: Iterable[int]) -> None:
        found = read_rows([(span, rows)])
        if span.part.shape is EngineShape.CANONICAL:
            for _, line in found:
                self._read_slim(line + b"\n", span.part)
        else:
            lines = ((span.line(row), text) for row, text in found)
            self._decode(span.part.source_id or 0, decode_lines(lines))

    def _decode(self, source_id: int, outcomes: Iterable[Outcome]) -> None:
        cluster = self._cluster(source_id)
        for outcome in outcomes:
            match outcome:
                case Event():
                    if self._spool.size > _PART_BYTES or (self._spool.size and self._spool.cluster != cluster):
                        self._flush()
                    self._spool.add(canonical_line(outcome, source_id, as_written=self._target.as_written), cluster)
                case Other():
                    self._reading.other += 1
                case Rejected(line=line, reason=reason):
                    self._reject(source_id, line, reason)

    def _reject(self, source_id: int, line: int, reason: str) -> None:
        reading = self._reading
        reading.rejected += 1
        if len(reading.rejections) < _KEPT_REJECTIONS:
            reading.rejections.append(Rejection(reason, Origin(reading.sources[source_id].name, line)))

    def _flush(self) -> None:
        """Hand what was decoded line by line to the engine."""
        spool = self._spool
        if not spool.size:
            return
        self._spooled += 1
        self._spool = EventSpool(self._folder / f"decoded-{self._spooled}.ndjson")
        self._read([spool.finish()])
        self._shelf.keep(spool.path)
