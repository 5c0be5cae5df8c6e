"""Exceptions in a scan: on which platform each cluster runs, what is taken out there, and how much that was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.detect.excepting import ANY, COUNT_EXCEPTED, Active, excepting_sql, holding_sql, signs_sql
from kubewitness.model.exception import ClusterPlatform, ExceptionState, ExceptionUse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kubewitness.app.evidence import Evidence
    from kubewitness.detect.plan import Plan
    from kubewitness.query.engine import Engine

AUTO = "auto"
"""In place of a platform: find out."""

NONE = "none"
"""In place of a platform: none that is known."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that events are from.

    Attributes:
        key: what rows have of it; None where the log does not say.
        name: its name.
        platform: what it runs on; None when nothing showed it.
    """

    key: int | None
    name: str | None
    platform: str | None


def find_clusters(engine: Engine, plan: Plan, evidence: Evidence, platform: str = AUTO) -> list[Cluster]:
    """All clusters, with the platform that most of their events show, or the one that is given.

    Names are read again from one event of each.
    """
    rows = engine.run(signs_sql(plan))
    named = evidence.events([event for key, event, _ in rows if key is not None], ("cluster",))
    clusters: list[Cluster] = []
    for key, event, counts in rows:
        most = max(counts, default=0)
        found = plan.platforms[counts.index(most)] if most else None
        chosen = found if platform == AUTO else None if platform == NONE else platform
        clusters.append(Cluster(key, named.get(event, {}).get("cluster"), chosen))
    return clusters


def platforms_of(clusters: Sequence[Cluster], platform: str) -> tuple[ClusterPlatform, ...]:
    """What a report says of the clusters' platforms, by their names."""
    return tuple(
        ClusterPlatform(each.name, each.platform, is_given=platform != AUTO)
        for each in sorted(clusters, key=lambda each: each.name or "")
    )


def take_out(engine: Engine, plan: Plan, clusters: Sequence[Cluster], platform: str = AUTO) -> None:
    """Clear the answers of rules that exceptions take out; duplicates are known.

    Args:
        engine: with the answers.
        plan: with the exceptions.
        clusters: all clusters.
        platform: as it was asked for; with `none` those of users alone hold.
    """
    if not plan.exceptions:
        return
    active: list[Active] = []
    for number, exception in enumerate(plan.exceptions):
        own = exception.info.platform
        if own is None or (own == ANY and platform != NONE):
            active.append(Active(number, None, everywhere=True))
        elif own != ANY:
            active += (Active(number, each.key, everywhere=False) for each in clusters if each.platform == own)
    holding = {table: engine.rows(query)[0] for table, query in holding_sql(plan)}
    for statement in excepting_sql(plan, active, holding):
        engine.run(statement)


def exception_uses(
    engine: Engine,
    plan: Plan,
    *,
    below: Sequence[int],
    since: datetime | None,
    until: datetime | None,
) -> tuple[ExceptionUse, ...]:
    """What each exception took out; of those of this package, the ones that took nothing out are left out.

    Args:
        engine: in which it was taken out.
        plan: with the exceptions.
        below: numbers of rules whose alerts are not wanted.
        since: events before do not count.
        until: events from here on do not count.
    """
    if not plan.exceptions:
        return ()
    counts: dict[int, int] = {}
    by_rule: dict[int, dict[str, int]] = {}
    for number, rule, requests in engine.run(COUNT_EXCEPTED, {"below": list(below), "since": since, "until": until}):
        if rule is None:
            counts[number] = requests
        else:
            meant = dict(plan.exceptions[number].rules)[rule]
            own = by_rule.setdefault(number, {})
            own[meant] = max(own.get(meant, 0), requests)
    return tuple(
        ExceptionUse(
            exception.info,
            _state(counts.get(number, 0), is_expired=not exception.is_active),
            counts.get(number, 0),
            dict(sorted(by_rule.get(number, {}).items())),
        )
        for number, exception in enumerate(plan.exceptions)
        if exception.info.platform is None or number in counts
    )


def _state(requests: int, *, is_expired: bool) -> ExceptionState:
    if is_expired:
        return ExceptionState.EXPIRED
    return ExceptionState.USED if requests else ExceptionState.UNUSED
