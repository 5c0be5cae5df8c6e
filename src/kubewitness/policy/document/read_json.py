"""JSON as encoding/json reads it: the last of duplicate names wins, nothing may follow the value."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from kubewitness.policy.document.go_text import quoted
from kubewitness.policy.document.nodes import DecodingError, Mark, Member, Node, Number

if TYPE_CHECKING:
    from kubewitness.policy.document.nodes import Value

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_STRING = re.compile(r'"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"')
_ESCAPE = re.compile(r"\\(u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|.)")
_SIMPLE = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: dict[str, bool | None] = {"null": None, "true": True, "false": False}
_MAX_DEPTH = 150
"""The server allows 10,000; no policy is deeper than six."""


def read_json(text: str) -> Node:
    """The value of a JSON text.

    Raises:
        DecodingError: it is not JSON.
    """
    return _Reader(text).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def document(self) -> Node:
        node = self._value(0)
        self._skip_space()
        if self._at < len(self._text):
            raise self._error("after top-level value")
        return node

    def _value(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise DecodingError("exceeded max depth", self._mark())
        self._skip_space()
        mark = self._mark()
        return Node(self._inner(depth), mark)

    def _inner(self, depth: int) -> Value:
        text, at = self._text, self._at
        match text[at : at + 1]:
            case "{":
                return self._object(depth)
            case "[":
                return self._array(depth)
            case '"':
                return self._string()
            case _:
                pass
        if number := _NUMBER.match(text, at):
            self._at = number.end()
            return Number(number.group())
        for word, value in _WORDS.items():
            if text.startswith(word, at):
                self._at += len(word)
                return value
        raise self._error("looking for beginning of value")

    def _object(self, depth: int) -> dict[str, Member]:
        self._at += 1
        members: dict[str, Member] = {}
        if self._peek() == "}":
            self._at += 1
            return members
        while True:
            if self._peek() != '"':
                raise self._error("looking for beginning of object key string")
            mark = self._mark()
            name = self._string()
            if self._peek() != ":":
                raise self._error("after object key")
            self._at += 1
            node = self._value(depth + 1)
            before = members.pop(name, None)
            earlier = (*before.earlier, Member(before.mark, before.node)) if before else ()
            members[name] = Member(mark, node, earlier)
            match self._peek():
                case ",":
                    self._at += 1
                case "}":
                    self._at += 1
                    return members
                case _:
                    raise self._error("after object key:value pair")

    def _array(self, depth: int) -> list[Node]:
        self._at += 1
        items: list[Node] = []
        if self._peek() == "]":
            self._at += 1
            return items
        while True:
            items.append(self._value(depth + 1))
            match self._peek():
                case ",":
                    self._at += 1
                case "]":
                    self._at += 1
                    return items
                case _:
                    raise self._error("after array element")

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if not found:
            raise DecodingError("invalid character in string literal, or unexpected end of JSON input", self._mark())
        self._at = found.end()
        return _ESCAPE.sub(lambda match: _unescaped(match.group(1)), found.group(1))

    def _peek(self) -> str:
        self._skip_space()
        return self._text[self._at : self._at + 1]

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _mark(self) -> Mark:
        line = bisect_right(self._lines, self._at)
        return Mark(line, self._at - self._lines[line - 1] + 1)

    def _error(self, where: str) -> DecodingError:
        if self._at >= len(self._text):
            return DecodingError("unexpected end of JSON input", self._mark())
        char = self._text[self._at]
        shown = "'\\''" if char == "'" else "'\"'" if char == '"' else f"'{quoted(char)[1:-1]}'"
        return DecodingError(f"invalid character {shown} {where}", self._mark())


def _unescaped(escape: str) -> str:
    if escape[0] != "u":
        return _SIMPLE.get(escape, escape)
    if len(escape) > 5:  # noqa: PLR2004 - two halves of one character
        high, low = int(escape[1:5], 16), int(escape[7:], 16)
        return chr(0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF))
    code = int(escape[1:], 16)
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)  # noqa: PLR2004 - half of a character
