"""Parts: the plain files of lines that the engine reads, and the rows that came out of them."""

from __future__ import annotations

import io
import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count, groupby
from typing import IO, TYPE_CHECKING

from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.sources import (
    Compression,
    LineMap,
    Source,
    index_lines,
    open_source,
    pack,
    read_lines,
    select_lines,
    spool_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Executor, Future
    from pathlib import Path

_PLAIN_BYTES = 2 << 30
_PIECES = 16
_MARKED_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of one shape in a plain file: a source itself, or a copy of some of its lines.

    Attributes:
        path: the file.
        shape: of its lines.
        source_id: which source they are of; None where every line says so itself.
        cluster: name for records that do not say.
        first_line: line of the source with which the part begins.
        lines: where its records stand in the source, when that is known already.
        first_record: record of the file with which the part begins.
        places: where the records of the file stand, in a file of several parts.
        length: bytes of the part in such a file.
    """

    path: str
    shape: EngineShape
    source_id: int | None
    cluster: str | None = None
    first_line: int = 1
    lines: LineMap | None = None
    first_record: int = 0
    places: LineMap | None = None
    length: int = 0

    @property
    def size(self) -> int:
        """Bytes it has now; 0 when it is gone."""
        if self.places is not None:
            return self.length
        try:
            return os.stat(self.path).st_size  # noqa: PTH116 - paths are text here
        except OSError:
            return 0

    def index(self) -> LineMap:
        """Where its records stand; nowhere when it cannot be read."""
        if self.lines is not None:
            return self.lines
        try:
            return index_lines(self.path)
        except OSError:
            return LineMap()

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Yield (line of the source, text) of every record.

        Raises:
            OSError: it cannot be read.
        """
        if self.lines is not None:
            records = range(self.first_record, self.first_record + self.lines.records)
            for record, text in select_lines(self.path, records, self.places or self.lines):
                yield self.lines.line(record - self.first_record, self.first_line), text
            return
        with io.BufferedReader(io.FileIO(self.path), 1 << 20) as file:
            yield from read_lines(file)


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of one part, in its order.

    Attributes:
        first_row: row of its first record.
        part: where they are from.
        lines: where its records stand in the source.
    """

    first_row: int
    part: Part
    lines: LineMap

    @property
    def end_row(self) -> int:
        """The first row that is no longer of it."""
        return self.first_row + self.lines.records

    def line(self, row: int) -> int:
        """Line of the source that a row is from."""
        return self.lines.line(row - self.first_row, self.part.first_line)

    def places(self) -> Iterator[tuple[int, int | None, int]]:
        """Yield (first row, source id, what to add to a row to get its line) of rows whose lines follow each other."""
        for record, line in self.lines.stretches():
            row = self.first_row + record
            yield row, self.part.source_id, self.part.first_line + line - row

    def record(self, row: int) -> int:
        """Record of the part's file that a row is from."""
        return row - self.first_row + self.part.first_record


def read_rows(wanted: Iterable[tuple[Span, Iterable[int]]]) -> Iterator[tuple[int, bytes]]:
    """Yield (row, text) of rows of these spans; fewer when files are no longer what they were.

    Args:
        wanted: spans, rising where they are of one file, and rising rows of each.
    """
    for path, group in groupby(wanted, key=lambda item: item[0].part.path):
        rows: deque[int] = deque()
        members = iter(group)
        (first, first_rows) = next(members)
        records = _records(chain([(first, first_rows)], members), rows)
        packed = f"{path}.zst"
        found = (
            _select_packed(packed, records)
            if not os.path.exists(path) and os.path.exists(packed)  # noqa: PTH110 - paths are text here
            else select_lines(path, records, first.part.places or first.lines)
        )
        with suppress(OSError):
            for _, text in found:
                yield rows.popleft(), text


def _records(wanted: Iterable[tuple[Span, Iterable[int]]], asked: deque[int]) -> Iterator[int]:
    """Records of a file; their rows are noted as they are asked for."""
    for span, rows in wanted:
        for row in rows:
            asked.append(row)
            yield span.record(row)


def _select_packed(path: str, records: Iterator[int]) -> Iterator[tuple[int, bytes]]:
    target = next(records, None)
    with open_source(Source(path, path, Compression.ZSTD, 0)) as (_, reader):
        for record, (_, text) in enumerate(read_lines(reader)):
            if record == target:
                yield record, text
                target = next(records, None)
            if target is None:
                return


class Bundle:
    """Small sources of one shape and cluster in one file: to open each costs the engine more than to read it.

    Args:
        path: of the file.
        shape: of all lines.
        cluster: name for records that do not say.

    Attributes:
        parts: what was added.
        size: bytes of all of it.
    """

    def __init__(self, path: Path, shape: EngineShape, cluster: str | None) -> None:
        self.path = path
        self.parts: list[Part] = []
        self.size = 0
        self._shape = shape
        self._cluster = cluster
        self._places = LineMap()
        self._marked = 0
        self._file = path.open("wb", buffering=1 << 20)

    def add(self, source_id: int | None, lines: Iterable[tuple[int, bytes]]) -> None:
        """Add numbered lines, without newline, of a source."""
        places, own = self._places, LineMap()
        first_record, first_byte = places.records, self.size
        for number, text in lines:
            own.add(number)
            if self.size - self._marked >= _MARKED_BYTES:
                self._marked = self.size
                places.mark(self.size)
            places.records += 1
            self._file.write(text)
            self._file.write(b"\n")
            self.size += len(text) + 1
        size = self.size - first_byte
        self.parts.append(
            Part(str(self.path), self._shape, source_id, self._cluster, 1, own, first_record, places, size)
        )

    def close(self) -> None:
        """Write what is not written yet."""
        self._file.close()


class Shelf:
    """The pieces that are kept to be read again: plain at first, packed when they become too many.

    Args:
        folder: where they are.
        pool: that packs.
    """

    def __init__(self, folder: Path, pool: Executor) -> None:
        self._folder = folder
        self._pool = pool
        self._plain_bytes = 0
        self._packing: Future[Path] | None = None
        self._numbers = count()

    def folder(self) -> Path:
        """A new folder for pieces."""
        folder = self._folder / f"pieces-{next(self._numbers)}"
        folder.mkdir()
        return folder

    def keep(self, piece: Path) -> None:
        """Keep a piece that the engine has read."""
        self._plain_bytes += piece.stat().st_size
        if self._plain_bytes > _PLAIN_BYTES:
            self.finish()
            self._packing = self._pool.submit(pack, piece)

    def finish(self) -> None:
        """Wait until everything is kept."""
        if self._packing:
            self._packing.result()
            self._packing = None

    def split(self, part: Part, least_bytes: int) -> Iterator[Part]:
        """Cut a part into smaller ones; each is kept when the next one is asked for.

        Args:
            part: has more than one record.
            least_bytes: size below which it does not matter.

        Raises:
            OSError: it cannot be read, or they cannot be written.
        """
        part_bytes = max(part.size // _PIECES, least_bytes)
        for piece in spool_lines(part.read(), self.folder(), part_bytes=part_bytes):
            yield Part(str(piece.path), part.shape, part.source_id, part.cluster, piece.first_line, piece.lines)
            self.keep(piece.path)

    def bundle(self, shape: EngineShape, cluster: str | None) -> Bundle:
        """A new bundle."""
        return Bundle(self._folder / f"bundle-{next(self._numbers)}.ndjson", shape, cluster)


class EventSpool:
    """Events decoded line by line, waiting for the engine; all of one default cluster.

    Args:
        path: the file that they are written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.cluster: str | None = None
        self._lines = LineMap()
        self._marked = 0
        self._file: IO[bytes] | None = None

    def add(self, line: bytes, cluster: str | None) -> None:
        """Add a line, with its newline."""
        if self._file is None:
            self._file = self.path.open("wb", buffering=1 << 20)
            self.cluster = cluster
        if self.size - self._marked >= _MARKED_BYTES:
            self._marked = self.size
            self._lines.mark(self.size)
        self._file.write(line)
        self.size += len(line)
        self._lines.records += 1

    def finish(self) -> Part:
        """Close the file and give it as a part."""
        if self._file is not None:
            self._file.close()
        return Part(str(self.path), EngineShape.CANONICAL, None, self.cluster, lines=self._lines)
