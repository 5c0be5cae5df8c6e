"""Files that hold a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def read_key(path: Path, *, least: int, hint: str) -> bytes:
    """The bytes of a key, with the line end that a file may have.

    Args:
        path: of the file.
        least: how many bytes there must be, line ends not counted.
        hint: how to make such a file.

    Raises:
        UsageError: it cannot be read, or is too short.
    """
    try:
        key = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    size = len(key.rstrip(b"\r\n"))
    if size < least:
        raise UsageError(f"is too short for a key: {size} bytes of {least} can be guessed", where=str(path), hint=hint)
    return key
