"""From what the user names to the files that are read."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from kubewitness.model.errors import UnreadableError
from kubewitness.model.ledger import Origin, Rejection

STDIN = "-"

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_UNSUPPORTED = {
    b"PK\x03\x04": "a zip archive",
    b"PAR1": "a Parquet file",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ\x00": "xz data",
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


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or standard input.

    Attributes:
        name: as shown to people and written into origins.
        path: where to open it; `-` for standard input.
        compression: by the first bytes, not by the name.
        size: bytes on disk, 0 for standard input.
    """

    name: str
    path: str
    compression: Compression
    size: int

    @property
    def is_plain_file(self) -> bool:
        """Whether the engine may open it itself: a seekable, uncompressed file whose name it will not read as a glob."""
        return (
            self.path != STDIN
            and self.compression is Compression.NONE
            and not glob.has_magic(self.path)
            and self.path.isprintable()
            and Path(self.path).is_file()
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

    Nothing is raised: what cannot be opened is listed with its reason.
    """
    listing = SourceListing()
    seen: set[str] = set()
    for path in paths:
        for name in _expand(path, listing):
            identity = name if name == STDIN else os.path.realpath(name)
            if identity not in seen:
                seen.add(identity)
                _list(name, listing)
    return listing


def _expand(path: str, listing: SourceListing) -> list[str]:
    if path == STDIN:
        return [STDIN]
    if Path(path).is_dir():
        return _walk(path, listing)
    if not os.path.lexists(path) and glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True))
        if found:
            return [name for match in found for name in (_walk(match, listing) if Path(match).is_dir() else [match])]
    return [path]


def _walk(directory: str, listing: SourceListing) -> list[str]:
    found: list[str] = []

    def note(error: OSError) -> None:
        listing.unreadable.append(Rejection(error.strerror or str(error), Origin(str(error.filename))))

    for folder, folders, names in os.walk(directory, onerror=note):
        folders.sort()
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in sorted(names):
            path = os.path.join(folder, name)  # noqa: PTH118 - 5,000 small files: Path objects cost more than the reading
            if name.startswith(".") or os.path.splitext(name)[1].lower() in _NOT_LOGS:  # noqa: PTH122 - same
                listing.left_out.append(path)
            else:
                found.append(path)
    return found


def examine(path: str, *, name: str | None = None) -> Source:
    """Look at the first bytes of a file.

    Args:
        path: the file.
        name: as shown to people; the path itself when None.

    Raises:
        OSError: it cannot be opened.
        UnreadableError: it is packed in a way that is not unpacked here.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - 5,000 small files: Path objects cost more than the reading
        head = file.read(_SNIFF_BYTES)
        size = os.fstat(file.fileno()).st_size
    for magic, what in _UNSUPPORTED.items():
        if head.startswith(magic):
            raise UnreadableError(f"{what}: unpack or convert it first")
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "none")
    return Source(name or path, path, Compression(kind), size)


def _list(name: str, listing: SourceListing) -> None:
    if name == STDIN:
        listing.sources.append(Source(STDIN, STDIN, Compression.NONE, 0))
        return
    try:
        listing.sources.append(examine(name))
    except OSError as error:
        listing.unreadable.append(Rejection(error.strerror or str(error), Origin(name)))
    except UnreadableError as error:
        listing.unreadable.append(Rejection(error.message, Origin(name)))
