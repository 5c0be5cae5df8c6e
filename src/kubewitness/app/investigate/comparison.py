"""Use case: what is different between two logs, two times, or two clusters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.alert.redact import Redactor
from kubewitness.app.events import Derived, Logs, open_events
from kubewitness.investigate.comparison import AT, USUAL_RATIO, Aspect, Side, Tally, compare_sides
from kubewitness.model.errors import UsageError
from kubewitness.query.fields import find_field
from kubewitness.query.lower import lower
from kubewitness.query.predicate import And, Operator, Or, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.app.events import Events
    from kubewitness.investigate.comparison import Comparison
    from kubewitness.query.predicate import Predicate

_COLUMNS = (
    "cluster", "level", "stage", "verb", "actor", "user_agent_family", "source_network", "api_group", "resource",
    "subresource", "namespace", "action", "authorized_binding", "authorized_role", "images", "image_registries",
)  # fmt: skip
_TEXTS = (
    "audit_id", "request_uri", "user_agent", "username", "user_uid", "impersonated_username", "annotations",
    "user_extra", "request_object", "response_object", "status_message",
)  # fmt: skip
_FRAME_BYTES = 520
"""Bytes of an event that are keys, times and short values, measured; so bytes are right to a few per cent."""

_DERIVED = (
    Derived(
        "bytes",
        "BIGINT",
        f"{_FRAME_BYTES} + " + " + ".join(f"coalesce(strlen({name}::VARCHAR), 0)" for name in _TEXTS),
    ),
    Derived("has_body", "BOOLEAN", "request_object IS NOT NULL OR response_object IS NOT NULL"),
)
_WHAT = "resource || CASE WHEN api_group <> '' THEN '.' || api_group ELSE '' END || coalesce('/' || subresource, '')"
_VALUES = {
    Aspect.PERMISSION: ("authorized_role || coalesce(' by ' || authorized_binding, '')", "side"),
    Aspect.ACTOR: ("actor", "side"),
    Aspect.REGISTRY: ("item", "(SELECT *, unnest(image_registries) AS item FROM side)"),
    Aspect.ACTION: ("action", "side"),
    Aspect.NETWORK: ("source_network", "side"),
    Aspect.AGENT: ("user_agent_family", "side"),
    Aspect.NAMESPACE: ("namespace", "side"),
    Aspect.ACTOR_VERB: ("actor || ' ' || verb", "side"),
    Aspect.DEED: (f"verb || ' ' || {_WHAT}", "side"),
    Aspect.IMAGE: ("item", "(SELECT *, unnest(images) AS item FROM side)"),
    Aspect.LEVEL: (f"{_WHAT} || '{AT}' || level", "side"),
    Aspect.CLUSTER: ("cluster", "side"),
}
_TALLIES = """
-- One row per value.
SELECT
    {value} AS value, count(*) AS events, sum(bytes)::BIGINT AS bytes, min(happened_at) AS first_at,
    max(happened_at) AS last_at, count(DISTINCT actor) AS actors
FROM {table} GROUP BY 1 HAVING value IS NOT NULL
"""
_TOTAL = """
SELECT count(*) AS events, coalesce(sum(bytes), 0)::BIGINT AS bytes, min(happened_at) AS first_at,
    max(happened_at) AS last_at, count(DISTINCT actor) AS actors
FROM side
"""
_STAGES = "SELECT stage, count(*) AS events FROM side WHERE stage IS NOT NULL GROUP BY ALL"
_REDACTED_AS = {Aspect.AGENT: "user_agent", Aspect.NETWORK: "source_network"}


@dataclass(frozen=True, slots=True)
class SideOptions:
    """One side of a comparison.

    Attributes:
        label: what it is, for people.
        logs: where its events are.
        cluster: only events of this cluster; `*` and `?` are wildcards, and the end of a resource id is enough.
    """

    label: str
    logs: Logs
    cluster: str | None = None

    @property
    def where(self) -> Predicate:
        """What holds of its events, among those of its logs."""
        if self.cluster is None:
            return self.logs.period
        return And((Text(find_field("cluster"), Operator.LIKE, f"*{self.cluster}"), self.logs.period))

    @property
    def whole(self) -> Logs:
        """Its logs at any time."""
        return replace(self.logs, since=None, until=None)


def logs_at(path: str, options: Logs) -> Logs:
    """The logs, or the store, at a path, with the other options."""
    is_store = "://" in path or (Path(path) / "_delta_log").is_dir()
    return Logs(
        () if is_store else (path,),
        since=options.since,
        until=options.until,
        cluster=options.cluster,
        store=path if is_store else None,
    )


def compare(before: SideOptions, after: SideOptions, *, ratio: float = USUAL_RATIO, reveal: bool = False) -> Comparison:
    """Find what is different between two sides.

    Args:
        before: the first side.
        after: the second one.
        ratio: how many times more or less per hour is a change.
        reveal: whether to show what looks like a credential.

    Raises:
        UnreadableError: nothing of a side could be read.
        UsageError: both sides are standard input.
    """
    if "-" in before.logs.paths and "-" in after.logs.paths:
        raise UsageError("standard input cannot be read twice", hint="name files")
    redactor = Redactor(reveal=reveal)
    if before.whole == after.whole:
        first, second = _sides(before.whole, [before, after], redactor)
    else:
        ((first,), (second,)) = (_sides(side.logs, [side], redactor) for side in (before, after))
    return compare_sides(first, second, ratio=ratio)


def _sides(logs: Logs, sides: Sequence[SideOptions], redactor: Redactor) -> list[Side]:
    """Sides that are of the same logs, out of one reading."""
    member = [Derived(f"side_{number}", "BOOLEAN", _holds(side.where)) for number, side in enumerate(sides)]
    where = Or(tuple(side.where for side in sides))
    with open_events(logs, _COLUMNS, where, [*_DERIVED, *member]) as events:
        return [_side(events, side.label, each.name, redactor) for side, each in zip(sides, member, strict=True)]


def _holds(where: Predicate) -> str:
    return f"coalesce({lower(where).sql('duckdb')}, FALSE)"


def _side(events: Events, label: str, member: str, redactor: Redactor) -> Side:
    events.engine.run(f"CREATE OR REPLACE VIEW side AS SELECT * FROM events WHERE {member}")  # noqa: S608 - our own name
    ((total),) = events.rows(_TOTAL)
    ((has_bodies,),) = events.engine.run("SELECT coalesce(bool_or(has_body), FALSE) FROM side")
    verbs = events.rows("SELECT DISTINCT verb FROM side WHERE verb IS NOT NULL")
    return Side(
        label,
        Tally(**total),
        {row["stage"]: row["events"] for row in events.rows(_STAGES)},
        has_bodies,
        frozenset(row["verb"] for row in verbs),
        {aspect: _tallies(events, aspect, redactor) for aspect in Aspect},
        events.ledger,
    )


def _tallies(events: Events, aspect: Aspect, redactor: Redactor) -> dict[str, Tally]:
    value, table = _VALUES[aspect]
    found: dict[str, Tally] = {}
    for row in events.rows(_TALLIES.format(value=value, table=table)):
        column = _REDACTED_AS.get(aspect, "object_name")
        shown: Any = redactor.details({column: row.pop("value")})[column]
        tally = Tally(**row)
        found[shown] = tally if shown not in found else _joined(found[shown], tally)
    return found


def _joined(first: Tally, second: Tally) -> Tally:
    """Values that are the same once what is secret in them is left out."""
    return Tally(
        first.events + second.events,
        first.bytes + second.bytes,
        min(filter(None, (first.first_at, second.first_at)), default=None),
        max(filter(None, (first.last_at, second.last_at)), default=None),
        max(first.actors, second.actors),
    )
