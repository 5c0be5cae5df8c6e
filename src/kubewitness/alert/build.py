"""From the events of one cause to an alert."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from kubewitness.alert.explain import explain, source_addresses
from kubewitness.model.alert import Alert
from kubewitness.words.objects import distinct_objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.model.alert import AlertEvent, Unlisted
    from kubewitness.model.rule import RuleInfo

_NEVER = datetime.max  # noqa: DTZ901 - times in the model are naive UTC


def build_alert(
    rule: RuleInfo,
    events: Sequence[AlertEvent],
    *,
    count: int,
    known_before: Sequence[str] = (),
    unlisted: Unlisted | None = None,
) -> Alert:
    """Make one alert of one group of events.

    Args:
        rule: the rule that matched them.
        events: events of the group, in any order, with redacted details (columns of the events table by
            name, nulls absent). Read here: cluster, actor, username, impersonated_username,
            impersonated_groups, source_ip, source_ips, user_agent, verb, action, resource, subresource,
            namespace, name, object_name, request_path, code, status_reason, allowed, authorized_by, dry_run,
            truncated, and whatever the rule's phrase names.
        count: number of requests of the group, which may be more than `events` hold.
        known_before: of what is new, what was known before, redacted; the most frequent first.
        unlisted: events of the group that `events` does not hold, if any.

    Returns:
        The alert. Its actor and cluster are None when the log does not say or when the events disagree: the
        explanation then names the actors.
    """
    ordered = tuple(sorted(events, key=_position))
    details = [event.details for event in ordered]
    times = [event.at for event in ordered if event.at is not None]
    return Alert(
        rule_id=rule.id,
        title=rule.title,
        severity=rule.severity,
        catalogue=rule.catalogue,
        techniques=rule.techniques,
        cluster=_only(each.get("cluster") for each in details),
        actor=_only(each.get("actor") for each in details),
        source_ips=tuple(source_addresses(details)),
        user_agents=tuple(dict.fromkeys(str(each["user_agent"]) for each in details if each.get("user_agent"))),
        objects=tuple(dict.fromkeys(each.path for each in distinct_objects(details))),
        first_at=min(times, default=None),
        last_at=(unlisted and unlisted.last_at) or max(times, default=None),
        count=count,
        events=ordered,
        explanation=explain(rule, ordered, count=count, known_before=known_before, is_whole=unlisted is None),
        known_before=tuple(known_before),
        attributed_to=tuple(dict.fromkeys(event.maker.actor for event in ordered if event.maker)),
        confidence=rule.confidence,
        next_steps=rule.next_steps,
        unlisted=unlisted,
    )


def order_alerts(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Order alerts as reports show them: worst first, then by time (without a time last), then by rule."""
    return tuple(sorted(alerts, key=lambda each: (-each.severity.rank, each.first_at or _NEVER, each.rule_id)))


def _position(event: AlertEvent) -> tuple[datetime, str, int]:
    return event.at or _NEVER, event.source, event.line or 0


def _only(values: Iterable[str | None]) -> str | None:
    distinct = {value for value in values if value}
    return distinct.pop() if len(distinct) == 1 else None
