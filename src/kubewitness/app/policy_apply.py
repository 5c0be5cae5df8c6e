"""Applying a policy to a log: what kube-apiserver would have written under it.

The engine decides what becomes of each record, one letter each; then the files are read once more, and lines are
copied, left out or edited. A line that nothing changes is copied as it is.
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from kubewitness.app.lines_again import LinesAgain
from kubewitness.app.reading import Reading, Target, read_sources
from kubewitness.decode import Canonical, Event, decode_lines, read_canonical
from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.facts import macros
from kubewitness.model.errors import UnreadableError, UsageError
from kubewitness.model.recording import Level
from kubewitness.policy.bulk import Action, acted_floors
from kubewitness.policy.edit import Edit, edited
from kubewitness.policy.wrapped import edited_record, event_in
from kubewitness.query.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from kubewitness.app.parts import Span
    from kubewitness.model.ledger import Rejection
    from kubewitness.policy.edit import Subject
    from kubewitness.policy.model import Policy

_CREATE = "CREATE TABLE acted (source_id INTEGER, record_line BIGINT, outcome TINYINT, action TINYINT, change TINYINT)"
_SELECT = """
SELECT
    source_id,
    record_line,
    CASE WHEN NOT fits OR fits IS NULL THEN 0 WHEN other_category IS NOT NULL THEN 3 WHEN partial THEN 2 ELSE 1 END
        AS outcome,
    ascii(action) AS action,
    -- 1 for a lower level, 2 where the policy asks for a higher one
    CASE WHEN action IN ('M', 'R', 'r') AND logged_level IS NOT NULL THEN 1 WHEN more AND action IN ('K', 'k') THEN 2 END
        AS change
FROM acted
"""
_ACTIONS = """
SELECT CASE WHEN outcome = 0 THEN 45 ELSE action END FROM acted WHERE rowid >= $first AND rowid < $end ORDER BY rowid
"""
_COUNTS = """
SELECT
    count(*) FILTER (change = 1 AND outcome = 1),
    count(*) FILTER (change = 2 AND outcome = 1),
    count(*) FILTER (outcome = 3)
FROM acted
"""
_SOURCES = "SELECT rowid, source_id FROM acted WHERE rowid >= $first AND rowid < $end AND outcome <> 0 ORDER BY rowid"
_PAGE_ROWS = 500_000
_RUNS = re.compile(rb"K+|[NS]+|.", re.DOTALL)
_BUFFER_BYTES = 4 << 20
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")
_DROPPED = b"NS"
_COPIED = b"K"
_NOT_AN_EVENT = ord("-")
_EDITS: dict[Action, tuple[Level | None, bool]] = {
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


@dataclass(slots=True)
class Applied:
    """What became of the records of a log.

    Attributes:
        read: all records.
        written: events.
        lowered: of those written, events that lost a level and what it held.
        cut: of those written, cut or partial records, which are written as they are.
        dropped_by_level: events of requests that the policy does not record.
        dropped_by_stage: events at stages that it omits.
        more: events for which it asks a higher level than the log holds.
        other: records of another category, left out.
        rejected: records that could not be read, left out.
        rejections: the first of them.
        unreadable: sources that could not be read.
    """

    read: int = 0
    written: int = 0
    lowered: int = 0
    cut: int = 0
    dropped_by_level: int = 0
    dropped_by_stage: int = 0
    more: int = 0
    other: int = 0
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    unreadable: list[Rejection] = field(default_factory=list)

    def remarks(self) -> Iterator[str]:
        """What became of the records, for people."""
        yield (
            f"{self.read:,} records read, {self.written:,} events written, {self.lowered:,} of them at a lower level;"
            f" dropped: {self.dropped_by_level:,} by level None, {self.dropped_by_stage:,} by stage"
        )
        if self.more:
            yield f"for {self.more:,} events the policy asks for more than the log holds: they are written as they are"
        if self.cut:
            yield f"{self.cut:,} cut or partial records are written as they are, whatever level the policy says"
        if self.other:
            yield f"{self.other:,} records of other categories are left out"
        if self.rejected:
            first = f": first {self.rejections[0].origin}, {self.rejections[0].reason}" if self.rejections else ""
            yield f"{self.rejected:,} records could not be read and are left out{first}"


def apply_to(output: Path | None, policy: Policy, paths: Sequence[str], options: ApplyOptions) -> Applied:
    """Apply a policy and write to a file, which is replaced as a whole at the end, or to standard output for None.

    Raises:
        UsageError: the file cannot be written, or is one of those that are read.
        UnreadableError: nothing of the paths could be read.
    """
    if output is None:
        applied = apply_policy(policy, paths, sys.stdout.buffer, options)
        sys.stdout.buffer.flush()
        return applied
    if any(os.path.exists(path) and os.path.exists(output) and os.path.samefile(path, output) for path in paths):  # noqa: PTH110, PTH121 - paths are text here
        raise UsageError("is also read: write to another file", where=str(output))
    try:
        if output.exists() and not output.is_file():
            with output.open("wb") as file:
                return apply_policy(policy, paths, file, options)
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}-", delete=False) as file:
            try:
                applied = apply_policy(policy, paths, file, options)
                file.close()
                Path(file.name).chmod(0o666 & ~_umask())
                Path(file.name).replace(output)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(output)) from error
    return applied


def _umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before


def apply_policy(policy: Policy, paths: Sequence[str], out: IO[bytes], options: ApplyOptions | None = None) -> Applied:
    """Write to `out` the events that the server would have written under the policy, one per line, in their order.

    Args:
        policy: what to apply.
        paths: files, directories, globs, `-` for standard input.
        out: takes the lines.
        options: how to write.

    Raises:
        UnreadableError: nothing of the paths could be read.
        OSError: `out` takes no more.
    """
    options = options or ApplyOptions()
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        engine = Engine(Path(folder))
        try:
            engine.run(macros())
            engine.run(_CREATE)
            reading = Reading()
            target = Target("acted", _SELECT, acted_floors(policy), heads_only=True, as_written=True)
            read_sources(engine, paths, target, Path(folder), reading)
            if not reading.sources:
                reasons = "; ".join(f"{item.origin}: {item.reason}" for item in reading.unreadable)
                raise UnreadableError(
                    f"nothing to read: {reasons or 'no file found'}", hint="name files or directories of logs"
                )
            ((lowered, more, other),) = engine.run(_COUNTS)
            actions = _actions(engine)
            decoded = _decoded_rows(engine, reading, len(actions))
        finally:
            engine.close()
        with LinesAgain() as again, _Sink(out) as sink:
            _Writer(reading, actions, decoded, again, options).write(sink)
    return _applied(reading, actions, lowered=lowered, more=more, other=other)


def _actions(engine: Engine) -> bytes:
    """What becomes of each row, one letter each."""
    ((rows,),) = engine.run("SELECT coalesce(max(rowid) + 1, 0) FROM acted")
    found = bytearray()
    for first in range(0, rows, _PAGE_ROWS):
        page = engine.run(_ACTIONS, {"first": first, "end": first + _PAGE_ROWS})
        found += bytes(code for (code,) in page)
    return bytes(found)


def _decoded_rows(engine: Engine, reading: Reading, end: int) -> dict[int, array[int]]:
    """Rows of events that were decoded one by one, by the id of their source."""
    found: dict[int, array[int]] = {}
    rows = [span.first_row for span in reading.spans] + [end]
    for span, (first, behind) in zip(reading.spans, pairwise(rows), strict=True):
        if span.part.shape is EngineShape.CANONICAL:
            for page in range(first, behind, _PAGE_ROWS):
                asked = {"first": page, "end": min(page + _PAGE_ROWS, behind)}
                for row, source_id in engine.run(_SOURCES, asked):
                    found.setdefault(source_id, array("q")).append(row)
    return found


def _applied(reading: Reading, actions: bytes, *, lowered: int, more: int, other: int) -> Applied:
    counts = {action: actions.count(action.encode()) for action in Action}
    del counts[Action.NOT_AN_EVENT]
    dropped = counts[Action.DROP_BY_LEVEL] + counts[Action.DROP_BY_STAGE]
    events = sum(counts.values())
    return Applied(
        read=events + other + reading.other + reading.rejected,
        written=events - dropped,
        lowered=lowered,
        cut=counts[Action.KEEP_AS_CUT],
        dropped_by_level=counts[Action.DROP_BY_LEVEL],
        dropped_by_stage=counts[Action.DROP_BY_STAGE],
        more=more,
        other=other + reading.other,
        rejected=reading.rejected,
        rejections=list(reading.rejections),
        unreadable=list(reading.unreadable),
    )


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


class _Writer:
    def __init__(
        self,
        reading: Reading,
        actions: bytes,
        decoded: dict[int, array[int]],
        again: LinesAgain,
        options: ApplyOptions,
    ) -> None:
        self._reading = reading
        self._actions = actions
        self._decoded = decoded
        self._again = again
        self._keep_envelope = options.keep_envelope
        self._edits = {ord(action): Edit(level, managed, options.redact) for action, (level, managed) in _EDITS.items()}
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
