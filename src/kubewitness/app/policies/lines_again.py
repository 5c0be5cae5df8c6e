"""Reading the lines of parts once more, from front to back."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from kubewitness.sources import Compression, Source, open_source, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from kubewitness.app.parts import Span

_OPEN_FILES = 8


class LinesAgain:
    """Lines of rows, looked up in rising order in each file: what lies between is read over.

    Use it as a context manager: it keeps some files open.
    """

    def __init__(self) -> None:
        self._cursors: dict[str, _Cursor] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for cursor in self._cursors.values():
            cursor.close()

    def line(self, span: Span, row: int) -> bytes | None:
        """The line of a row, without newline; None when its file is no longer what it was."""
        record = span.record(row)
        path = span.part.path
        cursor = self._cursors.get(path)
        if cursor is None or cursor.next_record > record:
            cursor = self._open(span, record)
        return cursor.read(record)

    def _open(self, span: Span, record: int) -> _Cursor:
        path = span.part.path
        before = self._cursors.pop(path, None)
        if before is not None:
            before.close()
        elif len(self._cursors) >= _OPEN_FILES:
            self._cursors.pop(next(iter(self._cursors))).close()
        cursor = self._cursors[path] = _Cursor(path, *(span.part.places or span.lines).place(record))
        return cursor


class _Cursor:
    """A place in a file, plain or packed."""

    def __init__(self, path: str, record: int, offset: int) -> None:
        self.next_record = record
        self._files = ExitStack()
        self._lines: Iterator[tuple[int, bytes]] = iter(())
        packed = f"{path}.zst"
        try:
            if os.path.exists(path) or not os.path.exists(packed):  # noqa: PTH110 - paths are text here
                file = self._files.enter_context(io.BufferedReader(io.FileIO(path), 1 << 20))
                file.seek(offset)
                self._lines = read_lines(file)
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

    def close(self) -> None:
        self._files.close()
