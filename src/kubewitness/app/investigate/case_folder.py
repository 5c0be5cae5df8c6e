"""A case on disk: a folder of small files that can be read, kept under version control and merged.

case.json                           title, author, time
entries/20261117T081500Z-alert-1f0c2a9b.json
one entry each; never changed
records/SHA256.txt                  the original bytes of each pinned record: not redacted
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from kubewitness.investigate.case import Case, Entry, Kind
from kubewitness.model.errors import KubewitnessError, UsageError
from kubewitness.words.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_Kind = TypeVar("_Kind", Case, Entry)
HEAD = "case.json"
ENTRIES = "entries"
RECORDS = "records"
_README = """\
# A kubewitness case

`records/` holds original records of audit logs, NOT redacted: they may hold secrets and personal data. Keep this
folder as you keep the logs themselves. Everything else is redacted.

    kubewitness case show .
    kubewitness case export . --html case.html
    kubewitness case verify .
"""


class CaseError(KubewitnessError):
    """A case cannot be read, or is not what it says."""


def new_case(folder: Path, title: str, author: str) -> Case:
    """Make the folder of a case.

    Raises:
        UsageError: there is something already, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("is there already", where=str(folder), hint="name a new folder")
    case = Case(secrets.token_hex(8), title, now(), author)
    try:
        for name in (ENTRIES, RECORDS):
            (folder / name).mkdir(parents=True)
        (folder / RECORDS).chmod(0o700)
        (folder / "README.md").write_text(_README, encoding="utf-8")
        _write(folder / HEAD, {name: value for name, value in plain(case).items() if name != "entries"})
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(folder)) from error
    return case


def read_case(folder: Path) -> Case:
    """Read a case.

    Raises:
        CaseError: it is none, or one of its files is broken; says which.
    """
    head = folder / HEAD
    try:
        case = case_of(head.read_bytes(), str(head))
        texts = [(str(path), path.read_bytes()) for path in (folder / ENTRIES).glob("*.json")]
    except OSError as error:
        raise CaseError(
            "is no case", where=str(folder), hint="kubewitness case new FOLDER --title TEXT makes one"
        ) from error
    entries = [entry_of(text, where) for where, text in texts]
    return replace(case, entries=tuple(sorted(entries, key=lambda entry: (entry.added_at, entry.id))))


def case_of(text: bytes, where: str) -> Case:
    """The head of a case.

    Raises:
        CaseError: it is broken.
    """
    return _decoded(text, Case, where)


def entry_of(text: bytes, where: str) -> Entry:
    """An entry.

    Raises:
        CaseError: it is broken.
    """
    return _decoded(text, Entry, where)


def _decoded(text: bytes, kind: type[_Kind], where: str) -> _Kind:
    try:
        found = msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CaseError(f"is broken: {error}", where=where, hint="take it from a copy of the case") from error
    return cast("_Kind", _naive(found))


def _naive(value: Any) -> Any:
    """Times without a zone, which are UTC everywhere inside."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _naive(getattr(value, each.name)) for each in fields(value)})
    if isinstance(value, tuple):
        return tuple(_naive(each) for each in value)
    return value


def add_entry(folder: Path, entry: Entry, records: Iterable[bytes] = ()) -> Path:
    """Write an entry, after the records that it pins.

    Raises:
        UsageError: it cannot be written.
    """
    name = f"{entry.added_at:%Y%m%dT%H%M%SZ}-{entry.kind.value}-{entry.id}.json"
    try:
        for record in records:
            path = folder / RECORDS / record_name(digest(record))
            if not path.exists():
                path.write_bytes(record)
        path = folder / ENTRIES / name
        _write(path, plain(entry))
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(folder)) from error
    return path


def find_entry(case: Case, name: str) -> Entry:
    """The entry whose id begins so.

    Raises:
        UsageError: none does, or several do.
    """
    found = [entry for entry in case.entries if entry.id.startswith(name)] if name else []
    if len(found) != 1:
        known = ", ".join(entry.id for entry in case.entries[-5:]) or "none"
        problem = "several entries begin so" if found else "no entry begins so"
        raise UsageError(f"{problem}: `{name}`", hint=f"kubewitness case show lists them; the last are {known}")
    return found[0]


def new_entry(kind: Kind, author: str, note: str = "", **parts: Any) -> Entry:
    """An entry of now."""
    return Entry(secrets.token_hex(4), kind, now(), author, note, **parts)


def record_name(sha256: str) -> str:
    """Name of the file of a record; most are JSON, but not all."""
    return f"{sha256}.txt"


def now() -> datetime:
    """The time (UTC, naive)."""
    return datetime.now(UTC).replace(tzinfo=None)


def digest(text: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(text).hexdigest()


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def originals(folder: Path, case: Case) -> dict[str, str]:
    """Texts of the original records of a case by hash; those that are missing are left out."""
    found: dict[str, str] = {}
    for sha256 in case.records:
        path = folder / RECORDS / record_name(sha256)
        if path.is_file():
            found[sha256] = path.read_bytes().decode(errors="replace")
    return found
