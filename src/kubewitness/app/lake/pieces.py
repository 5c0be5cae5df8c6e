"""What is new in a source, cut into plain files that are read one after the other.

A piece is made of bytes that are hashed as they are copied, so that the position after it is proved by what was read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from kubewitness.decode import Layout, cluster_from_path, sniff
from kubewitness.decode.json_text import parse_object
from kubewitness.model.ledger import Origin, Rejection
from kubewitness.sources import MAX_LINE_BYTES, Compression, LineMap, Source, index_lines, open_source
from kubewitness.store.positions import Position, key_of

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
    from pathlib import Path

PIECE_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20
_HEAD_BYTES = 64 << 10
_FIRST_LINE_BYTES = 1 << 20
_LINES = frozenset({Layout.PLAIN_LINES, Layout.AZURE_LINES, Layout.TABLE_LINES, Layout.LINES})


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a source, in a plain file of their own.

    Attributes:
        path: the file.
        size: its bytes.
        source: what they are from.
        first_line: line of the source with which they begin, from 1.
        position: of the source after them.
        before: position of the source that was known before them.
        index: where its lines stand, if that is known.
    """

    path: Path
    size: int
    source: Source
    first_line: int
    position: Position
    before: Position | None
    index: LineMap | None = None


@dataclass(slots=True)
class Remarks:
    """What is not in the pieces.

    Attributes:
        unreadable: sources that could not be read to their end.
        known: sources in which nothing is new.
        waiting: bytes at the end of sources that go on, by source: a record that is not complete yet.
    """

    unreadable: list[Rejection] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)


class Cutter:
    """Cuts what is new in sources into pieces.

    Args:
        folder: for the pieces.
        cluster: name for records that do not say, where the path does not say either.
        is_finished: whether a last line without newline counts too.
        piece_bytes: about how large a piece is.
    """

    def __init__(
        self,
        folder: Path,
        *,
        cluster: str | None = None,
        is_finished: bool = False,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        self._folder = folder
        self._cluster = cluster
        self._is_finished = is_finished
        self._piece_bytes = piece_bytes
        self._numbers = count()
        self._held: set[str] = set()
        self.remarks = Remarks()

    def hold(self, source: Source) -> Source:
        """A source that can be read again: a copy of one that cannot.

        Raises:
            OSError: it cannot be read or copied.
        """
        if not source.is_stream:
            return source
        path = self.path()
        with open_source(source) as (stream, reader), path.open("wb") as file:
            shutil.copyfileobj(reader, file, _CHUNK_BYTES)
        if stream.failure:
            self.remarks.unreadable.append(Rejection(stream.failure, Origin(source.name)))
        self._held.add(source.name)
        return Source(source.name, str(path), Compression.NONE, path.stat().st_size)

    def cut(self, source: Source, known: Callable[[str], Position | None]) -> Iterator[Piece]:
        """Yield what is new in a source.

        Args:
            source: a file, or standard input.
            known: gives how far a source of a key has been taken.

        Raises:
            OSError: it cannot be read, or a piece cannot be written.
            UnreadableError: it is packed in a way that is not unpacked here.
        """
        cluster = cluster_from_path(source.name) or self._cluster
        with open_source(source) as (stream, reader):
            head = reader.peek(_FIRST_LINE_BYTES)
            layout = sniff(head[:_HEAD_BYTES])
            if not head.strip():
                return
            lines = _Lines if layout in _LINES else _Whole
            yield from lines(self, source, cluster, layout).cut(reader, head, known)
            if stream.failure:
                self.remarks.unreadable.append(Rejection(stream.failure, Origin(source.name)))

    def path(self) -> Path:
        """A new file."""
        return self._folder / f"piece-{next(self._numbers):06}.log"

    @property
    def piece_bytes(self) -> int:
        """About how large a piece is."""
        return self._piece_bytes

    def takes_unfinished(self, source: Source) -> bool:
        """Whether the last line of a source counts although it does not end: nothing can come after it."""
        return self._is_finished or source.name in self._held or source.compression is not Compression.NONE


class _Lines:
    """A source of one record a line: it may grow."""

    def __init__(self, cutter: Cutter, source: Source, cluster: str | None, layout: Layout) -> None:
        self._cutter = cutter
        self._source = source
        self._cluster = cluster
        self._layout = layout
        self._digest = hashlib.sha256()
        self._end = 0
        self._lines = 0

    def cut(self, reader: io.BufferedReader, head: bytes, known: Callable[[str], Position | None]) -> Iterator[Piece]:
        first = head.lstrip().partition(b"\n")[0][:_FIRST_LINE_BYTES]
        key = key_of(first, self._cluster)
        position = known(key)
        if position is None or self._skip(reader, position):
            yield from self._pieces(reader, key, position)
            if position is not None and self._end == position.end:
                self._cutter.remarks.known.append(self._source.name)
        else:
            # Another file that only begins alike, or one that was cut short: all of it is looked at again.
            with open_source(self._source) as (_, again):
                fresh = _Lines(self._cutter, self._source, self._cluster, self._layout)
                yield from fresh._pieces(again, key, position)

    def _skip(self, reader: io.BufferedReader, position: Position) -> bool:
        """Pass over what was taken; whether it is still the same."""
        left = position.end
        while left and (chunk := reader.read(min(left, _CHUNK_BYTES))):
            self._digest.update(chunk)
            left -= len(chunk)
        self._end = position.end - left
        self._lines = position.lines
        return not left and self._digest.hexdigest() == position.sha256

    def _pieces(self, reader: io.BufferedReader, key: str, before: Position | None) -> Iterator[Piece]:
        # One for all chunks: new memory for each is dear.
        buffer = bytearray(min(_CHUNK_BYTES, self._cutter.piece_bytes))
        chunk = memoryview(buffer)
        rest = bytearray()
        at_end = False
        while not at_end:
            path = self._cutter.path()
            begin, first_line = self._end, self._lines + 1
            with path.open("wb", buffering=0) as file:
                while not self._is_full(self._end - begin, rest) and not at_end:
                    size = reader.readinto(chunk)
                    at_end = not size
                    newline = buffer.rfind(b"\n", 0, size) + 1
                    if newline or len(rest) > MAX_LINE_BYTES:
                        self._take(file, rest)
                        self._take(file, chunk[:newline])
                        rest.clear()
                    rest += chunk[newline:size]
                if at_end and self._is_complete(rest):
                    self._take(file, rest)
            if self._end > begin:
                index = index_lines(str(path))
                self._lines += _newlines(path, index)
                position = Position(
                    key, self._source.name, self._cluster, self._end, self._digest.hexdigest(), self._lines, begin=begin
                )
                yield Piece(path, self._end - begin, self._source, first_line, position, before, index)
                before = position
            else:
                path.unlink()

    def _take(self, file: io.FileIO, text: bytearray | memoryview) -> None:
        if text:
            self._digest.update(text)
            self._end += file.write(text)

    def _is_full(self, size: int, rest: bytearray) -> bool:
        """Whether a piece can end here: before a record, and where lines make objects, before one that begins."""
        if size < self._cutter.piece_bytes:
            return False
        return self._layout is not Layout.LINES or rest.startswith(b"{") or size >= 2 * self._cutter.piece_bytes

    def _is_complete(self, rest: bytearray) -> bool:
        """Whether the last line is, although it has no newline."""
        if not rest.strip():
            return False
        if self._cutter.takes_unfinished(self._source) or parse_object(bytes(rest).strip()) is not None:
            return True
        self._cutter.remarks.waiting[self._source.name] = len(rest)
        return False


def _newlines(path: Path, index: LineMap) -> int:
    """How many there are in a file whose lines stand where an index says."""
    with path.open("rb") as file:
        if index.is_exact:
            file.seek(-1, os.SEEK_END)
            return index.records - (file.read() != b"\n")
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""))


class _Whole:
    """A document or table: it is taken whole, or was taken before."""

    def __init__(self, cutter: Cutter, source: Source, cluster: str | None, layout: Layout) -> None:
        self._cutter = cutter
        self._source = source
        self._cluster = cluster
        self._layout = layout

    def cut(self, reader: io.BufferedReader, head: bytes, known: Callable[[str], Position | None]) -> Iterator[Piece]:
        del head
        digest, size, lines = hashlib.sha256(), 0, 0
        path = self._cutter.path()
        with path.open("wb", buffering=0) as file:
            while chunk := reader.read(_CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
                size += len(chunk)
                lines += chunk.count(b"\n")
        key = key_of(digest.digest(), self._cluster)
        if known(key) is not None:
            path.unlink()
            self._cutter.remarks.known.append(self._source.name)
            return
        position = Position(key, self._source.name, self._cluster, size, digest.hexdigest(), lines, is_whole=True)
        yield Piece(path, size, self._source, 1, position, None)
