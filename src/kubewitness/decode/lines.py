"""Decode lines: any format in each, objects over several lines, lines joined by a bare carriage return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.json_text import Scanner, Status, tidy
from kubewitness.decode.outcome import Outcome, Rejected
from kubewitness.decode.reading import begins_record, decode_text, is_structure
from kubewitness.decode.record import Envelope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_JOINED_BYTES = 16 * 1024 * 1024
_MAX_JOINED_DEPTH = 1000


def decode_lines(lines: Iterable[tuple[int, bytes]]) -> Iterator[Outcome]:
    """Decode lines of any format.

    Consecutive lines that are no records by themselves but one object together (pretty-printed, up to 16
    MiB) become one record. Blank lines are skipped.

    Args:
        lines: number of each line, from 1, and its bytes without the newline. Numbers may jump: lines apart
            are not joined.

    Yields:
        At least one outcome for each line that is not blank and not a part of a larger record. Never raises.
    """
    joiner = _Joiner()
    for number, line in lines:
        if b"\r" in line:
            for part in line.split(b"\r"):
                yield from joiner.take(number, part)
        else:
            yield from joiner.take(number, line)
    yield from joiner.finish()


class _Joiner:
    """Holds back the lines of an object that has begun and not ended."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._first = 0
        self._last = 0
        self._size = 0
        self._scanner = Scanner()
        self._in_list = False  # the head of a list went by, whose end is still to come

    def take(self, number: int, line: bytes) -> Iterator[Outcome]:
        """Take the next line; give what is complete by now."""
        is_next = number <= self._last + 1
        self._last = number
        if self._held and not is_next:
            yield from self.finish()
        text = tidy(line)
        if not text:
            if b"\0" in line:
                yield Rejected(number, "not JSON: nothing but NUL bytes")
            elif self._held:
                self._hold(b"")  # keeps the count of lines
            return
        if self._held:
            if self._continues(text):
                status, _ = self._scanner.feed(text)
                self._hold(text)
                if status is not Status.OPEN or self._is_too_large():
                    yield from self.finish()
                return
            yield from self.finish()
        if text[0] in b"{[" and not text.endswith((b"}", b"]")) and self._begins(text):
            self._first = number
            self._hold(text)
        elif self._in_list and is_structure(text):
            self._in_list = False
        else:
            yield from decode_text(text, Envelope(number))

    def finish(self) -> Iterator[Outcome]:
        """Give what the held lines are, as one record."""
        if not self._held:
            return
        text = b"\n".join(self._held)
        self._held.clear()
        self._size = 0
        self._in_list = True
        for outcome in decode_text(text, Envelope(self._first)):
            self._in_list = False
            yield outcome

    def _begins(self, text: bytes) -> bool:
        self._scanner = Scanner()
        return self._scanner.feed(text)[0] is Status.OPEN

    def _continues(self, text: bytes) -> bool:
        """Whether a line goes on with the held ones, as opposed to being a record by itself, or nonsense."""
        if begins_record(text):
            return False
        return self._scanner.copy().feed(text)[0] is not Status.BROKEN

    def _hold(self, text: bytes) -> None:
        self._held.append(text)
        self._size += len(text)

    def _is_too_large(self) -> bool:
        return self._size > _MAX_JOINED_BYTES or self._scanner.depth > _MAX_JOINED_DEPTH
