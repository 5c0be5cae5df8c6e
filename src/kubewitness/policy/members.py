"""Members of a JSON object as text, so that some can be taken out without touching the others."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from kubewitness.decode.json_text import Scanner, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Members: TypeAlias = "list[tuple[str, bytes | msgspec.Raw]]"
"""Name and JSON text of each member, in their order; a name may come twice."""

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_STRING = re.compile(rb'\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\]}]+")
_SPACE = re.compile(rb"\s*")


def members_of(text: bytes | msgspec.Raw) -> Members | None:
    """Members of an object; None when the text is no object."""
    try:
        found = _OBJECT.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    # A parser keeps one of several members of one name. Without white space the lengths tell whether it had to.
    length = sum(len(memoryview(value)) + len(name) for name, value in found.items()) + 4 * len(found) + 1
    if length == len(memoryview(text)) or not found:
        return list(found.items())
    return _all_members(bytes(text))


def _all_members(text: bytes) -> Members:
    """Members of a well-formed object, also those whose name comes again."""
    found: Members = []
    at = text.index(b"{") + 1
    while name := _STRING.match(text, at):
        begin = _end(_SPACE, text, name.end() + 1)
        if text[begin] in b"{[":
            status, end = Scanner().feed(text, begin)
            if status is not Status.COMPLETE:  # pragma: no cover - the parser took it
                raise ValueError("not well-formed")
        elif text[begin] == ord('"'):
            end = _end(_STRING, text, begin)
        else:
            end = _end(_SCALAR, text, begin)
        found.append((json.loads(name[1]), text[begin:end].rstrip()))
        at = _end(_SPACE, text, end) + 1
    return found


def _end(pattern: re.Pattern[bytes], text: bytes, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def object_of(members: Iterable[tuple[str, bytes | msgspec.Raw]]) -> bytes:
    """The object with these members."""
    return b"{%b}" % b",".join(b"%b:%b" % (msgspec.json.encode(name), value) for name, value in members)


def changed(
    text: bytes | msgspec.Raw, name: str, change: Callable[[bytes | msgspec.Raw], bytes | msgspec.Raw]
) -> bytes:
    """An object in which every member of this name is changed; what is no object stays as it is."""
    members = members_of(text)
    if members is None or all(known != name for known, _ in members):
        return bytes(text)
    return object_of((known, change(value) if known == name else value) for known, value in members)


def changed_items(text: bytes | msgspec.Raw, change: Callable[[bytes | msgspec.Raw], bytes | msgspec.Raw]) -> bytes:
    """An array each item of which is changed; what is no array stays as it is."""
    try:
        items = _ARRAY.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return bytes(text)
    return b"[%b]" % b",".join(change(item) for item in items)
