"""Use case: look for events by a filter, or by a named hunt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kubewitness.alert.redact import Redactor
from kubewitness.app.asking.shown import Shown, could_have_shown
from kubewitness.app.asking.sql import DEFAULT_SECONDS, ask
from kubewitness.app.events import open_events
from kubewitness.query.filters import parse_filter
from kubewitness.query.lower import lower

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from kubewitness.app.asking.library import Hunt
    from kubewitness.app.events import Events, Logs
    from kubewitness.model.ledger import Ledger
    from kubewitness.query.predicate import Predicate

SHOWN = (
    "happened_at", "cluster", "audit_id", "stage", "level", "verb", "action", "actor", "username",
    "impersonated_username", "source_ips", "user_agent", "request_uri", "api_group", "resource", "subresource",
    "namespace", "name", "object_name", "code", "status_message", "allowed", "authorized_by", "exec_command",
)  # fmt: skip
"""Columns of the events table that a hunt shows, where they have a value."""

_COUNTS = "SELECT count(*), min(happened_at), max(happened_at) FROM events"


@dataclass(frozen=True, slots=True)
class Found:
    """What a filter, or a hunt without a query of its own, found.

    Attributes:
        events: the first of them, by time: `source`, `line`, and columns of `SHOWN` that have a value, redacted.
        count: of all that were found; the same record twice counts once.
        first_at: time of the first one that was found (UTC, naive).
        last_at: time of the last one.
        ledger: of all that was read.
        shown: when nothing was found, whether it could have been.
    """

    events: tuple[dict[str, Any], ...]
    count: int
    first_at: datetime | None
    last_at: datetime | None
    ledger: Ledger
    shown: Shown | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What the query of a hunt answered.

    Attributes:
        names: of the columns.
        types: of the columns, as the engine spells them.
        rows: values that JSON can say, redacted.
        ledger: of all that was read.
        shown: when there are no rows, whether there could have been.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[list[Any], ...]
    ledger: Ledger
    shown: Shown | None


def hunt(text: str, logs: Logs, *, most: int = 100, reveal: bool = False, policy: Path | None = None) -> Found:
    """Look for events by a filter.

    Args:
        text: a filter; see docs/reference/filters.md.
        logs: which events to ask.
        most: how many events to give.
        reveal: whether to show secrets.
        policy: what the server was told to record, to judge an answer that is empty; None to find it out.

    Raises:
        FilterError: the filter cannot be understood.
        UnreadableError: nothing of the paths could be read.
    """
    return _find(parse_filter(text), logs, most=most, reveal=reveal, policy=policy)


def _find(predicate: Predicate, logs: Logs, *, most: int, reveal: bool, policy: Path | None) -> Found:
    with open_events(logs, (), predicate, is_asked_once=True) as events:
        ((count, first_at, last_at),) = events.engine.run(_COUNTS)
        redactor = Redactor(reveal=reveal)
        found = tuple(
            {name: value for name, value in redactor.details(event).items() if name != "row"}
            for event in events.earliest(SHOWN, most)
        )
        shown = None if count else could_have_shown(predicate, logs, events, policy)
        return Found(found, count, first_at, last_at, events.ledger, shown)


def run_hunt(
    wanted: Hunt,
    logs: Logs,
    *,
    values: Mapping[str, Any] | None = None,
    most: int = 100,
    seconds: float | None = DEFAULT_SECONDS,
    reveal: bool = False,
    policy: Path | None = None,
) -> Found | Answered:
    """Carry out a named hunt.

    Args:
        wanted: the hunt.
        logs: which events to ask.
        values: of its parameters, where not the default.
        most: how many events to give, when it has no query.
        seconds: how long its query may take.
        reveal: whether to show secrets.
        policy: as for `hunt`.

    Raises:
        UsageError: it has no such parameter, or the value is none for it.
        QuestionError: its query took too long.
        UnreadableError: nothing of the paths could be read.
    """
    given = wanted.values(values or {})
    if wanted.sql is None:
        return _find(wanted.predicate, logs, most=most, reveal=reveal, policy=policy)
    with ask(wanted.sql, logs, where=wanted.predicate, parameters=given, seconds=seconds, reveal=reveal) as answer:
        rows = tuple(answer.rows)
        shown = None if rows or _any(answer.events) else could_have_shown(wanted.predicate, logs, answer.events, policy)
        return Answered(answer.names, answer.types, rows, answer.events.ledger, shown)


def _any(events: Events) -> bool:
    """Whether there is an event at all of what a hunt is about: then the log shows such events."""
    return bool(events.rows("SELECT 1 FROM memory.main.events LIMIT 1"))


def explained(predicate: Predicate) -> str:
    """The query for all events of which a predicate holds, as `sql` takes it."""
    return exp.select("*").from_("events").where(lower(predicate)).sql("duckdb", pretty=True)
