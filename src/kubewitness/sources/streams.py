"""Opening a source as a stream of plain bytes."""

from __future__ import annotations

import io
import os
import sys
import zlib
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import IO, TYPE_CHECKING, Protocol, cast

import zstandard

from kubewitness.model.errors import UnreadableError
from kubewitness.sources.paths import STDIN, Compression, Source, compression_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_BUFFER_BYTES = 1 << 20
_PACKED_BYTES = 64 << 10
_PACKED_FRAME_BYTES = 4 << 10
"""How much of a Zstandard frame is unpacked at once: it may become 32,768 times as much."""
_GZIP = b"\x1f\x8b"
_GZIP_FORMAT = 16 + zlib.MAX_WBITS
_KEPT_LEVEL = -3


class _Bytes(Protocol):
    """Bytes to be read one after the other."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


class SourceStream(io.RawIOBase):
    """Plain bytes of a source; ends early, with `failure` set, where the packed data is cut or broken.

    What came before the break is handed over in full: the caller reports `failure` as a value.

    Attributes:
        failure: why the stream ended early, or None.
        is_at_end: whether all bytes have been handed over.
    """

    def __init__(self, raw: _Bytes) -> None:
        super().__init__()
        self._raw = raw
        self.is_at_end = False
        self.failure: str | None = None

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: object, /) -> int:
        """Fill the buffer as far as there are bytes; 0 at the end, also after a failure."""
        view = memoryview(cast("bytearray", buffer)).cast("B")
        filled = 0
        while filled < len(view) and not self.is_at_end:
            data = self._read(len(view) - filled)
            self.is_at_end = not data
            view[filled : filled + len(data)] = data
            filled += len(data)
        return filled

    def _read(self, size: int) -> bytes:
        try:
            return self._raw.read(size)
        except EOFError:
            self.failure = "the packed data is cut: read up to the cut"
        except (OSError, zlib.error, zstandard.ZstdError) as error:
            self.failure = f"unreadable from here on: {error}"
        return b""


class _Unpacked:
    """Members of a packed stream, one after the other, unpacked a bounded piece at a time."""

    def __init__(self, raw: _Bytes) -> None:
        self._raw = raw
        self._packed = b""
        self._plain = b""
        self._taken = 0

    def read(self, size: int) -> bytes:
        while self._taken == len(self._plain):
            if not self._packed:
                self._packed = self._raw.read(_PACKED_BYTES)
                if not self._packed:
                    if self._is_inside():
                        raise EOFError
                    return b""
            self._plain = self._unpack()
            self._taken = 0
        taken = self._plain[self._taken : self._taken + size]
        self._taken += len(taken)
        return taken

    def _is_inside(self) -> bool:
        """Whether a member has begun and not ended."""
        raise NotImplementedError

    def _unpack(self) -> bytes:
        """Take some of `_packed` and give what it says, which may be nothing."""
        raise NotImplementedError


class _Gzip(_Unpacked):
    """RFC 1952: members one after the other, perhaps with zeros after the last one."""

    def __init__(self, raw: _Bytes) -> None:
        super().__init__(raw)
        self._member = zlib.decompressobj(_GZIP_FORMAT)
        self._has_begun = False
        self._error: zlib.error | None = None

    def _is_inside(self) -> bool:
        return self._has_begun and not self._member.eof

    def _unpack(self) -> bytes:
        if self._error:
            raise self._error
        if self._member.eof:
            self._packed = self._packed.lstrip(b"\0")
            if not self._packed:
                return b""
            if not _GZIP.startswith(self._packed[: len(_GZIP)]):
                raise OSError("what follows is no gzip data")
            self._member = zlib.decompressobj(_GZIP_FORMAT)
        self._has_begun = True
        before = self._member.copy()
        try:
            plain = self._member.decompress(self._packed, _BUFFER_BYTES)
        except zlib.error as error:
            self._error = error
            return _up_to_error(before, self._packed)
        self._packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return plain


def _up_to_error(member: zlib._Decompress, packed: bytes) -> bytes:
    """What a member says before the byte at which it breaks: a call that fails gives nothing."""
    found: list[bytes] = []
    with suppress(zlib.error):
        found.extend(member.decompress(packed[at : at + 1]) for at in range(len(packed)))
    return b"".join(found)


class _Zstd(_Unpacked):
    """RFC 8878: frames one after the other."""

    def __init__(self, raw: _Bytes) -> None:
        super().__init__(raw)
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._has_begun = False

    def _is_inside(self) -> bool:
        return self._has_begun and not self._frame.eof

    def _unpack(self) -> bytes:
        if self._frame.eof:
            self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._has_begun = True
        piece, self._packed = self._packed[:_PACKED_FRAME_BYTES], self._packed[_PACKED_FRAME_BYTES:]
        plain = self._frame.decompress(piece)
        if self._frame.eof:
            self._packed = self._frame.unused_data + self._packed
        return plain


class _Decompressor(Protocol):
    """What the modules `bz2` and `lzma` unpack one stream with."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Unpack up to `max_length` bytes, and keep what was not used."""


class _Streams(_Unpacked):
    """Streams of bzip2 or xz, one after the other; xz may have zeros after the last one."""

    def __init__(self, raw: _Bytes, begin: Callable[[], _Decompressor]) -> None:
        super().__init__(raw)
        self._begin = begin
        self._stream = begin()
        self._has_begun = False

    def read(self, size: int) -> bytes:
        while self._taken == len(self._plain) and not self._packed and self._holds_more():
            self._plain, self._taken = self._go_on(b""), 0
        return super().read(size)

    def _holds_more(self) -> bool:
        """Whether the stream has taken packed bytes that it has not told of yet."""
        return self._is_inside() and not self._stream.needs_input

    def _is_inside(self) -> bool:
        return self._has_begun and not self._stream.eof

    def _unpack(self) -> bytes:
        packed, self._packed = self._packed, b""
        if self._stream.eof:
            packed = packed.lstrip(b"\0")
            if not packed:
                return b""
            self._stream = self._begin()
        self._has_begun = True
        return self._go_on(packed)

    def _go_on(self, packed: bytes) -> bytes:
        try:
            plain = self._stream.decompress(packed, _BUFFER_BYTES)
        except Exception as error:  # LZMAError is of a module that may be missing
            raise OSError(str(error)) from error
        if self._stream.eof:
            self._packed = self._stream.unused_data
        return plain


def _unpacker(module: str, name: str) -> Callable[[], _Decompressor]:
    """How a module of Python's own begins to unpack; some builds of Python lack these modules."""
    try:
        return cast("Callable[[], _Decompressor]", getattr(import_module(module), name))
    except ImportError as error:
        raise UnreadableError(f"{module} is missing from this Python: unpack it first") from error


@contextmanager
def open_source(source: Source) -> Iterator[tuple[SourceStream, io.BufferedReader]]:
    """Open a source for reading. Standard input and pipes can be opened once.

    Yields:
        The stream, to ask for its `failure` afterwards, and a buffered reader over it.

    Raises:
        OSError: the file cannot be opened.
        UnreadableError: it is packed in a way that is not unpacked here.
    """
    if source.path == STDIN:
        yield _open(sys.stdin.buffer, source)
        return
    with open(source.path, "rb", buffering=_BUFFER_BYTES) as file:  # noqa: PTH123 - paths are text here
        yield _open(file, source)


def _open(file: IO[bytes], source: Source) -> tuple[SourceStream, io.BufferedReader]:
    raw: _Bytes = file
    compression = source.compression
    if source.is_stream:
        begun = _Begun(file)
        raw, compression = begun, compression_of(begun.head)
    match compression:
        case Compression.GZIP:
            raw = _Gzip(raw)
        case Compression.ZSTD:
            raw = _Zstd(raw)
        case Compression.BZIP2:
            raw = _Streams(raw, _unpacker("bz2", "BZ2Decompressor"))
        case Compression.XZ:
            raw = _Streams(raw, _unpacker("lzma", "LZMADecompressor"))
        case Compression.NONE:
            pass
    stream = SourceStream(raw)
    return stream, io.BufferedReader(stream, _BUFFER_BYTES)


class _Begun:
    """A stream whose first bytes have been looked at."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.head = self._rest = raw.read(8)

    def read(self, size: int, /) -> bytes:
        if self._rest:
            taken, self._rest = self._rest[:size], self._rest[size:]
            return taken
        return self._raw.read(size)


def pack(path: Path) -> Path:
    """Replace a plain file by a packed one, fast rather than small. Returns the packed file."""
    packed = path.with_name(path.name + ".zst")
    with path.open("rb") as plain, packed.open("wb") as file:
        zstandard.ZstdCompressor(level=_KEPT_LEVEL).copy_stream(plain, file)
    os.unlink(path)  # noqa: PTH108 - beside the other calls
    return packed
