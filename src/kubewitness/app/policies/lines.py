"""Writing the lines of a log again: copied, left out or edited, as one letter for each row says."""

from __future__ import annotations

import io
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Self

from kubewitness.app.policies.lines_again import LinesAgain
from kubewitness.decode import Canonical, Event, decode_lines, read_canonical
from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.model.recording import Level
from kubewitness.policy.bulk import Action
from kubewitness.policy.edit import Edit, edited
from kubewitness.policy.wrapped import edited_record, event_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from kubewitness.app.parts import Span
    from kubewitness.app.reading import Reading
    from kubewitness.policy.edit import Subject

_RUNS = re.compile(rb"K+|[NS]+|.", re.DOTALL)
_BUFFER_BYTES = 4 << 20
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")
_DROPPED = b"NS"
_COPIED = b"K"
_NOT_AN_EVENT = ord("-")
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
    redact: Callable[[bytes, Subject], bytes] | None = None


class _Sink:
    """Takes lines and writes them in large pieces, beside the work that makes them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._pool = ThreadPoolExecutor(1)
        self._pending: Future[int] | None = None
        self._chunks: list[bytes] = []
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
                self._wait()
        finally:
            self._pool.shutdown()

    def add(self, text: bytes) -> None:
        """Add lines, with their newlines."""
        self._chunks.append(text)
        self._size += len(text)
        if self._size >= _BUFFER_BYTES:
            self._flush()

    def _flush(self) -> None:
        text = b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        self._wait()
        self._pending = self._pool.submit(self._file.write, text)

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()


class _Window:
    """A file, read a large piece at a time."""

    def __init__(self, path: str) -> None:
        self._file = io.FileIO(path)
        self._begin = 0
        self._text = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, begin: int, end: int) -> bytes:
        """Bytes of the file; begins rise from call to call."""
        if end > self._begin + len(self._text):
            self._begin = begin
            self._text = os.pread(self._file.fileno(), max(_BUFFER_BYTES, end - begin), begin)
        return self._text[begin - self._begin : end - self._begin]


class _Singles:
    """Events of one source that were decoded one by one, to be written between its other lines."""

    def __init__(self, events: Iterator[tuple[int, bytes | None]]) -> None:
        self._events = events
        self._next = next(events, None)

    def up_to(self, line: int | None) -> Iterator[bytes]:
        """Those that begin at or before a line of the source, all for None; what is dropped does not come."""
        while self._next is not None and (line is None or self._next[0] <= line):
            text = self._next[1]
            self._next = next(self._events, None)
            if text is not None:
                yield text


def write_lines(
    out: IO[bytes], reading: Reading, actions: bytes, decoded: Mapping[int, Sequence[int]], options: ApplyOptions
) -> None:
    """Write the lines of all sources, one source after the other.

    Args:
        out: takes them.
        reading: what was read, while its files are there.
        actions: what becomes of each row, one letter of `Action` each.
        decoded: rows of events that were decoded one by one, by the id of their source.
        options: how to write.

    Raises:
        OSError: `out` takes no more.
    """
    with LinesAgain() as again, _Sink(out) as sink:
        _Writer(reading, actions, decoded, again, options).write(sink)


class _Writer:
    def __init__(
        self,
        reading: Reading,
        actions: bytes,
        decoded: Mapping[int, Sequence[int]],
        again: LinesAgain,
        options: ApplyOptions,
    ) -> None:
        self._reading = reading
        self._actions = actions
        self._decoded = decoded
        self._again = again
        self._keep_envelope = options.keep_envelope
        self._edits = {ord(action): Edit(level, managed, options.redact) for action, (level, managed) in EDITS.items()}
        self._copies = options.redact is None
        rows = [span.first_row for span in reading.spans] + [len(actions)]
        self._end_rows = dict(pairwise(rows))

    def write(self, sink: _Sink) -> None:
        """Write all sources, one after the other, each in the order of its lines."""
        spans = self._spans()
        for source_id in range(len(self._reading.sources)):
            singles = _Singles(self._single_events(self._decoded.get(source_id, ())))
            for span in sorted(spans.get(source_id, ()), key=lambda item: (item.part.first_line, item.first_row)):
                if span.part.lines is None and span.lines.is_exact and self._copies and self._is_as_written(span):
                    self._copy_span(span, sink, singles)
                else:
                    self._write_span(span, sink, singles)
            for text in singles.up_to(None):
                sink.add(text)

    def _spans(self) -> dict[int, list[Span]]:
        """The spans of each source's own lines, without those that the engine had to read again in pieces."""
        found: dict[int, list[Span]] = {}
        for span in self._reading.spans:
            rows = self._end_rows[span.first_row] - span.first_row
            is_read_again = (
                rows != span.lines.records and self._actions.count(b"-", span.first_row, span.first_row + rows) == rows
            )
            if span.part.shape is not EngineShape.CANONICAL and not is_read_again:
                found.setdefault(span.part.source_id or 0, []).append(span)
        return found

    def _is_as_written(self, span: Span) -> bool:
        return self._keep_envelope or span.part.shape is EngineShape.PLAIN

    def _copy_span(self, span: Span, sink: _Sink, singles: _Singles) -> None:
        """Write the lines of a plain file: what nothing changes, many lines at once."""
        first, lines = span.first_row, span.lines
        with _Window(span.part.path) as text:
            for run in _RUNS.finditer(self._actions, first, self._end_rows[first]):
                action, row = self._actions[run.start()], run.start()
                begin = lines.place(row - first)[1]
                if action in _COPIED:
                    end = lines.end(run.end() - 1 - first)
                    for start in range(begin, end, _BUFFER_BYTES):
                        piece = text.read(start, min(start + _BUFFER_BYTES, end))
                        sink.add(piece)
                    if not piece.endswith(b"\n"):
                        sink.add(b"\n")
                elif action == _NOT_AN_EVENT:
                    for single in singles.up_to(span.line(row)):
                        sink.add(single)
                elif action not in _DROPPED:
                    line = text.read(begin, lines.end(row - first)).rstrip(b"\r\n")
                    sink.add(self._written(span.part.shape, line, action) + b"\n")

    def _write_span(self, span: Span, sink: _Sink, singles: _Singles) -> None:
        """Write the lines of any part, one by one."""
        for row in range(span.first_row, self._end_rows[span.first_row]):
            action = self._actions[row]
            if action == _NOT_AN_EVENT:
                for single in singles.up_to(span.line(row)):
                    sink.add(single)
            elif action not in _DROPPED and (line := self._again.line(span, row)) is not None:
                sink.add(self._written(span.part.shape, line, action) + b"\n")

    def _single_events(self, rows: Iterable[int]) -> Iterator[tuple[int, bytes | None]]:
        for row in rows:
            line = self._again.line(self._reading.span(row), row)
            if line is None:
                continue
            found = read_canonical(line)
            action = self._actions[row]
            yield found.line, None if action in _DROPPED else self._single(found, action) + b"\n"

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
