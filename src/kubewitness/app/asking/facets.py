"""Use case: what values the fields of events have: how often, since when, until when."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from math import log2
from typing import TYPE_CHECKING, Any

from kubewitness.alert.redact import Redactor
from kubewitness.app.asking.shown import Shown, could_have_shown
from kubewitness.app.events import open_events
from kubewitness.query.filters import parse_filter
from kubewitness.words.plain import rfc3339

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from kubewitness.app.events import Events, Logs
    from kubewitness.model.ledger import Ledger

# Events that are the same in these are counted as one.
_KEY = (
    "cluster", "level", "stage", "verb", "action", "actor", "impersonated_username", "user_agent_family", "source_ip",
    "api_group", "resource", "subresource", "namespace", "code", "succeeded", "allowed", "dry_run", "authorized_role",
)  # fmt: skip
# What follows from these, and how it is had from a few of them instead of from every event.
_FOLLOWING = {
    "actor_kind": "any_value(actor_kind)",
    "source_network": "kw_network(any_value(source_ip))",
}
_TOGETHER = (*_KEY, *_FOLLOWING)
# Columns that few events have, as lists of values.
_SELDOM = {
    "exec_command": "[exec_command]",
    "service_account": "[service_account]",
    "owner_kind": "[owner_kind]",
    "role_ref": "[role_ref]",
    "registry_list": "string_split(registry_list, ' ')",
}
# Columns that are dear, or differ in many events: counted only of fewer events.
_NAMES = {
    "object_name": "[object_name]",
    "images": "images",
    "host_paths": "host_paths",
    "status_reason": "[status_reason]",
}
_UNIQUE = ("audit_id", "request_uri", "credential_id", "object_uid", "resource_version", "status_message")
"""Columns that tell single requests or objects apart: no value of them says anything about others."""

FIELDS = tuple(sorted((*_TOGETHER, *_SELDOM, *_NAMES)))
"""Fields that are looked at."""

_WIDE = 10_000
_FEW = 20
_MANY_EVENTS = 1_000_000
_COUNTED = "count(*) AS n, min(happened_at) AS first_at, max(happened_at) AS last_at"
_OF_ALIKE = """
SELECT field, value, sum(n)::BIGINT AS n, min(first_at) AS first_at, max(last_at) AS last_at
FROM (UNPIVOT alike ON {fields} INTO NAME field VALUE value)
GROUP BY field, value
"""
_VALUES = """
SELECT '{name}' AS field, value, count(*) AS n, min(happened_at) AS first_at, max(happened_at) AS last_at
FROM (SELECT unnest({values}) AS value, happened_at FROM events WHERE {name} IS NOT NULL)
GROUP BY value
"""
_RANKED = """
-- One row per field and value, for the most and the least frequent values of each field.
SELECT field, distinct_values, present, value, n, first_at, last_at, place
FROM (
    SELECT
        *,
        count(*) OVER (PARTITION BY field) AS distinct_values,
        sum(n) OVER (PARTITION BY field)::BIGINT AS present,
        row_number() OVER (PARTITION BY field ORDER BY n DESC, value) AS place
    FROM valued
)
WHERE place <= $most OR place > distinct_values - $rarest
ORDER BY field, place
"""


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of a field.

    Attributes:
        value: as text, redacted.
        count: of events that have it.
        share: of all events that were found, from 0 to 1.
        rarity: how surprising it is, in bits: 0 for what every event has, one more each time it is half as frequent.
        first_at: time of the first event that has it (UTC, naive).
        last_at: of the last one.
    """

    value: str
    count: int
    share: float
    rarity: float
    first_at: datetime | None
    last_at: datetime | None

    def fields(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {
            "value": self.value,
            "count": self.count,
            "share": round(self.share, 6),
            "rarity": round(self.rarity, 2),
            "first_at": rfc3339(self.first_at),
            "last_at": rfc3339(self.last_at),
        }


@dataclass(frozen=True, slots=True)
class Facet:
    """A field and its values.

    Attributes:
        field: name of its column.
        distinct: how many different values it has.
        present: values that were counted: events that have one, or elements where it is a list.
        values: the most frequent ones, most frequent first.
        rarest: the least frequent ones that are not among these, rarest first.
    """

    field: str
    distinct: int
    present: int
    values: tuple[FacetValue, ...]
    rarest: tuple[FacetValue, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A field that says nothing here.

    Attributes:
        field: name of its column.
        reason: `empty` (no event has it), `constant` (all have the same), `wide` (nearly every event has another), or
            `unique` (it tells single requests or objects apart: it was not looked at); `many_events`: names are counted
            only of fewer than a million events.
        value: the one that all have.
    """

    field: str
    reason: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Facets:
    """The fields of events and their values.

    Attributes:
        events: how many were found.
        first_at: time of the first one (UTC, naive).
        last_at: time of the last one.
        facets: fields with values, in the order of their names.
        left_out: the other fields, and why.
        ledger: of all that was read.
        shown: when nothing was found, whether it could have been.
    """

    events: int
    first_at: datetime | None
    last_at: datetime | None
    facets: tuple[Facet, ...]
    left_out: tuple[LeftOut, ...]
    ledger: Ledger
    shown: Shown | None

    def fields(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {
            "count": self.events,
            "looked_at": self.ledger.events + self.ledger.partial,
            "first_at": rfc3339(self.first_at),
            "last_at": rfc3339(self.last_at),
            "fields": [
                {
                    "field": each.field,
                    "distinct": each.distinct,
                    "present": each.present,
                    "values": [value.fields() for value in each.values],
                    "rarest": [value.fields() for value in each.rarest],
                }
                for each in self.facets
            ],
            "left_out": [{"field": each.field, "reason": each.reason, "value": each.value} for each in self.left_out],
            "could_have_shown": self.shown.fields() if self.shown else None,
        }


def facets(
    text: str, logs: Logs, *, most: int = 10, rarest: int = 3, reveal: bool = False, policy: Path | None = None
) -> Facets:
    """Count the values of all fields that say something about events.

    Args:
        text: a filter; see docs/reference/filters.md.
        logs: which events to ask.
        most: how many of the most frequent values of each field.
        rarest: how many of the least frequent ones.
        reveal: whether to show secrets.
        policy: as for `hunt`.

    Raises:
        FilterError: the filter cannot be understood.
        UnreadableError: nothing of the paths could be read.
    """
    predicate = parse_filter(text)
    with open_events(logs, FIELDS, predicate, is_asked_once=True) as events:
        found = _count(events)
        ((first_at, last_at),) = events.engine.run("SELECT min(first_at), max(last_at) FROM alike")
        rows = events.rows(_RANKED, {"most": most, "rarest": rarest})
        shown = None if found else could_have_shown(predicate, logs, events, policy)
        ledger = events.ledger
    redactor = Redactor(reveal=reveal)
    counted = {
        field: _facet(field, list(group), found, most, redactor)
        for field, group in groupby(rows, key=lambda row: str(row["field"]))
    }
    left_out = [_left_out(field, counted.get(field), found) for field in FIELDS]
    unique = [LeftOut(field, "unique") for field in _UNIQUE]
    kept = tuple(counted[field] for field, reason in zip(FIELDS, left_out, strict=True) if reason is None)
    return Facets(
        found, first_at, last_at, kept, (*(each for each in left_out if each), *unique) if found else (), ledger, shown
    )


def _count(events: Events) -> int:
    """Make the table `alike`, one row per events that are alike in nearly all, and `valued`, one per field and value.

    Gives how many events there are.
    """
    key = ", ".join(f'"{name}"' for name in _KEY)
    values = {name: f'any_value("{name}")' for name in _KEY} | _FOLLOWING
    together = ", ".join(f'({sql})::VARCHAR AS "{name}"' for name, sql in values.items())
    # To group by one number is much quicker than by many columns.
    events.engine.run(f"CREATE TABLE alike AS SELECT {together}, {_COUNTED} FROM events GROUP BY hash({key})")  # noqa: S608
    ((found,),) = events.engine.run("SELECT coalesce(sum(n), 0)::BIGINT FROM alike")
    listed = ", ".join(f'"{name}"' for name in _TOGETHER)
    apart = _SELDOM | (_NAMES if found < _MANY_EVENTS else {})
    of_alike = _OF_ALIKE.format(fields=listed)
    parts = [of_alike, *(_VALUES.format(name=name, values=sql) for name, sql in apart.items())]
    events.engine.run(f"CREATE TABLE valued AS {' UNION ALL '.join(parts)}")
    return int(found)


def _facet(field: str, rows: list[dict[str, Any]], found: int, most: int, redactor: Redactor) -> Facet:
    values = [
        FacetValue(
            str(redactor.details({field: row["value"]})[field]),
            row["n"],
            row["n"] / found,
            max(0.0, -log2(row["n"] / found)),
            row["first_at"],
            row["last_at"],
        )
        for row in rows
    ]
    frequent = tuple(value for value, row in zip(values, rows, strict=True) if row["place"] <= most)
    return Facet(field, rows[0]["distinct_values"], rows[0]["present"], frequent, tuple(values[len(frequent) :][::-1]))


def _left_out(field: str, facet: Facet | None, found: int) -> LeftOut | None:
    """Why a field says nothing; None when it does."""
    if facet is None:
        return LeftOut(field, "many_events" if field in _NAMES and found >= _MANY_EVENTS else "empty")
    if facet.distinct == 1 and facet.present == found:
        return LeftOut(field, "constant", facet.values[0].value if facet.values else None)
    if facet.distinct > _WIDE or (facet.distinct > _FEW and facet.distinct > facet.present / 2):
        return LeftOut(field, "wide")
    return None
