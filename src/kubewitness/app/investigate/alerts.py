"""Alerts about an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.app.scan import ScanOptions, scan
from kubewitness.model.alert import Severity

if TYPE_CHECKING:
    from kubewitness.app.events import Logs
    from kubewitness.model.alert import Alert


def alerts_about(logs: Logs, name: str, least: Severity = Severity.LOW) -> list[Alert]:
    """Alerts of the builtin rules that an actor caused, in whatever role, by time.

    Args:
        logs: what to scan; standard input cannot be read again, so it gives none.
        name: full name of the actor.
        least: severity.
    """
    if "-" in logs.paths:
        return []
    options = ScanOptions(min_severity=least, since=logs.since, until=logs.until, cluster=logs.cluster)
    found = [alert for alert in scan(logs.paths, None, options).alerts if _is_about(alert, name)]
    return sorted(found, key=lambda alert: (alert.first_at is None, alert.first_at))


def _is_about(alert: Alert, name: str) -> bool:
    if alert.actor == name or name in alert.attributed_to:
        return True
    return any(name in (event.details.get("username"), event.details.get("actor")) for event in alert.events)
