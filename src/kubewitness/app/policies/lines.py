"""Writing lines of a log again: copied, left out or edited, as one letter for each says."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from kubewitness.app.policies.lines_again import LinesAgain
from kubewitness.decode import Canonical, Event, decode_lines, read_canonical
from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.model.recording import Level
from kubewitness.policy.action import Action
from kubewitness.policy.edit import Edit, edited
from kubewitness.policy.wrapped import edited_record, event_in

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterable, Iterator

    from kubewitness.app.policies.pieces import Piece
    from kubewitness.policy.secrets import SecretHasher

_RUNS = re.compile(rb"K+|[NS-]+|.", re.DOTALL)
_WINDOW_BYTES = 1 << 20
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")
_UNWRITTEN = b"NS-"
_COPIED = ord("K")
EDITS: dict[Action, tuple[Level | None, bool]] = {
    Action.KEEP: (None, False),
    Action.KEEP_WITHOUT_MANAGED_FIELDS: (None, True),
    Action.LOWER_TO_METADATA: (Level.METADATA, False),
    Action.LOWER_TO_REQUEST: (Level.REQUEST, False),
    Action.LOWER_TO_REQUEST_WITHOUT_MANAGED_FIELDS: (Level.REQUEST, True),
}


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """How to write.

    Attributes:
        keep_envelope: leave events in the Azure record or row that they came in; others are written plain.
        redact: takes the secrets out of bodies.
    """

    keep_envelope: bool = False
    redact: SecretHasher | None = None


class _Window:
    """A file, read a large piece at a time."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - paths are text here; `close` closes it
        self._begin = 0
        self._text = b""

    def read(self, begin: int, end: int, behind: int) -> bytes:
        """Bytes of the file, and for the next time what follows them up to `behind`."""
        start = begin - self._begin
        if start < 0 or end > self._begin + len(self._text):
            self._begin, start = begin, 0
            self._text = os.pread(self._file.fileno(), max(end - begin, min(_WINDOW_BYTES, behind - begin)), begin)
        return self._text[start : end - self._begin]

    def close(self) -> None:
        self._file.close()


class Editor:
    """Makes the lines of the output. Use it as a context manager: it keeps files open.

    Args:
        options: how to write.
    """

    def __init__(self, options: ApplyOptions) -> None:
        self._keep_envelope = options.keep_envelope
        self._edits = {ord(action): Edit(level, managed, options.redact) for action, (level, managed) in EDITS.items()}
        self._copies = options.redact is None
        self._again = LinesAgain()
        self._window: _Window | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._again.close()
        if self._window is not None:
            self._window.close()

    def texts(self, pieces: Iterable[Piece]) -> Iterator[bytes]:
        """Yield what is to be written for pieces: whole lines with their newlines, or parts of a long run of lines.

        Raises:
            OSError: a file cannot be read any more.
        """
        for piece in pieces:
            if piece.shape is EngineShape.CANONICAL:
                yield from self._singles(piece)
            elif piece.bounds is not None and self._copies and self._is_as_written(piece.shape):
                yield from self._in_runs(piece, piece.bounds)
            else:
                for action, line in self._lines(piece):
                    yield self._written(piece.shape, line, action) + b"\n"

    def _is_as_written(self, shape: EngineShape) -> bool:
        return self._keep_envelope or shape is EngineShape.PLAIN

    def _in_runs(self, piece: Piece, bounds: array[int]) -> Iterator[bytes]:
        """Lines of a plain file: those that nothing changes come many at once."""
        window, actions, behind = self._opened(piece.path), piece.actions, bounds[-1]
        for run in _RUNS.finditer(actions):
            first, last = run.span()
            action, begin, end = actions[first], bounds[first], bounds[last]
            if action == _COPIED:
                text = b"\n"
                for start in range(begin, end, _WINDOW_BYTES):
                    text = window.read(start, min(start + _WINDOW_BYTES, end), behind)
                    yield text
                if not text.endswith(b"\n"):
                    yield b"\n"
            elif action not in _UNWRITTEN:
                line = window.read(begin, end, behind).rstrip(b"\r\n")
                yield self._written(piece.shape, line, action) + b"\n"

    def _opened(self, path: str) -> _Window:
        if self._window is None or self._window.path != path:
            if self._window is not None:
                self._window.close()
            self._window = _Window(path)
        return self._window

    def _lines(self, piece: Piece) -> Iterator[tuple[int, bytes]]:
        """Yield (action, line without newline) of the lines of a piece that are written."""
        near = piece.near
        for record, action in enumerate(piece.actions, piece.record):
            if action not in _UNWRITTEN:
                line = self._again.text(piece.path, record, near)
                if line is not None:
                    yield action, line

    def _singles(self, piece: Piece) -> Iterator[bytes]:
        """Events that were decoded one by one."""
        for action, line in self._lines(piece):
            yield self._single(read_canonical(line), action) + b"\n"

    def _single(self, found: Canonical, action: int) -> bytes:
        edit = self._edits.get(action)
        if self._keep_envelope and found.record is not None:
            return _one_line(found.record if edit is None else edited_record(found.record, edit))
        if edit is None:
            return _one_line(found.original or found.text)
        return edited(found.text, edit)

    def _written(self, shape: EngineShape, line: bytes, action: int) -> bytes:
        """A line of a part, as it is to be written."""
        edit = self._edits[action]
        if shape is EngineShape.PLAIN:
            return edited(line, edit)
        if self._keep_envelope:
            return edited_record(line, edit)
        event = event_in(line) if shape is EngineShape.AZURE else None
        if event is None:
            events = (outcome.text for outcome in decode_lines([(1, line)]) if isinstance(outcome, Event))
            event = next(events, line)
        return edited(_one_line(event), edit)


def _one_line(text: bytes) -> bytes:
    text = text.rstrip()
    return text.translate(_LINE_BREAKS) if b"\n" in text or b"\r" in text else text
