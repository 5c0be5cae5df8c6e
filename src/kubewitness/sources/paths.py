"""From what the user names to the files that are read."""

from __future__ import annotations

import glob
import os
import stat
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from kubewitness.model.errors import UnreadableError
from kubewitness.model.ledger import Origin, Rejection

STDIN = "-"

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_UNSUPPORTED = {
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "a Parquet file",
}
_NOT_LOGS = frozenset(
    ".md .yaml .yml .py .html .pdf .png .svg .jpg .toml .lock .sh .sql .parquet .db .sqlite .zip .tar .tgz".split()
)
_SNIFF_BYTES = 8


class Compression(StrEnum):
    """How the bytes are packed."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or standard input.

    Attributes:
        name: as shown to people and written into origins; printable.
        path: where to open it; `-` for standard input.
        compression: by the first bytes, not by the name; unknown of a stream.
        size: bytes on disk, 0 for a stream.
        is_stream: whether it is standard input or a pipe: it can be read once.
    """

    name: str
    path: str
    compression: Compression
    size: int
    is_stream: bool = False

    @property
    def is_plain_file(self) -> bool:
        """Whether the engine may open it itself: an uncompressed file whose name means to the engine what it says."""
        return (
            not self.is_stream
            and self.compression is Compression.NONE
            and not glob.has_magic(self.path)
            and not self.path.startswith("~")
            and "://" not in self.path
            and self.path.isprintable()
        )


@dataclass(slots=True)
class SourceListing:
    """What the user's paths came to.

    Attributes:
        sources: what will be read, in order, each file once.
        unreadable: paths that cannot be read, with the reason.
        left_out: files in directories whose names say that they are no logs.
    """

    sources: list[Source] = field(default_factory=list)
    unreadable: list[Rejection] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def find_sources(paths: list[str]) -> SourceListing:
    """Expand files, directories (recursive, sorted), globs and `-`.

    Nothing is raised: what cannot be opened is listed with its reason. Of directories only regular files are read; a
    pipe is read when it is named.
    """
    listing = SourceListing()
    seen: set[str] = set()
    for path in paths:
        for name in _expand(path, listing):
            identity = name if name == STDIN else os.path.realpath(name)
            if identity not in seen:
                seen.add(identity)
                _list(name, listing, is_named=name == path)
    return listing


def _expand(path: str, listing: SourceListing) -> list[str]:
    if path == STDIN:
        return [STDIN]
    if os.path.isdir(path):  # noqa: PTH112 - unlike Path it answers for every text
        return _walk(path, listing)
    if not os.path.lexists(path) and glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True))
        if found:
            return [name for match in found for name in (_walk(match, listing) if Path(match).is_dir() else [match])]
    return [path]


def _walk(directory: str, listing: SourceListing) -> list[str]:
    found: list[str] = []
    entered = {os.path.realpath(directory)}

    def note(error: OSError) -> None:
        listing.unreadable.append(Rejection(error.strerror or str(error), Origin(printable(str(error.filename)))))

    def is_entered(folder: str) -> bool:
        """Whether to go into a folder: not into hidden ones, not twice into one that links lead to."""
        real = os.path.realpath(folder)
        is_new = real not in entered and not os.path.basename(folder).startswith(".")  # noqa: PTH119 - see below
        entered.add(real)
        return is_new

    for folder, folders, names in os.walk(directory, onerror=note, followlinks=True):
        folders[:] = sorted(name for name in folders if is_entered(os.path.join(folder, name)))  # noqa: PTH118 - see below
        for name in sorted(names):
            path = os.path.join(folder, name)  # noqa: PTH118 - 5,000 small files: Path objects cost more than the reading
            if name.startswith(".") or os.path.splitext(name)[1].lower() in _NOT_LOGS:  # noqa: PTH122 - same
                listing.left_out.append(printable(path))
            else:
                found.append(path)
    return found


def printable(path: str) -> str:
    """A path as it can be shown anywhere: bytes that are no UTF-8 and control characters are written as escapes."""
    if path.isprintable():
        return path
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def compression_of(head: bytes) -> Compression:
    """How bytes are packed that begin like this.

    Raises:
        UnreadableError: in a way that is not unpacked here.
    """
    for magic, what in _UNSUPPORTED.items():
        if head.startswith(magic):
            raise UnreadableError(f"{what}: unpack or convert it first")
    return Compression(next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "none"))


def examine(path: str, *, is_named: bool = True) -> Source:
    """Look at the first bytes of a file.

    Args:
        path: the file.
        is_named: whether the user named it; a pipe that was merely found is not opened, it might never answer.

    Raises:
        OSError: it cannot be opened.
        UnreadableError: it is no file, or packed in a way that is not unpacked here.
    """
    kind = os.stat(path)  # noqa: PTH116 - 5,000 small files: Path objects cost more than the reading
    if stat.S_ISFIFO(kind.st_mode) and is_named:
        return Source(printable(path), path, Compression.NONE, 0, is_stream=True)
    if not stat.S_ISREG(kind.st_mode):
        raise UnreadableError("not a regular file")
    with open(path, "rb") as file:  # noqa: PTH123 - same
        head = file.read(_SNIFF_BYTES)
    return Source(printable(path), path, compression_of(head), kind.st_size)


def _list(name: str, listing: SourceListing, *, is_named: bool) -> None:
    if name == STDIN:
        listing.sources.append(Source(STDIN, STDIN, Compression.NONE, 0, is_stream=True))
        return
    try:
        listing.sources.append(examine(name, is_named=is_named))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        listing.unreadable.append(Rejection(reason, Origin(printable(name))))
    except UnreadableError as error:
        listing.unreadable.append(Rejection(error.message, Origin(printable(name))))
