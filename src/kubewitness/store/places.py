"""Where the bytes of a store are: a folder, or an object store of which the engine reads copies."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from kubewitness.model.errors import StoreError
from kubewitness.sources.user_cache import user_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

_STAGING = "_staging"
_FETCHES = 8


class Place(Protocol):
    """Where the bytes of a store are.

    Attributes:
        location: as the user named it.
    """

    location: str

    def staging(self, folder: Path) -> AbstractContextManager[Path]:
        """A folder for files that are being written; it is gone afterwards.

        Args:
            folder: for temporary files, where it cannot be inside the store.
        """

    def keep(self, file: str, path: str) -> None:
        """Move a finished file to its path in the store."""

    def delete(self, path: str) -> None:
        """Delete a file of the store."""

    def paths(self, files: Iterable[str]) -> dict[str, str]:
        """Where the engine finds files, by their path in the store."""

    def sweep(self, hours: int, *, is_dry_run: bool) -> list[str]:
        """Delete what interrupted commands have left half written so many hours ago, and say what."""

    def size(self, path: str) -> int | None:
        """Bytes of a file of the store; None when it is not there."""


def is_remote(location: str) -> bool:
    """Whether a store is in an object store, as opposed to in a folder."""
    return "://" in location


def place_of(location: str) -> Place:
    """Where the bytes of a store are.

    Raises:
        StoreError: object stores cannot be read by this installation, or there is none of this kind.
    """
    return Bucket(location) if is_remote(location) else Folder(location)


class Folder:
    """A folder. Its methods are those of `Place`."""

    def __init__(self, location: str) -> None:
        self.location = location
        self._folder = Path(location).absolute()

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


class Bucket:
    """A part of an object store: `az://`, `abfss://`, `s3://`, `gs://`. Its methods are those of `Place`.

    The engine reads local copies. A data file never changes, so each is fetched once and kept in the user's cache.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        try:
            import obstore  # noqa: PLC0415 - an optional extra
            from obstore.exceptions import BaseError  # noqa: PLC0415
            from obstore.store import from_url  # noqa: PLC0415
        except ImportError as error:
            raise StoreError(
                "stores in object stores need the extra `cloud`",
                where=location,
                hint="pip install 'kubewitness[cloud]'",
            ) from error
        self._objects = obstore
        self._error = BaseError
        try:
            self._store = from_url(location)
        except (BaseError, ValueError) as error:
            raise StoreError(str(error).splitlines()[0], where=location) from error
        cache = user_cache()
        if cache is None:
            raise StoreError(
                "there is no folder for what is fetched", where=location, hint="set XDG_CACHE_HOME to one of your own"
            )
        self._copies = cache / "stores" / hashlib.sha256(location.encode()).hexdigest()[:16]

    @contextmanager
    def staging(self, folder: Path) -> Iterator[Path]:
        """A folder beside the engine's temporary files."""
        path = folder / f"staging-{uuid4().hex}"
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def keep(self, file: str, path: str) -> None:
        """Send a finished file."""
        with self._as_os_errors():
            self._objects.put(self._store, path, Path(file))
        Path(file).unlink()

    def delete(self, path: str) -> None:
        """Delete an object."""
        with self._as_os_errors():
            self._objects.delete(self._store, path)

    def paths(self, files: Iterable[str]) -> dict[str, str]:
        """Local copies, fetched where they are not there yet."""
        found = {path: self._copies / path for path in files}
        missing = [path for path, copy in found.items() if not copy.exists()]
        if missing:
            self._copies.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                with ThreadPoolExecutor(_FETCHES) as pool:
                    for _ in pool.map(self._fetch, missing):
                        pass
            except OSError as error:
                raise StoreError(f"cannot be fetched: {error}", where=self.location) from error
        return {path: str(copy) for path, copy in found.items()}

    def sweep(self, hours: int, *, is_dry_run: bool) -> list[str]:
        """Nothing is half written in an object store."""
        del hours, is_dry_run
        return []

    def size(self, path: str) -> int | None:
        """Bytes of an object."""
        try:
            return int(self._objects.head(self._store, path)["size"])
        except FileNotFoundError:
            return None

    @contextmanager
    def _as_os_errors(self) -> Iterator[None]:
        """Raise what goes wrong as what a folder would raise."""
        try:
            yield
        except self._error as error:
            raise OSError(str(error).splitlines()[0]) from error

    def _fetch(self, path: str) -> None:
        copy = self._copies / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        unfinished = copy.with_name(f"{copy.name}.{uuid4().hex}")
        try:
            with self._as_os_errors(), unfinished.open("wb") as file:
                for chunk in self._objects.get(self._store, path).stream():
                    file.write(chunk)
            unfinished.replace(copy)
        finally:
            unfinished.unlink(missing_ok=True)
