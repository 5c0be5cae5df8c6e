"""Opening a source as a stream of plain bytes."""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

import zstandard

from kubewitness.sources.paths import STDIN, Compression, Source, examine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUFFER_BYTES = 1 << 20


class SourceStream(io.RawIOBase):
    """Plain bytes of a source; ends early, with `failure` set, where the packed data is cut or broken.

    What came before the break is handed over in full: the caller reports `failure` as a value.

    Attributes:
        failure: why the stream ended early, or None.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        super().__init__()
        self._raw = raw
        self.failure: str | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        """Fill the buffer; 0 at the end, also after a failure."""
        view = memoryview(cast("bytearray", buffer)).cast("B")
        if self.failure is not None:
            return 0
        try:
            data = self._raw.read(len(view))
        except EOFError:
            self.failure = "the packed data is cut: read up to the cut"
            return 0
        except (OSError, zlib.error, zstandard.ZstdError) as error:
            self.failure = f"unreadable from here on: {error}"
            return 0
        view[: len(data)] = data
        return len(data)


class _Frames:
    """A Zstandard stream that knows whether its last frame was complete."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._decoder = zstandard.ZstdDecompressor().decompressobj()
        self._rest = b""
        self._pending = b""
        self._at_end = False

    def read(self, size: int) -> bytes:
        while not self._pending and not self._at_end:
            data = self._rest or self._raw.read(1 << 17)
            self._rest = b""
            if not data:
                self._at_end = True
                if not self._decoder.eof and self._started:
                    raise EOFError
                break
            if self._decoder.eof:
                self._decoder = zstandard.ZstdDecompressor().decompressobj()
            self._started = True
            self._pending = self._decoder.decompress(data)
            if self._decoder.eof:
                self._rest = self._decoder.unused_data
        taken, self._pending = self._pending[:size], self._pending[size:]
        return taken

    _started = False


@contextmanager
def open_source(source: Source) -> Iterator[tuple[SourceStream, io.BufferedReader]]:
    """Open a source for reading.

    Yields:
        The stream, to ask for its `failure` afterwards, and a buffered reader over it.

    Raises:
        OSError: the file cannot be opened.
    """
    with open(source.path, "rb", buffering=_BUFFER_BYTES) as file:  # noqa: PTH123 - paths are text here
        stream = SourceStream(_unpack(file, source.compression))
        yield stream, io.BufferedReader(stream, _BUFFER_BYTES)


def _unpack(file: IO[bytes], compression: Compression) -> IO[bytes]:
    match compression:
        case Compression.GZIP:
            return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
        case Compression.ZSTD:
            return cast("IO[bytes]", _Frames(file))
        case Compression.NONE:
            return file


def keep_stdin(folder: Path) -> Source:
    """Copy standard input to a file, so that it can be read like any other, and read again."""
    path = folder / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, _BUFFER_BYTES)
    return examine(str(path), name=STDIN)
