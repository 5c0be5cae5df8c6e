"""The report as plain values, for every format that machines read. Names and order are a contract."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kubewitness.model.alert import Severity
from kubewitness.words.plain import Fields, rfc3339

if TYPE_CHECKING:
    from kubewitness.model.alert import Alert, AlertEvent, Match, Report
    from kubewitness.model.exception import ExceptionUse


def event_fields(event: AlertEvent) -> Fields:
    """One event of an alert: where to find its record."""
    return {
        "audit_id": event.audit_id,
        "stage": event.stage,
        "source": event.source,
        "line": event.line,
        "at": rfc3339(event.at),
    }


def alert_fields(alert: Alert) -> Fields:
    """One alert."""
    return {
        "rule_id": alert.rule_id,
        "title": alert.title,
        "severity": alert.severity.value,
        "confidence": alert.confidence.value,
        "catalogue": list(alert.catalogue),
        "techniques": list(alert.techniques),
        "cluster": alert.cluster,
        "actor": alert.actor,
        "source_ips": list(alert.source_ips),
        "user_agents": list(alert.user_agents),
        "object": alert.object,
        "objects": list(alert.objects),
        "first_at": rfc3339(alert.first_at),
        "last_at": rfc3339(alert.last_at),
        "count": alert.count,
        "events": [event_fields(event) for event in alert.events],
        "events_left_out": alert.size - len(alert.events),
        "attributed_to": list(alert.attributed_to),
        "explanation": alert.explanation,
        "next_steps": alert.next_steps,
        "known_before": list(alert.known_before),
    }


def match_fields(match: Match) -> Fields:
    """One match of a rule and an event."""
    return {
        "rule_id": match.rule_id,
        "catalogue": list(match.catalogue),
        "severity": match.severity.value,
        "audit_id": match.audit_id,
        "stage": match.stage,
        "source": match.source,
        "line": match.line,
        "at": rfc3339(match.at),
        "actor": match.actor,
    }


def exception_fields(use: ExceptionUse) -> Fields:
    """One exception and what it took out; owner and last day are null for those of a platform."""
    return {
        "id": use.info.id,
        "rules": list(use.info.rules),
        "reason": use.info.reason,
        "owner": use.info.owner,
        "expires": use.info.expires.isoformat() if use.info.expires else None,
        "platform": use.info.platform,
        "origin": use.info.origin,
        "state": use.state.value,
        "requests": use.requests,
        "by_rule": use.by_rule,
    }


def summary_fields(report: Report) -> Fields:
    """The answer in figures: alerts by severity, clusters, time span, rules, remarks, exceptions, seconds it took."""
    by_severity = Counter(alert.severity for alert in report.alerts)
    return {
        "alerts": len(report.alerts),
        "by_severity": {each.value: by_severity[each] for each in reversed(Severity)},
        "clusters": list(report.clusters),
        "first_at": rfc3339(report.first_at),
        "last_at": rfc3339(report.last_at),
        "rules": report.rules,
        "remarks": list(report.remarks),
        "platforms": [
            {"cluster": each.cluster, "platform": each.platform, "given": each.is_given} for each in report.platforms
        ],
        "exceptions": [exception_fields(use) for use in report.exceptions],
        "duration_s": round(report.duration_s, 3),
    }
