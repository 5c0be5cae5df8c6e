"""Use case: what a policy would keep of a log, measured on its records, and what that costs."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.app.policies.acted import actions_of_rows, read_into
from kubewitness.app.policies.sizes import measure
from kubewitness.app.reading import Target
from kubewitness.app.readings import demand_events
from kubewitness.decode.engine_shapes import Depth
from kubewitness.model.recording import Level
from kubewitness.policy.bulk import acted_floors
from kubewitness.policy.model import Policy, PolicyRule
from kubewitness.policy.prices import monthly
from kubewitness.query.reading import OUTCOME

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence
    from datetime import datetime

    from kubewitness.policy.prices import Prices
    from kubewitness.query.engine import Engine

KEEP_ALL = Policy((PolicyRule(Level.REQUEST_RESPONSE),))
"""The policy that leaves a log as it is."""

GROUPINGS = {
    "verb": "verb",
    "resource": "resource",
    "user": "username",
    "client": "client",
    "level": "level",
    "stage": "stage",
    "namespace": "namespace",
}
"""What bytes are added up by: name for people, column."""

_PAGE_ROWS = 200_000
_CLIENTS_SHOWN = 60
_CREATE = """
CREATE TABLE acted (
    source_id INTEGER, record_line BIGINT, outcome TINYINT, action TINYINT, more BOOLEAN, policy_rule INTEGER,
    verb VARCHAR, resource VARCHAR, username VARCHAR, client VARCHAR, level VARCHAR, stage VARCHAR, namespace VARCHAR,
    happened_at TIMESTAMP
)
"""
_SELECT = f"""
-- One row per record: what becomes of it, and what its bytes are added up by.
SELECT
    source_id,
    record_line,
    {OUTCOME}
        AS outcome,
    ascii(action) AS action,
    more AND action NOT IN ('-', 'N', 'S') AS more,
    policy_rule,
    nullif(asked_verb, '') AS verb,
    CASE
        WHEN NOT is_resource_request THEN '(paths)'
        WHEN asked_api_group = '' THEN asked_combined_resource
        ELSE asked_combined_resource || '.' || asked_api_group
    END AS resource,
    username,
    -- The program of the user agent, without its version.
    regexp_extract(user_agent, '^[^/ ]+') AS client,
    level,
    stage,
    nullif(asked_namespace, '') AS namespace,
    coalesce(request_received_at, older_timestamp, stage_at, logged_at) AS happened_at
FROM acted
"""  # noqa: S608 - a constant
_TOTALS = """
-- One row per value: records and bytes before and after the policy.
SELECT
    {column} AS name,
    count(*),
    count(*) FILTER (action NOT IN (78, 83)),  -- N and S: dropped
    coalesce(sum(size_before), 0)::BIGINT,
    coalesce(sum(size_after), 0)::BIGINT
FROM acted POSITIONAL JOIN sizes
WHERE outcome IN (1, 2)
GROUP BY name
ORDER BY 4 DESC, name
"""
_CLIENTS = """
-- One row per user and resource, those with the most bytes that the policy keeps first.
SELECT username, resource, sum(size_after)::BIGINT AS kept
FROM acted POSITIONAL JOIN sizes
WHERE outcome IN (1, 2) AND username IS NOT NULL AND resource IS NOT NULL
GROUP BY username, resource
HAVING kept > 0
ORDER BY kept DESC, username, resource
LIMIT $most
"""
_WHOLE = """
SELECT
    min(happened_at) FILTER (outcome IN (1, 2)),
    max(happened_at) FILTER (outcome IN (1, 2)),
    count(*) FILTER (more AND outcome IN (1, 2)),
    count(*) FILTER (outcome = 3)
FROM acted
"""


@dataclass(frozen=True, slots=True)
class Share:
    """Part of a log.

    Attributes:
        name: what its events have in common; None for those that have no such thing.
        events: records, cut ones too.
        kept_events: those that the policy keeps.
        bytes: of the records as they are, envelopes included.
        kept_bytes: of what the policy would keep.
    """

    name: str | None
    events: int
    kept_events: int
    bytes: int
    kept_bytes: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a policy would keep of a log.

    Attributes:
        title: of the policy.
        whole: all of it.
        by_rule: per rule of the policy, by its index as text; None for events that no rule matches.
        by: per grouping of `GROUPINGS`, most bytes first.
        clients: users and resources with the most bytes that are kept.
        more: events for which the policy asks a higher level than the log holds.
        other: records of other categories, which are not in these figures.
        rejected: records that could not be read, likewise.
        first_at: time of the first event (UTC, naive).
        last_at: time of the last event.
    """

    title: str
    whole: Share
    by_rule: tuple[Share, ...]
    by: dict[str, tuple[Share, ...]]
    clients: tuple[tuple[str, str], ...]
    more: int
    other: int
    rejected: int
    first_at: datetime | None
    last_at: datetime | None

    @property
    def seconds(self) -> float:
        """How long the log is."""
        if self.first_at is None or self.last_at is None:
            return 0.0
        return (self.last_at - self.first_at).total_seconds()


def simulate(policy: Policy, paths: Sequence[str], *, title: str = "") -> Simulated:
    """Measure what a policy would keep of a log.

    Args:
        policy: what to try; `KEEP_ALL` for the volume of the log as it is.
        paths: files, directories, globs, `-` for standard input.
        title: what to call the policy.

    Raises:
        UnreadableError: nothing of the paths could be read.
    """
    target = Target("acted", _SELECT, acted_floors(policy), depth=Depth.HEADS, as_written=True)
    with (
        tempfile.TemporaryDirectory(prefix="kubewitness-") as folder,
        read_into(target, _CREATE, paths, Path(folder)) as (engine, reading),
    ):
        _store_sizes(engine, *measure(reading, actions_of_rows(engine)))
        first_at, last_at, more, other = engine.run(_WHOLE)[0]
        totals = _totals(engine, "NULL")
        events = totals[0].events if totals else 0
        demand_events(reading.ledger(events=events, partial=0, duplicates=0, other=other))
        return Simulated(
            title=title,
            whole=totals[0] if totals else Share(None, 0, 0, 0, 0),
            by_rule=_totals(engine, "policy_rule"),
            by={name: _totals(engine, column) for name, column in GROUPINGS.items()},
            clients=tuple((user, resource) for user, resource, _ in engine.run(_CLIENTS, {"most": _CLIENTS_SHOWN})),
            more=more,
            other=other + reading.other,
            rejected=reading.rejected,
            first_at=first_at,
            last_at=last_at,
        )


def _store_sizes(engine: Engine, before: array[int], after: array[int]) -> None:
    """One row per row of `acted`, in its order."""
    engine.run("CREATE TABLE sizes (size_before BIGINT, size_after BIGINT)")
    for first in range(0, len(before), _PAGE_ROWS):
        page = slice(first, first + _PAGE_ROWS)
        engine.run(
            "INSERT INTO sizes SELECT unnest($before), unnest($after)",
            {"before": before[page].tolist(), "after": after[page].tolist()},
        )


def _totals(engine: Engine, column: str) -> tuple[Share, ...]:
    rows = engine.run(_TOTALS.format(column=column))
    return tuple(Share(None if name is None else str(name), *counts) for name, *counts in rows)


def costs(simulated: Simulated, prices: Prices) -> list[dict[str, Any]]:
    """Cost of a month of the log as it is and under the policy, by destination.

    Returns:
        One mapping per destination: id, title, before, after (in the currency of the prices). Empty for a log that
        says no times.
    """
    seconds = simulated.seconds
    if not seconds:
        return []
    whole = simulated.whole
    found: list[dict[str, Any]] = []
    for destination in prices.destinations:
        before, after = (
            destination.monthly(monthly(size, seconds), monthly(events, seconds))
            for size, events in ((whole.bytes, whole.events), (whole.kept_bytes, whole.kept_events))
        )
        found.append({"id": destination.id, "title": destination.title, "before": before, "after": after})
    return found


def simulated_fields(simulated: Simulated, prices: Prices, *, most: int | None = None) -> dict[str, Any]:
    """A simulation as JSON has it."""

    def share(item: Share) -> dict[str, Any]:
        return {
            "name": item.name,
            "events": item.events,
            "kept_events": item.kept_events,
            "bytes": item.bytes,
            "kept_bytes": item.kept_bytes,
        }

    seconds = simulated.seconds
    whole = share(simulated.whole)
    del whole["name"]
    return {
        "policy": simulated.title,
        **whole,
        "asked_more": simulated.more,
        "other": simulated.other,
        "rejected": simulated.rejected,
        "seconds": seconds,
        "bytes_per_day": simulated.whole.bytes / seconds * 86_400 if seconds else None,
        "kept_bytes_per_day": simulated.whole.kept_bytes / seconds * 86_400 if seconds else None,
        "bytes_per_month": monthly(simulated.whole.bytes, seconds) if seconds else None,
        "kept_bytes_per_month": monthly(simulated.whole.kept_bytes, seconds) if seconds else None,
        "by_rule": [
            {**share(item), "name": None if item.name is None else int(item.name)} for item in simulated.by_rule
        ],
        "by": {name: [share(item) for item in items[:most]] for name, items in simulated.by.items()},
        "costs": [
            {**item, "before": round(item["before"], 2), "after": round(item["after"], 2)}
            for item in costs(simulated, prices)
        ],
        "prices": {"date": prices.date, "currency": prices.currency},
    }
