"""Streams: packed bytes come out whole, up to where they break, and never all at once."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import sys
import threading
import zlib
from typing import TYPE_CHECKING

import pytest
import zstandard

from kubewitness.model.errors import UnreadableError
from kubewitness.sources import find_sources, open_source, pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = b"".join(b'{"n":%d,"x":"%d"}\n' % (number, number * 7919) for number in range(20_000))
HALF = len(TEXT) // 2


def zst(text: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(text)


def read(path: Path, size: int = 1 << 20) -> tuple[bytes, str | None]:
    (source,) = find_sources([str(path)]).sources
    found = b""
    with open_source(source) as (stream, reader):
        while piece := reader.read(size):
            found += piece
    return found, stream.failure


SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"  # RFC 8878, 3.1.2
WHOLE = {
    "plain": TEXT,
    "gzip": gzip.compress(TEXT),
    "gzip members": gzip.compress(TEXT[:HALF]) + gzip.compress(b"") + gzip.compress(TEXT[HALF:]),
    "gzip with zeros after it": gzip.compress(TEXT) + bytes(1000),
    "bzip2": bz2.compress(TEXT),
    "bzip2 streams": bz2.compress(TEXT[:HALF]) + bz2.compress(b"") + bz2.compress(TEXT[HALF:]),
    "xz": lzma.compress(TEXT),
    "xz streams": lzma.compress(TEXT[:HALF]) + bytes(8) + lzma.compress(TEXT[HALF:]) + bytes(4),
    "zstd": zst(TEXT),
    "zstd frames": zst(TEXT[:HALF]) + zst(b"") + zst(TEXT[HALF:]),
    "zstd frame by line": b"".join(zst(line) for line in TEXT.splitlines(keepends=True)[:2000]) + zst(TEXT),
    "zstd, skippable frame": zst(TEXT[:HALF]) + SKIPPABLE + zst(TEXT[HALF:]),
}


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("size", [100, 1 << 20])
def test_packed_bytes_come_out_whole(tmp_path: Path, kind: str, size: int) -> None:
    (tmp_path / "audit.log").write_bytes(WHOLE[kind])
    found, failure = read(tmp_path / "audit.log", size)
    assert failure is None
    assert found.endswith(TEXT)
    assert found == TEXT or kind == "zstd frame by line"


def with_wrong_checksum(packed: bytes) -> bytes:
    return packed[:-8] + bytes(4) + packed[-4:]


BROKEN = {
    "gzip, cut": (gzip.compress(TEXT)[:-2000], "cut"),
    "gzip, cut in its head": (gzip.compress(TEXT)[:5], "cut"),
    "gzip, second member cut": (gzip.compress(TEXT) + gzip.compress(TEXT)[:-2000], "cut"),
    "gzip, wrong checksum": (with_wrong_checksum(gzip.compress(TEXT)), "unreadable from here on"),
    "gzip, followed by something": (gzip.compress(TEXT) + b"something", "no gzip data"),
    "gzip, broken": (gzip.compress(TEXT)[:9000] + bytes(range(256)) * 40, "unreadable from here on"),
    "bzip2, cut": (bz2.compress(TEXT)[:-2000], "cut"),
    "bzip2, followed by something": (bz2.compress(TEXT) + b"something", "unreadable from here on"),
    "xz, cut": (lzma.compress(TEXT)[:-2000], "cut"),
    "xz, followed by something": (lzma.compress(TEXT) + b"something", "unreadable from here on"),
    "zstd, cut": (zst(TEXT)[:-2000], "cut"),
    "zstd, followed by something": (zst(TEXT) + b"something", "unreadable from here on"),
}


def as_far_as_possible(packed: bytes) -> bytes:
    """All that zlib can tell of the bytes of a first member, not only what fills its buffers."""
    unpacker = zlib.decompressobj(31)
    found = b""
    with contextlib.suppress(zlib.error):
        for at in range(len(packed)):
            found += unpacker.decompress(packed[at : at + 1])
    return found


@pytest.mark.parametrize("kind", BROKEN)
def test_everything_before_a_break_is_kept_and_the_break_is_told(tmp_path: Path, kind: str) -> None:
    packed, told = BROKEN[kind]
    (tmp_path / "audit.log").write_bytes(packed)
    found, failure = read(tmp_path / "audit.log")
    assert failure
    assert told in failure
    if kind.startswith("gzip"):
        assert found.startswith(as_far_as_possible(packed))
    if "broken" not in kind:  # the bytes before the break may already be wrong
        assert TEXT.startswith(found[: len(TEXT)])
        assert len(found) >= len(TEXT) or "cut" in kind


@pytest.mark.parametrize("pack_bytes", [gzip.compress, zst, bz2.compress, lzma.compress])
def test_a_bomb_is_unpacked_piece_by_piece(tmp_path: Path, pack_bytes: Callable[[bytes], bytes]) -> None:
    (tmp_path / "bomb").write_bytes(pack_bytes(bytes(300_000_000)))
    (source,) = find_sources([str(tmp_path / "bomb")]).sources
    total = largest = 0
    with open_source(source) as (stream, reader):
        while piece := reader.read(1 << 20):
            total += len(piece)
            largest = max(largest, len(getattr(stream._raw, "_plain", b"")))
    assert total == 300_000_000
    assert 0 < largest < 150_000_000


@pytest.mark.parametrize("kind", ["plain", "gzip", "zstd", "bzip2", "xz"])
def test_standard_input_is_unpacked_too(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WHOLE[kind])))
    (source,) = find_sources(["-"]).sources
    with open_source(source) as (stream, reader):
        assert reader.read() == TEXT
    assert stream.failure is None


def test_a_pipe_is_read_once_and_whole(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(WHOLE["gzip members"],))
    writer.start()
    assert read(pipe) == (TEXT, None)
    writer.join()


def test_standard_input_that_cannot_be_unpacked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"PK\x03\x04 and so on")))
    (source,) = find_sources(["-"]).sources
    with pytest.raises(UnreadableError, match="zip"), open_source(source):
        pass


def test_a_python_that_cannot_unpack_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lzma", None)
    (tmp_path / "audit.log").write_bytes(WHOLE["xz"])
    with pytest.raises(UnreadableError, match="lzma is missing from this Python"):
        read(tmp_path / "audit.log")


def test_a_piece_that_is_packed_comes_out_the_same(tmp_path: Path) -> None:
    piece = tmp_path / "piece.ndjson"
    piece.write_bytes(TEXT)
    packed = pack(piece)
    assert not piece.exists()
    assert packed.name == "piece.ndjson.zst"
    assert read(packed) == (TEXT, None)
