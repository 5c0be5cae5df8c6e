"""What is kept between runs, in the user's own cache: what takes long to find out and is the same every time."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from importlib.resources import as_file, files
from pathlib import Path

from kubewitness import __version__

_MADE_OF = {".py", ".sql", ".yaml"}


def recall(name: str) -> bytes | None:
    """What was kept under a name; None when nothing is, or it cannot be read."""
    folder = _folder()
    if folder:
        with suppress(OSError):
            return (folder / name).read_bytes()
    return None


def keep(name: str, data: bytes, *, most: int) -> None:
    """Keep something, or do without: a cache that cannot be written is no error.

    Args:
        name: `KIND-WHICH.json`, where WHICH is a hash of all that it depends on.
        data: what to keep.
        most: so many of a kind are kept, the latest.
    """
    folder = _folder()
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = (folder / name).with_suffix(f".{os.getpid()}")
        with open(unfinished, "wb", opener=_for_its_owner) as file:
            file.write(data)
        unfinished.replace(folder / name)
        kind = name.partition("-")[0]
        kept = sorted(folder.glob(f"{kind}-*.json"), key=lambda each: each.stat().st_mtime)
        for old in kept[:-most]:
            old.unlink(missing_ok=True)
    except OSError:
        return


def _for_its_owner(path: str, flags: int) -> int:
    """Open a file that nobody else may read: what logs say is not for others."""
    return os.open(path, flags, 0o600)


def program_state(*parts: str) -> str:
    """A hash of the version of this program and of what is in some of its packages."""
    digest = hashlib.sha256(__version__.encode())
    with as_file(files("kubewitness")) as package:
        for part in parts:
            for path in sorted((package / part).rglob("*.*")):
                if path.suffix in _MADE_OF:
                    state = path.stat()
                    digest.update(f"{path.name} {state.st_size} {state.st_mtime_ns}".encode())
    return digest.hexdigest()


def _folder() -> Path | None:
    """The user's own cache; a folder that others can write to would let them choose the SQL that is run."""
    if home := os.environ.get("XDG_CACHE_HOME"):
        return Path(home) / "kubewitness"
    try:
        return Path.home() / ".cache" / "kubewitness"
    except RuntimeError:  # a container may run as a user that has no home
        return None
