"""JSON as text: make it valid UTF-8, parse one level, find where a value ends, measure how deep it is.

msgspec parses; what it cannot say (where a broken value breaks) is done here with regular expressions that
take linear time.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from itertools import accumulate
from typing import Any

import msgspec

MAX_DEPTH = 101  # an event whose bodies are 100 levels deep; the engine reads 128
WHITESPACE = b" \t\r\n"
_BLANK = WHITESPACE + b"\0"
_BOM = b"\xef\xbb\xbf"
_QUOTE = 0x22
_REPLACEMENT = "\ufffd".encode()

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_STRING = msgspec.json.Decoder(str)
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")

_BAD_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)

_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"{}[]")
_STEPS = [1 if byte in b"{[" else -1 if byte in b"}]" else 0 for byte in range(256)]


def tidy(text: bytes) -> bytes:
    """Strip blanks, NULs and a byte order mark from both ends and make the rest valid UTF-8 without NUL.

    Bytes that are not UTF-8, and NULs, become U+FFFD.
    """
    text = text.strip(_BLANK)
    if text.startswith(_BOM):
        text = text[len(_BOM) :].strip(_BLANK)
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text = text.decode(errors="replace").encode()
    return text.replace(b"\0", _REPLACEMENT) if b"\0" in text else text


def clean_escapes(text: bytes) -> bytes:
    r"""Replace the escapes `\u0000` and lone surrogates by U+FFFD: the engine refuses them."""
    if _BAD_ESCAPE.search(text) is None:
        return text
    return _ESCAPE.sub(lambda match: _REPLACEMENT if match[1] else match[0], text)


def parse_object(text: bytes) -> dict[str, msgspec.Raw] | None:
    """Parse one level of a JSON object; None when the text is anything else or not well-formed throughout."""
    try:
        return _OBJECT.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def string_of(raw: msgspec.Raw | bytes) -> str | None:
    """Give the value of a JSON string; None when it is not a string."""
    view = memoryview(raw)
    if not view or view[0] != _QUOTE:
        return None
    try:
        return _STRING.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        try:
            return _STRING.decode(clean_escapes(bytes(raw)))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None


def object_end(view: memoryview) -> int | None:
    """Find where the well-formed JSON object at the start of a buffer ends, at the parser's speed.

    Returns:
        Offset just after it, or None when it is not well-formed, or not complete, or the parser cannot say.
    """
    try:
        _OBJECT.decode(view)
    except msgspec.DecodeError as error:
        found = _TRAILING.search(str(error))  # it tells the place of the first byte too many, from 1
        end = int(found[1]) - 1 if found else 0
        is_sure = bytes(view[max(0, end - 64) : end]).rstrip().endswith(b"}")
        return end if is_sure else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return len(view)


def object_fields(raw: msgspec.Raw | bytes) -> dict[str, msgspec.Raw]:
    """Give the members of an object, undecoded; none when it is no object."""
    return parse_object(bytes(raw)) or {}


def array_items(raw: msgspec.Raw | bytes) -> list[msgspec.Raw] | None:
    """Give the items of an array, undecoded; None when it is no well-formed array."""
    try:
        return _ARRAY.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def value_of(raw: msgspec.Raw | bytes | None) -> Any:
    """Decode a value entirely; None when it is absent, null, or cannot be decoded."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def depth_of(text: bytes) -> int:
    """Count the levels of containers in a well-formed JSON text; up to MAX_DEPTH, an upper bound of them."""
    bound = text.count(b"{") + text.count(b"[")
    if bound <= MAX_DEPTH:
        return bound
    outside = b"".join(text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    return max(accumulate(_STEPS[byte] for byte in outside.translate(None, _NOT_BRACKETS)), default=0)


class Status(Enum):
    """How a scan ended."""

    COMPLETE = auto()  # the outermost container was closed
    OPEN = auto()  # all was read, outside of a string, with containers open
    IN_STRING = auto()  # all was read, inside of a string
    BROKEN = auto()  # this cannot be JSON, however it goes on


_FILLER = rb"[\s,:\w.+\-]*+"
_STRING_TOKEN = rb'"(?:[^"\\\n]++|\\[^\n])*+"(?=\s*+(?:[,:\]}]|\Z))'
_TAIL = re.compile(rb"%b(?:%b%b)*+" % (_FILLER, _STRING_TOKEN, _FILLER))
_RUN = re.compile(rb"%b(?:%b%b)*+([{}\[\]])" % (_FILLER, _STRING_TOKEN, _FILLER))
_UNTERMINATED = re.compile(rb'"(?:[^"\\\n]++|\\[^\n])*+\\?\Z')
_OPENERS = {0x7B: 0x7D, 0x5B: 0x5D}  # { -> }, [ -> ]
_BEFORE = {0x7D: b":", 0x5D: b",["}  # what can stand before a container inside of an object, of an array


class Scanner:
    """Finds the end of a JSON container by its brackets, piece by piece, in linear time.

    It notices what a cut record leaves behind: a string that runs over the end of a line, and a container
    that opens where none can stand. It does not check everything a parser checks.
    """

    __slots__ = ("_closers", "_last")

    def __init__(self) -> None:
        self._closers = bytearray()
        self._last = 0  # the last byte that was not a blank

    @property
    def depth(self) -> int:
        """Number of containers that are open."""
        return len(self._closers)

    def copy(self) -> Scanner:
        """Give a scanner at the same place."""
        other = Scanner()
        other._closers, other._last = self._closers[:], self._last
        return other

    def feed(self, text: bytes, start: int = 0) -> tuple[Status, int]:
        """Go on scanning.

        Args:
            text: more text.
            start: offset to begin at; the first text must have an opening bracket there.

        Returns:
            How it ended, and where: just after the container (COMPLETE), at the place from which to scan
            again once there is more (OPEN, IN_STRING), or at what is wrong (BROKEN).
        """
        closers, at = self._closers, start
        while run := _RUN.match(text, at):
            end = run.end()
            bracket = text[end - 1]
            if bracket in _OPENERS:
                before = text[at : end - 1].rstrip()
                last = before[-1] if before else self._last
                if closers and last not in _BEFORE[closers[-1]]:
                    return Status.BROKEN, end - 1
                closers.append(_OPENERS[bracket])
            elif not closers or closers.pop() != bracket:
                return Status.BROKEN, end - 1
            elif not closers:
                return Status.COMPLETE, end
            self._last, at = bracket, end
        tail = _TAIL.match(text, at)
        end = tail.end() if tail else at
        if end < len(text):
            return (Status.IN_STRING if _UNTERMINATED.match(text, end) else Status.BROKEN), end
        rest = text[at:].rstrip()
        if rest:
            self._last = rest[-1]
        return Status.OPEN, at
