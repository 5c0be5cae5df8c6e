"""Original records: the bytes of events, as their files have them."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from kubewitness.app.evidence import Evidence
from kubewitness.app.parts import read_rows
from kubewitness.app.reading import Target, read_sources
from kubewitness.app.readings import Reading
from kubewitness.decode import read_canonical
from kubewitness.decode.engine_shapes import Depth, EngineShape
from kubewitness.facts import BODY_FACTS, macros
from kubewitness.model.errors import UnreadableError, UsageError
from kubewitness.model.ledger import Ledger, Origin
from kubewitness.query.engine import Engine
from kubewitness.query.lower import lower
from kubewitness.query.predicate import ALWAYS, And, fields_of
from kubewitness.query.reading import OUTCOME
from kubewitness.sources import open_source, read_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from kubewitness.alert.redact import Redactor
    from kubewitness.app.events import Logs
    from kubewitness.app.parts import Span
    from kubewitness.query.predicate import Predicate

DETAILS = (
    "happened_at", "cluster", "audit_id", "stage", "level", "verb", "action", "actor", "username",
    "impersonated_username", "groups", "source_ips", "user_agent", "request_uri", "api_group", "resource",
    "subresource", "namespace", "name", "object_name", "code", "status_message", "allowed", "authorized_by",
    "exec_command", "credential_id", "bound_pod", "request_object", "response_object", "annotations",
)  # fmt: skip
"""Columns of the events table that are kept beside a record."""

_CREATE = """
CREATE TABLE looked (
    source_id INTEGER, record_line BIGINT, outcome TINYINT, happened_at TIMESTAMP, holds BOOLEAN
)
"""
_FOUND = """
SELECT rowid AS row, source_id, record_line, happened_at FROM looked WHERE holds AND outcome IN (1, 2)
ORDER BY happened_at, rowid LIMIT $most
"""
_ROWS = "SELECT rowid AS row, source_id, record_line, happened_at FROM looked WHERE rowid IN (SELECT unnest($rows))"
_LINES = """
SELECT rowid AS row FROM looked WHERE source_id = $source AND record_line IN (SELECT unnest($lines))
"""
_COUNTS = """
SELECT
    count(*) FILTER (outcome IN (1, 2)) AS looked_at,
    count(*) FILTER (holds AND outcome IN (1, 2)) AS found,
    count(*) FILTER (outcome = 1) AS events,
    count(*) FILTER (outcome = 2) AS partial,
    count(*) FILTER (outcome = 3) AS other,
    min(happened_at) FILTER (holds AND outcome IN (1, 2)) AS first_at,
    max(happened_at) FILTER (holds AND outcome IN (1, 2)) AS last_at
FROM looked
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        origin: where it stands.
        text: its bytes as the file has them, without the newline; of an event inside a larger document (a list, a
            CSV table, a page of CloudWatch), the event's text taken out of it.
        at: when it happened (UTC, naive).
        details: columns of `DETAILS` that have a value, redacted.
    """

    origin: Origin
    text: bytes
    at: datetime | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Records:
    """Records that were found.

    Attributes:
        records: the first of them, by time.
        count: how many there are; the same record twice counts twice.
        looked_at: events that were asked.
        first_at: time of the first one (UTC, naive).
        last_at: time of the last one.
        ledger: what became of every record; what stands there twice is not told apart.
    """

    records: tuple[Record, ...]
    count: int
    looked_at: int
    first_at: datetime | None
    last_at: datetime | None
    ledger: Ledger = field(default_factory=Ledger)


def find_records(logs: Logs, where: Predicate, *, most: int, redactor: Redactor) -> Records:
    """Records of which a predicate holds.

    Args:
        logs: where to look; no store, which has no files to point at.
        where: the predicate.
        most: how many records to give.
        redactor: what decides what the details show.

    Raises:
        UsageError: a store was named.
        UnreadableError: nothing could be read.
    """
    with _Looked(logs, where) as looked:
        return looked.answer(looked.engine.rows(_FOUND, {"most": most}), redactor)


def records_at(logs: Logs, places: Collection[tuple[str, int]], *, redactor: Redactor) -> Records:
    """Records that stand at these places.

    Args:
        logs: the sources of the places.
        places: source and line of each.
        redactor: what decides what the details show.

    Raises:
        UsageError: a store was named.
        UnreadableError: nothing could be read.
    """
    with _Looked(logs, ALWAYS) as looked:
        rows = sorted(set(looked.rows_at(places)))
        found = looked.engine.rows(_ROWS, {"rows": rows}) if rows else []
        return looked.answer(sorted(found, key=lambda row: row["row"]), redactor)


class _Looked:
    def __init__(self, logs: Logs, where: Predicate) -> None:
        if logs.store is not None:
            raise UsageError(
                "a case pins original records, and a store has no files to point at", hint="name the logs themselves"
            )
        self._logs = logs
        self._where = And((where, logs.period))
        self._folder = tempfile.TemporaryDirectory(prefix="kubewitness-")
        self.engine = Engine(Path(self._folder.name))
        self.reading = Reading()

    def __enter__(self) -> Self:
        try:
            self._read()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.close()
        self._folder.cleanup()

    def _read(self) -> None:
        self.engine.run(macros())
        self.engine.run(_CREATE)
        needs_bodies = any(each.column.name in BODY_FACTS for each in fields_of(self._where))
        select = (
            f"SELECT source_id, record_line, {OUTCOME} AS outcome, happened_at,"  # noqa: S608 - of predicates
            f" coalesce({lower(self._where).sql('duckdb')}, FALSE) AS holds FROM events"
        )
        target = Target("looked", select, depth=Depth.WHOLE if needs_bodies else Depth.HEADS, as_written=True)
        folder = Path(self._folder.name)
        read_sources(self.engine, self._logs.paths, target, folder, self.reading, cluster=self._logs.cluster)
        self.reading.demand_sources()

    def rows_at(self, places: Collection[tuple[str, int]]) -> Iterator[int]:
        """Rows of the records that stand there."""
        by_source: dict[str, set[int]] = {}
        for source, line in places:
            by_source.setdefault(source, set()).add(line)
        ids = {index: by_source.get(source.name, set()) for index, source in enumerate(self.reading.sources)}
        ends = [span.first_row for span in self.reading.spans[1:]]
        ((last,),) = self.engine.run("SELECT count(*) FROM looked")
        for span, end in zip(self.reading.spans, [*ends, last], strict=True):
            stretches = [*span.places(), (end, None, 0)]
            for (first, source_id, to_line), (behind, _, _) in pairwise(stretches):
                wanted = ids.get(source_id, set()) if source_id is not None else set()
                yield from (line - to_line for line in wanted if first <= line - to_line < behind)
        for source_id, lines in ids.items():
            if lines:
                found = self.engine.rows(_LINES, {"source": source_id, "lines": sorted(lines)})
                yield from (row["row"] for row in found)

    def answer(self, rows: list[dict[str, Any]], redactor: Redactor) -> Records:
        (counts,) = self.engine.rows(_COUNTS)
        numbers = [row["row"] for row in rows]
        known = Evidence(self.engine, self.reading, Path(self._folder.name)).events(numbers, DETAILS)
        texts = self._texts(rows)
        records = [
            Record(
                self.reading.origin(row["row"], row["source_id"], row["record_line"]),
                texts[row["row"]],
                row["happened_at"],
                redactor.details(known.get(row["row"], {})),
            )
            for row in rows
            if row["row"] in texts
        ]
        ledger = self.reading.ledger(
            events=counts["events"], partial=counts["partial"], duplicates=0, other=counts["other"]
        )
        return Records(
            tuple(records), counts["found"], counts["looked_at"], counts["first_at"], counts["last_at"], ledger
        )

    def _texts(self, rows: list[dict[str, Any]]) -> dict[int, bytes]:
        """The bytes of the record of each row; of an event inside a larger document, its own."""
        found: dict[int, bytes] = {}
        by_part: dict[int, tuple[Span, list[int]]] = {}
        lines = self._lines(rows)
        for row in sorted(row["row"] for row in rows):
            span = self.reading.span(row)
            by_part.setdefault(span.first_row, (span, []))[1].append(row)
        spans = list(by_part.values())
        shapes = {row: span.part.shape for span, members in spans for row in members}
        for row, text in read_rows(spans):
            if shapes[row] is EngineShape.CANONICAL:
                canonical = read_canonical(text)
                line = lines.get(row)
                if canonical.record is None and line is not None and _is_whole(line):
                    found[row] = line
                else:
                    found[row] = canonical.record or canonical.original or canonical.text
            else:
                found[row] = text
        return found

    def _lines(self, rows: list[dict[str, Any]]) -> dict[int, bytes]:
        """The line of its source of each row that was decoded by itself."""
        wanted: dict[int, dict[int, list[int]]] = {}
        for row in rows:
            if row["source_id"] is not None and row["record_line"] is not None:
                wanted.setdefault(row["source_id"], {}).setdefault(row["record_line"], []).append(row["row"])
        found: dict[int, bytes] = {}
        for source_id, lines in wanted.items():
            with suppress(OSError, UnreadableError), open_source(self.reading.sources[source_id]) as (_, reader):
                for number, text in read_lines(reader):
                    found |= dict.fromkeys(lines.get(number, ()), text)
        return found


def _is_whole(line: bytes) -> bool:
    """Whether a line is a record of its own, not the beginning of one that goes on in the next line."""
    if line.lstrip()[:1] not in {b"{", b"[", b'"'}:
        return True
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
