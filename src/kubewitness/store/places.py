"""Where the bytes of a store are: a folder."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STAGING = "_staging"


class Place:
    """The folder of a store.

    Attributes:
        location: as the user named it.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self._folder = Path(location.removeprefix("file://")).absolute()

    @contextmanager
    def staging(self, folder: Path) -> Iterator[Path]:
        """A folder for files that are being written; it is gone afterwards.

        Args:
            folder: for temporary files, where it cannot be inside the store.
        """
        del folder  # a file is moved into its place at once only when it is on the same disk
        path = self._folder / _STAGING / uuid4().hex
        path.mkdir(parents=True)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def keep(self, file: str, path: str) -> None:
        """Move a finished file to its path in the store."""
        target = self._folder / path
        target.parent.mkdir(exist_ok=True)
        os.replace(file, target)  # noqa: PTH105 - paths of the engine are text

    def delete(self, path: str) -> None:
        """Delete a file of the store."""
        (self._folder / path).unlink()

    def paths(self, files: Iterable[str]) -> dict[str, str]:
        """Where the engine finds files, by their path in the store."""
        return {path: str(self._folder / path) for path in files}

    def sweep(self, hours: int, *, is_dry_run: bool) -> list[str]:
        """Delete what interrupted commands have left half written so many hours ago, and say what."""
        staging = self._folder / _STAGING
        found = sorted(staging.iterdir()) if staging.is_dir() else []
        old = [each for each in found if each.stat().st_mtime <= time.time() - hours * 3600]
        for each in [] if is_dry_run else old:
            shutil.rmtree(each, ignore_errors=True)
        return [f"{_STAGING}/{each.name}" for each in old]

    def size(self, path: str) -> int | None:
        """Bytes of a file of the store; None when it is not there."""
        try:
            return (self._folder / path).stat().st_size
        except OSError:
            return None
