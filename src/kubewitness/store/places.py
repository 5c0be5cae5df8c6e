"""Where the bytes of a store are: a folder."""

from __future__ import annotations

import os
import shutil
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

    def leftovers(self) -> list[Path]:
        """Folders that an interrupted ingest has left."""
        staging = self._folder / _STAGING
        return sorted(staging.iterdir()) if staging.is_dir() else []
