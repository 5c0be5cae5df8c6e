"""Alerts that an investigation asks for again and again: those of a store are kept as long as it stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.app.caching import keep, name_of, program_state, recall
from kubewitness.app.plans import builtin_plan_state
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.model.alert import Alert, Severity

if TYPE_CHECKING:
    from kubewitness.app.events import Logs

_KEPT = 10
_MOST_BYTES = 100 << 20
"""What is larger is not kept."""


def builtin_alerts(logs: Logs, least: Severity, *, reveal: bool = False) -> tuple[Alert, ...]:
    """Alerts of the builtin rules.

    Args:
        logs: what to scan.
        least: severity.
        reveal: whether to show secrets; such alerts are never kept.

    Raises:
        UnreadableError: nothing of the logs could be read.
        StoreError: the store cannot be read.
        UsageError: the store has no such cluster.
    """
    options = ScanOptions(
        min_severity=least, since=logs.since, until=logs.until, cluster=logs.cluster, reveal=reveal, store=logs.store
    )
    if logs.store is None or reveal:
        return scan(logs.paths, None, options).alerts
    name = _name(logs.store, options)
    kept = recall(name, tuple[Alert, ...])
    if kept is not None:
        return kept
    found = scan((), None, options).alerts
    if _name(logs.store, options) == name:  # nobody has written to the store meanwhile
        keep(name, found, most=_KEPT, most_bytes=_MOST_BYTES)
    return found


def _name(store: str, options: ScanOptions) -> str:
    """Name of what is kept: a hash of rules, program, options, and of the data files, which never change."""
    from kubewitness.app.lake.opening import open_snapshot  # noqa: PLC0415 - it takes long to import

    snapshot = open_snapshot(store, since=options.since, until=options.until, cluster=options.cluster)
    made_by = builtin_plan_state(), program_state("alert", "app", "decode", "words")
    return name_of("alerts", made_by, options, [each.path for each in snapshot.files])


def why_no_alerts(logs: Logs) -> str | None:
    """Why logs cannot be scanned besides being asked, if so."""
    if "-" in logs.paths:
        return "standard input cannot be read twice, so there are no alerts: name files"
    return None


def alerts_about(logs: Logs, name: str, least: Severity = Severity.LOW, *, reveal: bool = False) -> list[Alert]:
    """Alerts of the builtin rules that an actor caused, in whatever role, by time; none where `why_no_alerts` says so.

    Args:
        logs: what to scan.
        name: full name of the actor.
        least: severity.
        reveal: whether to show secrets.
    """
    if why_no_alerts(logs):
        return []
    found = [alert for alert in builtin_alerts(logs, least, reveal=reveal) if _is_about(alert, name)]
    return sorted(found, key=lambda alert: (alert.first_at is None, alert.first_at))


def _is_about(alert: Alert, name: str) -> bool:
    if alert.actor == name or name in alert.attributed_to:
        return True
    return any(name in (event.details.get("username"), event.details.get("actor")) for event in alert.events)
