"""`--format ocsf`: one object per line: a Detection Finding for each alert, and with matches an API Activity per event.

Source: Open Cybersecurity Schema Framework 1.5.0, classes Detection Finding (2004) and API Activity (6003).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from kubewitness import __version__
from kubewitness.model.alert import Confidence, Severity
from kubewitness.words.objects import distinct_objects
from kubewitness.words.plain import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kubewitness.model.alert import Alert, AlertEvent, Match, Report
    from kubewitness.words.plain import Fields

VERSION = "1.5.0"
_ATTACK_VERSION = "18"
_MOST_EVENTS = 100
"""Evidence shown of one alert; `count` says of how many requests it is made."""

_SEVERITIES = {
    Severity.INFORMATIONAL: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
_CONFIDENCES = {Confidence.LOW: 1, Confidence.MEDIUM: 2, Confidence.HIGH: 3}
_CREATE = 1
_ACTIVITIES = {
    "create": (1, "Create"),
    "get": (2, "Read"),
    "list": (2, "Read"),
    "watch": (2, "Read"),
    "head": (2, "Read"),
    "update": (3, "Update"),
    "patch": (3, "Update"),
    "delete": (4, "Delete"),
    "deletecollection": (4, "Delete"),
}
_OTHER_ACTIVITY = (99, "Other")
_UNKNOWN_ACTIVITY = (0, "Unknown")
_UNKNOWN = "unknown"
_FIRST_ERROR = 400


def render(report: Report, out: TextIO) -> None:
    """Write one JSON object per line."""
    out.writelines(to_json(_finding(alert)) + "\n" for alert in report.alerts)
    by_event: dict[tuple[str, int | None], list[Match]] = defaultdict(list)
    for match in report.matches:
        by_event[match.source, match.line].append(match)
    out.writelines(to_json(_activity(matches)) + "\n" for matches in by_event.values())


def _finding(alert: Alert) -> Fields:
    severity_id, severity = _SEVERITIES[alert.severity]
    uid = _uid(alert)
    last_at = _milliseconds(alert.last_at) or _now()
    return _present(
        {
            "class_uid": 2004,
            "class_name": "Detection Finding",
            "category_uid": 2,
            "category_name": "Findings",
            "activity_id": _CREATE,
            "activity_name": "Create",
            "type_uid": 200401,
            "type_name": "Detection Finding: Create",
            "severity_id": severity_id,
            "severity": severity,
            "confidence_id": _CONFIDENCES[alert.confidence],
            "confidence": alert.confidence.value.capitalize(),
            "status_id": 1,
            "status": "New",
            "time": last_at,
            "start_time": _milliseconds(alert.first_at),
            "end_time": _milliseconds(alert.last_at),
            "count": max(alert.count, 1),
            "message": alert.explanation,
            "metadata": _metadata(uid, alert.cluster),
            "finding_info": {
                "uid": uid,
                "title": alert.title,
                "desc": alert.explanation,
                "types": ["Kubernetes audit log"],
                "analytic": {"type_id": 1, "type": "Rule", "uid": alert.rule_id, "name": alert.title},
                "attacks": [_attack(technique) for technique in alert.techniques],
                "first_seen_time": _milliseconds(alert.first_at),
                "last_seen_time": _milliseconds(alert.last_at),
                "data_sources": list(dict.fromkeys(event.source for event in alert.events)),
                "related_events": [
                    {"uid": uid, "type": "API Activity"}
                    for uid in dict.fromkeys(event.audit_id for event in alert.events[:_MOST_EVENTS] if event.audit_id)
                ],
            },
            "resources": [_named_resource(path, alert.cluster) for path in alert.objects[:_MOST_EVENTS]],
            "evidences": [_evidence(event) for event in alert.events[:_MOST_EVENTS]],
            "remediation": {"desc": alert.next_steps} if alert.next_steps else None,
            "observables": [*_observables(alert)],
            "unmapped": {
                "actor": alert.actor,
                "attributed_to": list(alert.attributed_to),
                "catalogue": list(alert.catalogue),
            },
        }
    )


def _activity(matches: Sequence[Match]) -> Fields:
    """One event, with the rules that matched it."""
    first = matches[0]
    details = first.details
    worst = max((match.severity for match in matches), key=lambda severity: severity.rank)
    severity_id, severity = _SEVERITIES[worst]
    verb = details.get("verb")
    activity_id, activity = _ACTIVITIES.get(verb, _OTHER_ACTIVITY) if verb else _UNKNOWN_ACTIVITY
    return _present(
        {
            "class_uid": 6003,
            "class_name": "API Activity",
            "category_uid": 6,
            "category_name": "Application Activity",
            "activity_id": activity_id,
            "activity_name": activity,
            "type_uid": 600300 + activity_id,
            "type_name": f"API Activity: {activity}",
            "severity_id": severity_id,
            "severity": severity,
            "time": _milliseconds(first.at) or _now(),
            **_status(details),
            "metadata": _metadata(first.audit_id, details.get("cluster")),
            **_request(first.audit_id, details),
            "resources": [*_resources(details)],
            "enrichments": [
                {
                    "name": "rule",
                    "value": match.rule_id,
                    "data": {"severity": match.severity.value, "catalogue": list(match.catalogue)},
                }
                for match in matches
            ],
            "unmapped": {
                "source": first.source,
                "line": first.line,
                "stage": first.stage,
                **{name: details.get(name) for name in ("username", "authorized_by", "action", "exec_command")},
            },
        }
    )


def _request(audit_id: str | None, details: Mapping[str, Any]) -> Fields:
    """Who asked what, from where."""
    path, _, query = str(details.get("request_uri") or details.get("request_path") or "").partition("?")
    code = details.get("code")
    return {
        "actor": {
            "user": {
                "name": details.get("actor") or _UNKNOWN,
                "type_id": 0 if not details.get("actor") else 3 if _is_system(details) else 1,
                "groups": [{"name": name} for name in details.get("groups") or ()],
            }
        },
        "api": {
            "operation": _operation(details),
            "group": {"name": details["api_group"]} if details.get("api_group") else None,
            "request": {"uid": audit_id or _UNKNOWN},
            "response": {
                "code": code,
                "error": details.get("status_reason"),
                "message": details.get("status_message"),
            },
        },
        "src_endpoint": {"ip": details["source_ip"]} if details.get("source_ip") else {"name": _UNKNOWN},
        "http_request": {
            "user_agent": details.get("user_agent"),
            "url": {"path": path, "query_string": query} if path else None,
        },
    }


def _is_system(details: Mapping[str, Any]) -> bool:
    return details.get("actor_kind") in {"service_account", "node", "control_plane"}


def _operation(details: Mapping[str, Any]) -> str:
    """Verb and resource: `get pods/exec`; of other requests the verb alone."""
    resource = "/".join(filter(None, [details.get("resource"), details.get("subresource")]))
    return " ".join(filter(None, [details.get("verb") or _UNKNOWN, resource]))


def _status(details: Mapping[str, Any]) -> Fields:
    code = details.get("code")
    if code is None:
        return {"status_id": 0, "status": "Unknown"}
    failed = code >= _FIRST_ERROR
    return {
        "status_id": 2 if failed else 1,
        "status": "Failure" if failed else "Success",
        "status_code": str(code),
        "status_detail": details.get("status_message"),
    }


def _resources(details: Mapping[str, Any]) -> Iterable[Fields]:
    if details.get("resource"):
        yield {
            "uid": next((each.path for each in distinct_objects([details])), details["resource"]),
            "type": details["resource"],
            "name": details.get("object_name") or details.get("name"),
            "namespace": details.get("namespace"),
            "group": {"name": details["api_group"]} if details.get("api_group") else None,
        }


def _named_resource(path: str, cluster: str | None) -> Fields:
    """An object as alerts name it, `resource/namespace/name` or less of it."""
    kind, *rest = path.split("/", 2)
    return {
        "uid": path,
        "type": kind,
        "name": rest[-1] if rest else None,
        "namespace": rest[0] if len(rest) > 1 else None,
        "labels": [f"cluster:{cluster}"] if cluster else None,
    }


def _evidence(event: AlertEvent) -> Fields:
    request = _request(event.audit_id, event.details)
    return {
        "actor": request["actor"],
        "api": request["api"],
        "src_endpoint": request["src_endpoint"],
        "data": {"source": event.source, "line": event.line, "stage": event.stage, "audit_id": event.audit_id},
    }


def _observables(alert: Alert) -> Iterable[Fields]:
    if alert.actor:
        yield {"name": "evidences[].actor.user.name", "type_id": 4, "type": "User Name", "value": alert.actor}
    for address in alert.source_ips:
        yield {"name": "evidences[].src_endpoint.ip", "type_id": 2, "type": "IP Address", "value": address}


def _attack(technique: str) -> Fields:
    parent, _, sub = technique.partition(".")
    return {
        "version": _ATTACK_VERSION,
        "technique": {"uid": parent, "name": parent},
        "sub_technique": {"uid": technique, "name": technique} if sub else None,
    }


def _metadata(uid: str | None, cluster: str | None) -> Fields:
    return {
        "version": VERSION,
        "uid": uid,
        "product": {"name": "kubewitness", "vendor_name": "kubewitness", "version": __version__},
        "log_name": "kube-apiserver-audit",
        "log_provider": cluster,
    }


def _uid(alert: Alert) -> str:
    """The same whenever the same log is read."""
    first = alert.events[0] if alert.events else None
    parts = [alert.rule_id, alert.cluster, alert.actor, str(alert.first_at), str(first and first.audit_id)]
    return hashlib.sha256("\x00".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _milliseconds(at: datetime | None) -> int | None:
    """Since 1970; times in the model are naive UTC."""
    if at is None:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _now() -> int:
    """For events of which no time is known: when the finding was made."""
    return int(datetime.now(UTC).timestamp() * 1000)


def _present(fields: Fields) -> Fields:
    """The object without members that are null or empty: OCSF leaves out what is not known."""
    kept = {name: _inside(value) for name, value in fields.items()}
    return {name: value for name, value in kept.items() if value not in (None, "", [], {})}


def _inside(value: Any) -> Any:
    match value:
        case dict():
            return _present(value)
        case list():
            return [kept for item in value if (kept := _inside(item)) not in (None, "", [], {})]
        case _:
            return value
