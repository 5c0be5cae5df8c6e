"""Reading the lines of parts once more, from front to back."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from kubewitness.sources import Compression, Source, open_source, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.app.parts import Span

_OPEN_FILES = 8
_FAR_RECORDS = 100


class LinesAgain:
    """Lines of rows, looked up in rising order in each file: what lies between is read over.

    Use it as a context manager: it keeps some files open.
    """

    def __init__(self) -> None:
        self._cursors: dict[str, _Cursor] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for cursor in self._cursors.values():
            cursor.close()
        self._cursors.clear()

    def line(self, span: Span, row: int) -> bytes | None:
        """The line of a row, without newline; None when its file is no longer what it was."""
        record = span.record(row)
        return self.text(span.part.path, record, (span.part.places or span.lines).place(record))

    def text(self, path: str, record: int, near: tuple[int, int]) -> bytes | None:
        """The line of a record, without newline; None when its file is no longer what it was.

        Args:
            path: the file; where it is gone, it is packed in `PATH.zst`.
            record: counted from 0.
            near: a record at or before it, and the offset at which its line, or a blank one before it, begins.
        """
        cursor = self._cursors.get(path)
        if cursor is None or cursor.next_record > record:
            cursor = self._open(path, near)
        elif near[0] - cursor.next_record > _FAR_RECORDS:
            cursor.skip_to(*near)
        return cursor.read(record)

    def _open(self, path: str, near: tuple[int, int]) -> _Cursor:
        before = self._cursors.pop(path, None)
        if before is not None:
            before.close()
        elif len(self._cursors) >= _OPEN_FILES:
            self._cursors.pop(next(iter(self._cursors))).close()
        cursor = self._cursors[path] = _Cursor(path, *near)
        return cursor


class _Cursor:
    """A place in a file, plain or packed."""

    def __init__(self, path: str, record: int, offset: int) -> None:
        self.next_record = record
        self._files = ExitStack()
        self._lines: Iterator[tuple[int, bytes]] = iter(())
        self._plain: io.BufferedReader[io.FileIO] | None = None
        packed = f"{path}.zst"
        try:
            if os.path.exists(path) or not os.path.exists(packed):  # noqa: PTH110 - paths are text here
                self._plain = self._files.enter_context(io.BufferedReader(io.FileIO(path), 1 << 20))
                self._plain.seek(offset)
                self._lines = read_lines(self._plain)
            else:
                source = Source(packed, packed, Compression.ZSTD, 0)
                _, reader = self._files.enter_context(open_source(source))
                self.next_record = 0
                self._lines = read_lines(reader)
        except OSError:
            self._files.close()

    def read(self, record: int) -> bytes | None:
        try:
            for _, text in self._lines:
                self.next_record += 1
                if self.next_record > record:
                    return text
        except OSError:
            pass
        return None

    def skip_to(self, record: int, offset: int) -> None:
        """Go on at a later place; a packed file is read over up to there."""
        if self._plain is not None:
            self._plain.seek(offset)
            self._lines = read_lines(self._plain)
            self.next_record = record

    def close(self) -> None:
        self._files.close()
