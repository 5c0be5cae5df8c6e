"""Parts: the plain files of lines that the engine reads, and the rows that came out of them."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kubewitness.sources import (
    MARK_BYTES,
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

    from kubewitness.decode.engine_shapes import EngineShape

_PLAIN_BYTES = 2 << 30
_PIECES = 16


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

    @property
    def size(self) -> int:
        """Bytes it has now; 0 when it is gone."""
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
        with io.BufferedReader(io.FileIO(self.path), 1 << 20) as file:
            for record, (number, text) in enumerate(read_lines(file)):
                yield number if self.lines is None else self.lines.line(record, self.first_line), text


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

    def line(self, row: int) -> int:
        """Line of the source that a row is from."""
        return self.lines.line(row - self.first_row, self.part.first_line)

    def texts(self, rows: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Yield (row, text) of these rows, which rise; fewer when the part is no longer what it was.

        Raises:
            OSError: it cannot be read.
        """
        wanted = (row - self.first_row for row in rows)
        packed = f"{self.part.path}.zst"
        found = (
            _select_packed(packed, wanted)
            if not os.path.exists(self.part.path) and os.path.exists(packed)  # noqa: PTH110 - paths are text here
            else select_lines(self.part.path, wanted, self.lines)
        )
        for record, text in found:
            yield self.first_row + record, text


def _select_packed(path: str, records: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    wanted = iter(records)
    target = next(wanted, None)
    with open_source(Source(path, path, Compression.ZSTD, 0)) as (_, reader):
        for record, (_, text) in enumerate(read_lines(reader)):
            if record == target:
                yield record, text
                target = next(wanted, None)
            if target is None:
                return


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
        if self.size - self._marked >= MARK_BYTES:
            self._marked = self.size
            self._lines.mark(self.size)
        self._file.write(line)
        self.size += len(line)
        self._lines.records += 1

    def finish(self) -> LineMap:
        """Close the file and say where its records stand."""
        if self._file is not None:
            self._file.close()
        return self._lines
