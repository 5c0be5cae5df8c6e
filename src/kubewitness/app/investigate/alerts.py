"""Alerts about an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.app.scan import ScanOptions, scan
from kubewitness.model.alert import Severity

if TYPE_CHECKING:
    from kubewitness.app.events import Logs
    from kubewitness.model.alert import Alert


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
    options = ScanOptions(
        min_severity=least, since=logs.since, until=logs.until, cluster=logs.cluster, reveal=reveal, store=logs.store
    )
    found = [alert for alert in scan(logs.paths, None, options).alerts if _is_about(alert, name)]
    return sorted(found, key=lambda alert: (alert.first_at is None, alert.first_at))


def _is_about(alert: Alert, name: str) -> bool:
    if alert.actor == name or name in alert.attributed_to:
        return True
    return any(name in (event.details.get("username"), event.details.get("actor")) for event in alert.events)
