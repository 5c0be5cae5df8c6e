"""What is kept between runs, in the user's own cache: what takes long to find out and is the same every time."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from importlib.resources import as_file, files
from typing import Any, TypeVar

import msgspec

from kubewitness import __version__
from kubewitness.sources.user_cache import user_cache

_MADE_OF = {".py", ".sql", ".yaml"}
_Kept = TypeVar("_Kept")


def name_of(kind: str, *depends_on: object) -> str:
    """Under what to keep something: its kind, and a hash of all that it depends on.

    What it depends on must be written (`repr`) in the same way by every run: no sets.
    """
    return f"{kind}-{digest_of(depends_on)}.json"


def digest_of(value: object) -> str:
    """A hash of a value as it is written (`repr`)."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:32]


def recall(name: str, type_: type[_Kept]) -> _Kept | None:
    """What was kept under a name, by its type; None when nothing is, or it cannot be read."""
    folder = user_cache()
    if folder:
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode((folder / name).read_bytes(), type=type_)
    return None


def keep(name: str, value: Any, *, most: int, most_bytes: int | None = None) -> None:
    """Keep something, or do without: a cache that cannot be written is no error.

    Args:
        name: as `name_of` gives it.
        value: what to keep, in types that JSON can say.
        most: so many of a kind are kept, the latest.
        most_bytes: what is larger is not kept.
    """
    folder = user_cache()
    if folder is None:
        return
    data = msgspec.json.encode(value)
    if most_bytes is not None and len(data) > most_bytes:
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
