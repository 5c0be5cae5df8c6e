"""Lists as data: values that rules name instead of holding them, each with the reason why it is there.

A rule names a list with Sigma's modifier `expand`: `userAgent|contains|expand: '%offensive-user-agents%'`. A file is a
list, its stem the list's name:

    about: Registries that our images come from.
    entries:
      - value: shop.azurecr.io/*
        reason: the team's own registry

or plain text, one value per line, the reason behind `#`; a comment on a line of its own is the reason of the
lines below it. Lists of the same name in several folders are joined; `replaces: true` leaves out the earlier ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.model.errors import ListError, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NOTHING = "\N{SYMBOL FOR NULL}an empty list"
"""Stands where a list has no value: a test of it is never true."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YAML_SUFFIXES = (".yml", ".yaml")
_SUFFIXES = (*_YAML_SUFFIXES, ".txt")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PLACEHOLDER = re.compile(r"%([a-zA-Z0-9_-]+)%")
_EXPAND = "expand"
_DEEPEST = 30
_LONGEST_SHOWN = 60
_EXAMPLE = "entries: [{value: 203.0.113.7, reason: seen in an incident}]"


@dataclass(frozen=True, slots=True)
class Entry:
    """A value, in which Sigma's wildcards may stand, and why it is on the list."""

    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class NamedList:
    """A list of values.

    Attributes:
        name: kebab-case; what rules write between per cent signs.
        about: what it holds.
        entries: its values, each once.
    """

    name: str
    about: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists by name. A list that is not there has no values."""

    by_name: Mapping[str, NamedList] = field(default_factory=dict)

    def values(self, name: str) -> tuple[str, ...]:
        """Values of a list; none when there is no such list."""
        found = self.by_name.get(name)
        return tuple(entry.value for entry in found.entries) if found else ()

    def with_values(self, values: Mapping[str, Sequence[str]]) -> Lists:
        """These lists, some of them replaced."""
        added = {name: NamedList(name, "", tuple(Entry(each, "") for each in own)) for name, own in values.items()}
        return Lists({**self.by_name, **added})


@lru_cache(maxsize=1)
def builtin_lists() -> Lists:
    """The lists of this package."""
    with as_file(files("kubewitness").joinpath("lists")) as folder:
        return Lists(_load(folder, Path("lists"), {}))


def load_lists(folders: Sequence[Path] = ()) -> Lists:
    """The lists of this package, and those of folders or single files.

    Raises:
        ListError: a file is no list; says where and why.
    """
    found = dict(builtin_lists().by_name)
    for folder in folders:
        found = _load(folder, folder, found)
    return Lists(found)


def list_files(folder: Path) -> list[Path]:
    """Files of lists under a folder, sorted; the file itself when it is one."""
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES and path.is_file())


def expand(document: Any, lists: Lists, *, depth: int = 0) -> Any:
    """A Sigma document, or a part of one, with the values of lists in place of their names."""
    match document:
        case _ if depth > _DEEPEST:  # a document that holds itself; whoever reads it refuses it
            return document
        case dict():
            return dict(_expanded(key, value, lists, depth) for key, value in document.items())
        case list():
            return [expand(item, lists, depth=depth + 1) for item in document]
        case _:
            return document


def named_lists(document: Any) -> Iterator[str]:
    """Names of the lists that a Sigma document, or a part of one, asks for."""
    match document:
        case dict():
            for key, value in document.items():
                if _names_lists(key):
                    for item in value if isinstance(value, list) else [value]:
                        yield from _PLACEHOLDER.findall(str(item))
                else:
                    yield from named_lists(value)
        case list():
            for item in document:
                yield from named_lists(item)


def _names_lists(key: Any) -> bool:
    return isinstance(key, str) and _EXPAND in key.split("|")[1:]


def _expanded(key: Any, value: Any, lists: Lists, depth: int) -> tuple[Any, Any]:
    if not _names_lists(key):
        return key, expand(value, lists, depth=depth + 1)
    field_name, *modifiers = key.split("|")
    given = value if isinstance(value, list) else [value]
    values = [each for item in given for each in _values(item, lists)]
    if not values:  # whatever is to be done with the values: there is none
        return field_name, NOTHING
    return "|".join([field_name, *(each for each in modifiers if each != _EXPAND)]), values


def _values(item: Any, lists: Lists) -> list[Any]:
    """One value for each way to fill the names in a text; numbers and other values stay as they are."""
    found = _PLACEHOLDER.search(item) if isinstance(item, str) else None
    if found is None:
        return [item]
    before, behind = item[: found.start()], item[found.end() :]
    return [before + value + rest for value in lists.values(found[1]) for rest in _values(behind, lists)]


def _load(folder: Path, shown: Path, found: Mapping[str, NamedList]) -> dict[str, NamedList]:
    if not folder.exists():
        raise ListError("no such folder or file", where=str(shown), hint="name a folder of lists, or one of them")
    result = dict(found)
    for path in list_files(folder):
        name = str(shown / path.relative_to(folder)) if folder.is_dir() else str(shown)
        own, replaces = _read(path, name)
        earlier = result.get(own.name)
        if earlier and not replaces:
            entries = {entry.value: entry for entry in (*earlier.entries, *own.entries)}
            own = NamedList(own.name, own.about or earlier.about, tuple(entries.values()))
        result[own.name] = own
    return result


def _read(path: Path, where: str) -> tuple[NamedList, bool]:
    if not _NAME.fullmatch(path.stem):
        raise ListError(
            f"`{path.stem}` is no name of a list", where=where, hint="name the file in lower case: trusted-networks.yml"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ListError(f"cannot be read: {reason_of(error)}", where=where) from error
    if path.suffix not in _YAML_SUFFIXES:
        return _plain(text, path.stem, where), False
    try:
        document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - CSafeLoader is the safe loader in C
    except yaml.YAMLError as error:
        raise ListError(f"not YAML: {' '.join(str(error).split())}", where=where) from error
    if not isinstance(document, dict) or not document.keys() <= {"about", "entries", "replaces"}:
        raise ListError("a list has `about`, `entries` and `replaces`, and nothing else", where=where, hint=_EXAMPLE)
    listed = document.get("entries") or []
    if not isinstance(listed, list):
        raise ListError("`entries` is not a list", where=where, hint=_EXAMPLE)
    entries = [_entry(item, f"{where}, entry {number}") for number, item in enumerate(listed, 1)]
    return _named(path.stem, str(document.get("about") or ""), entries), bool(document.get("replaces"))


def _entry(item: Any, where: str) -> Entry:
    if not isinstance(item, dict) or item.keys() != {"value", "reason"} or None in item.values():
        raise ListError("an entry has a `value` and a `reason`", where=where, hint=_EXAMPLE)
    return Entry(str(item["value"]), str(item["reason"]))


def _plain(text: str, name: str, where: str) -> NamedList:
    entries: list[Entry] = []
    above = ""
    for number, line in enumerate(text.splitlines(), 1):
        value, _, reason = (part.strip() for part in line.partition("#"))
        if value and not (reason or above):
            shown = value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}..."
            raise ListError(
                "a value needs a reason", where=f"{where}:{number}", hint=f"write `{shown}  # why it is here`"
            )
        if value:
            entries.append(Entry(value, reason or above))
        elif reason:
            above = reason
    return _named(name, "", entries)


def _named(name: str, about: str, entries: Sequence[Entry]) -> NamedList:
    return NamedList(name, " ".join(about.split()), tuple({entry.value: entry for entry in entries}.values()))
