"""Use case: look for events in logs by a filter."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.alert.redact import Redactor
from kubewitness.app.evidence import Evidence
from kubewitness.app.reading import Reading, Target, read_sources
from kubewitness.facts import BODY_FACTS, macros
from kubewitness.query.engine import Engine
from kubewitness.query.filters import parse_filter
from kubewitness.query.lower import lower
from kubewitness.query.predicate import fields_of
from kubewitness.query.reading import OUTCOME

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kubewitness.model.ledger import Origin, Rejection
    from kubewitness.query.predicate import Predicate

SHOWN = (
    "happened_at", "cluster", "audit_id", "stage", "level", "verb", "action", "actor", "username",
    "impersonated_username", "source_ips", "user_agent", "request_uri", "api_group", "resource", "subresource",
    "namespace", "name", "object_name", "code", "status_message", "allowed", "authorized_by", "exec_command",
)  # fmt: skip
"""Columns of the events table that a hunt shows, where they have a value."""

_CREATE = """
CREATE TABLE looked (
    source_id INTEGER, record_line BIGINT, outcome TINYINT, happened_at TIMESTAMP, holds BOOLEAN
)
"""
_SELECT = """
SELECT
    source_id, record_line,
    {outcome}
        AS outcome,
    happened_at, coalesce({condition}, FALSE) AS holds
FROM events
"""
_FOUND = """
SELECT rowid AS row, source_id, record_line FROM looked WHERE holds AND outcome IN (1, 2)
ORDER BY happened_at, rowid LIMIT $most
"""
_COUNTS = """
SELECT
    count(*) FILTER (outcome IN (1, 2)),
    count(*) FILTER (holds AND outcome IN (1, 2)),
    count(*) FILTER (outcome = 3),
    min(happened_at) FILTER (holds AND outcome IN (1, 2)),
    max(happened_at) FILTER (holds AND outcome IN (1, 2))
FROM looked
"""


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event that a filter found.

    Attributes:
        origin: where its record stands.
        values: columns of `SHOWN` that have a value, redacted.
    """

    origin: Origin
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What a filter found.

    Attributes:
        events: the first of them, by time.
        count: of all that were found; the same record twice counts twice.
        looked_at: events that were asked, cut ones too.
        other: records of other categories.
        rejected: records that could not be read.
        unreadable: sources that could not be read.
        first_at: time of the first one that was found (UTC, naive).
        last_at: time of the last one.
    """

    events: tuple[FoundEvent, ...]
    count: int
    looked_at: int
    other: int
    rejected: int
    unreadable: tuple[Rejection, ...]
    first_at: datetime | None
    last_at: datetime | None


def hunt(text: str, paths: Sequence[str], *, most: int = 100, reveal: bool = False) -> Found:
    """Look for events in logs.

    Args:
        text: a filter; see docs/reference/filters.md.
        paths: files, directories, globs, `-` for standard input.
        most: how many events to give.
        reveal: whether to show secrets.

    Raises:
        FilterError: the filter cannot be understood.
        UnreadableError: nothing of the paths could be read.
    """
    predicate = parse_filter(text)
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        engine = Engine(Path(folder))
        try:
            engine.run(macros())
            engine.run(_CREATE)
            reading = Reading()
            target = Target("looked", select_of(predicate), heads_only=not _looks_into_bodies(predicate))
            read_sources(engine, paths, target, Path(folder), reading)
            reading.demand_sources()
            ((looked_at, count, other, first_at, last_at),) = engine.run(_COUNTS)
            rows = engine.run(_FOUND, {"most": most})
            known = Evidence(engine, reading, Path(folder)).events([row for row, _, _ in rows], SHOWN)
            redactor = Redactor(reveal=reveal)
            events = tuple(
                FoundEvent(reading.origin(row, source_id, line), redactor.details(known.get(row, {})))
                for row, source_id, line in rows
            )
        finally:
            engine.close()
    return Found(
        events=events,
        count=count,
        looked_at=looked_at,
        other=other + reading.other,
        rejected=reading.rejected,
        unreadable=tuple(reading.unreadable),
        first_at=first_at,
        last_at=last_at,
    )


def select_of(predicate: Predicate) -> str:
    """The query over `events` that says of each record whether the predicate holds."""
    return _SELECT.format(outcome=OUTCOME, condition=lower(predicate).sql("duckdb"))


def _looks_into_bodies(predicate: Predicate) -> bool:
    return any(field.column.name in BODY_FACTS for field in fields_of(predicate))
