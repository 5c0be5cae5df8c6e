"""Decode a stream that is not one record a line: arrays, pretty-printed and concatenated objects, envelopes.

Arrays are read element by element, so that memory holds one element, whatever the size of the file. Text
between JSON values is decoded line by line.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, BinaryIO

from kubewitness.decode.json_text import Scanner, Status, object_end
from kubewitness.decode.reading import decode_text
from kubewitness.decode.record import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.decode.outcome import Outcome

_OPEN_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY, _QUOTE = b'{[]"'
_CHUNK_BYTES = 1024 * 1024
_BLANKS = re.compile(rb"[\s\0]*+")
_BETWEEN = re.compile(rb"[\s\0,]*+")
_SCALAR = re.compile(rb'(?:"(?:[^"\\\n]++|\\[^\n])*+"|[^",\]\n]++)*+')
_FIRST_KEY = re.compile(rb'\{\s*+"(?:[^"\\\n]++|\\[^\n])*+"')
_INDENT = re.compile(rb"[ \t]*\Z")
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def decode_document(stream: BinaryIO) -> Iterator[Outcome]:
    """Decode a stream of JSON values.

    Args:
        stream: bytes, decompressed. UTF-8, or UTF-16 with a byte order mark.

    Yields:
        The outcomes of every value and of every element of an outermost array, with the line each begins on.
        Raises only what reading the stream raises.
    """
    yield from _Document(stream).decode()


class _Document:
    """One pass over a stream: a buffer, a place in it, and the number of the line there."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        self._line = 1
        self._ended = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._start()

    def decode(self) -> Iterator[Outcome]:
        in_array = False
        while self._skip(_BETWEEN if in_array else _BLANKS):
            byte = self._buffer[self._at]
            if in_array and byte == _CLOSE_ARRAY:
                in_array = False
                self._advance(self._at + 1)
            elif byte == _OPEN_ARRAY and not in_array:
                in_array = True
                self._advance(self._at + 1)
            else:
                line = self._line
                piece = self._value() if byte in b"{[" else self._scalar() if in_array else self._text_line()
                yield from decode_text(piece, Envelope(line))

    def _start(self) -> None:
        head = self._stream.read(2)
        encoding = _UTF16.get(head)
        if encoding is not None:
            self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        else:
            self._buffer = head
        self._more()
        if self._buffer.startswith(codecs.BOM_UTF8):
            self._at = len(codecs.BOM_UTF8)

    def _more(self) -> bool:
        """Read more, at least as much as is held already; drop what lies behind. False at the end."""
        if self._ended:
            return False
        held = self._buffer[self._at :]
        data = self._stream.read(max(_CHUNK_BYTES, len(held)))
        self._ended = not data
        if self._decoder is not None:
            data = self._decoder.decode(data, final=self._ended).encode(errors="replace")
        self._buffer, self._at = held + data, 0
        return not self._ended or bool(data)

    def _advance(self, end: int) -> None:
        self._line += self._buffer.count(b"\n", self._at, end)
        self._at = end

    def _skip(self, blanks: re.Pattern[bytes]) -> bool:
        """Skip what stands between values; False at the end of the stream."""
        while True:
            found = blanks.match(self._buffer, self._at)
            self._advance(found.end() if found else self._at)
            if self._at < len(self._buffer):
                return True
            if not self._more():
                return False

    def _cut_out(self, end: int) -> bytes:
        piece = self._buffer[self._at : end]
        self._advance(end)
        return piece

    def _text_line(self) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", self._at + searched)) < 0:
            searched = len(self._buffer) - self._at
            if not self._more():
                return self._cut_out(len(self._buffer))
        return self._cut_out(end)

    def _scalar(self) -> bytes:
        while True:
            found = _SCALAR.match(self._buffer, self._at)
            end = found.end() if found else self._at
            if (end < len(self._buffer) and self._buffer[end] != _QUOTE) or not self._more():
                return self._cut_out(max(end, self._at + 1) if end < len(self._buffer) else end)

    def _value(self) -> bytes:
        """Cut out one object or array: to its end, or when damaged to where the next one seems to begin."""
        end = object_end(memoryview(self._buffer)[self._at :]) if self._buffer[self._at] == _OPEN_OBJECT else None
        if end is not None:
            return self._cut_out(self._at + end)
        indent = _INDENT.search(self._buffer, self._buffer.rfind(b"\n", 0, self._at) + 1, self._at)
        scanner, scanned = Scanner(), 0
        while True:
            status, end = scanner.feed(self._buffer, self._at + scanned)
            if status is Status.COMPLETE:
                return self._cut_out(end)
            scanned = end - self._at
            if status is Status.BROKEN:
                return self._cut_out(self._next_start(scanned, indent[0] if indent else None))
            if not self._more():
                if status is Status.IN_STRING:  # perhaps a string that only lacks its end, with other values after it
                    return self._cut_out(self._next_start(scanned, indent[0] if indent else None))
                return self._cut_out(len(self._buffer))

    def _next_start(self, offset: int, indent: bytes | None) -> int:
        """Find where the value after a damaged one begins.

        That is where it broke, when an object begins there; else the next object that begins a line with the
        same indentation, or has the same first key as the damaged one and stands where an element can stand.
        """
        if self._buffer[self._at + offset] == _OPEN_OBJECT:
            return self._at + offset
        key = _FIRST_KEY.match(self._buffer, self._at)
        ways = [rb"[,\[\]}\n][ \t]*(?=%b)" % re.escape(key[0])] if key else []
        if indent is not None:
            ways.append(rb"\n%b(?=\{)" % re.escape(indent))
        if not ways:
            return len(self._buffer)
        pattern = re.compile(b"|".join(ways))
        searched = offset
        while (found := pattern.search(self._buffer, self._at + searched)) is None:
            searched = max(offset, len(self._buffer) - self._at - 1000)
            if not self._more():
                return len(self._buffer)
        return found.end()
