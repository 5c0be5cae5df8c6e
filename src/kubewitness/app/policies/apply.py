"""Applying a policy to a log: what kube-apiserver would have written under it.

The engine decides what becomes of each record, one letter each; then the files are read once more, and lines are
copied, left out or edited. A line that nothing changes is copied as it is.
"""

from __future__ import annotations

import os
import sys
import tempfile
from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kubewitness.app.policies.acted import actions_of_rows, read_into
from kubewitness.app.policies.lines import ApplyOptions
from kubewitness.app.policies.pieces import DecodedRows, tasks
from kubewitness.app.policies.writing import task_writer, worker_count
from kubewitness.app.reading import Target
from kubewitness.app.readings import demand_events
from kubewitness.decode.engine_shapes import Depth, EngineShape
from kubewitness.model.errors import UsageError
from kubewitness.policy.action import Action
from kubewitness.policy.bulk import acted_floors
from kubewitness.query.reading import OUTCOME
from kubewitness.sources import find_sources
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubewitness.app.readings import Reading
    from kubewitness.model.ledger import Rejection
    from kubewitness.policy.model import Policy
    from kubewitness.query.engine import Engine

_CREATE = "CREATE TABLE acted (source_id INTEGER, record_line BIGINT, outcome TINYINT, action TINYINT, change TINYINT)"
_SELECT = f"""
SELECT
    source_id,
    record_line,
    {OUTCOME}
        AS outcome,
    ascii(action) AS action,
    -- 1 for a lower level, 2 where the policy asks for a higher one
    CASE
        WHEN action IN ('M', 'R', 'r') AND logged_level IS NOT NULL THEN 1
        WHEN more AND action IN ('K', 'k') THEN 2
    END AS change
FROM acted
"""  # noqa: S608 - a constant
_COUNTS = """
SELECT
    count(*) FILTER (change = 1 AND outcome = 1),
    count(*) FILTER (change = 2 AND outcome = 1),
    count(*) FILTER (outcome = 3),
    count(*) FILTER (outcome IN (1, 2))
FROM acted
"""
_SOURCES = """
SELECT rowid, source_id, record_line FROM acted
WHERE rowid >= $first AND rowid < $end AND outcome <> 0 ORDER BY rowid
"""
_PAGE_ROWS = 500_000
_LEAST_SHARED_BYTES = 32 << 20
"""Logs below this size are written by this process before another would have started."""


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
            f"{counted(self.read, 'record')} read, {counted(self.written, 'event')} written,"
            f" {self.lowered:,} of them at a lower level;"
            f" dropped: {self.dropped_by_level:,} by level None, {self.dropped_by_stage:,} by stage"
        )
        if self.more:
            yield f"for {self.more:,} events the policy asks for more than the log holds: they are written as they are"
        if self.cut:
            yield f"{self.cut:,} cut or partial records are written as they are, whatever level the policy says"
        if self.other:
            yield f"left out: {counted(self.other, 'record')} of other categories"
        if self.rejected:
            first = f": first {self.rejections[0].origin}, {self.rejections[0].reason}" if self.rejections else ""
            yield f"left out: {counted(self.rejected, 'record')} that could not be read{first}"


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
    size = sum(source.size for source in find_sources(list(paths)).sources)
    workers = worker_count() if size >= _LEAST_SHARED_BYTES else 1
    target = Target("acted", _SELECT, acted_floors(policy), depth=Depth.HEADS, as_written=True)
    with (
        tempfile.TemporaryDirectory(prefix="kubewitness-") as folder,
        task_writer(out, options, workers=workers) as write,  # now: they start while the engine reads
    ):
        with read_into(target, _CREATE, paths, Path(folder)) as (engine, reading):
            ((lowered, more, other, events),) = engine.run(_COUNTS)
            demand_events(reading.ledger(events=events, partial=0, duplicates=0, other=other))
            actions = actions_of_rows(engine)
            decoded = _decoded_rows(engine, reading, len(actions))
        write(tasks(reading, actions, decoded))
    return _applied(reading, actions, lowered=lowered, more=more, other=other)


def _decoded_rows(engine: Engine, reading: Reading, end: int) -> dict[int, DecodedRows]:
    """Rows of events that were decoded one by one, by the id of their source."""
    found: dict[int, DecodedRows] = {}
    rows = [span.first_row for span in reading.spans] + [end]
    for span, (first, behind) in zip(reading.spans, pairwise(rows), strict=True):
        if span.part.shape is EngineShape.CANONICAL:
            for page in range(first, behind, _PAGE_ROWS):
                asked = {"first": page, "end": min(page + _PAGE_ROWS, behind)}
                for row, source_id, line in engine.run(_SOURCES, asked):
                    decoded = found.setdefault(source_id, DecodedRows(array("q"), array("q")))
                    decoded.rows.append(row)
                    decoded.lines.append(line)
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
