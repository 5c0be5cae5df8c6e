"""`--format sarif`: one log of one run, for code scanning and other viewers of findings. Source: OASIS SARIF 2.1.0."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

from kubewitness import __version__
from kubewitness.alert.render.fields import summary_fields
from kubewitness.model.alert import Severity
from kubewitness.words.escape import visible
from kubewitness.words.plain import Fields, ledger_fields, rfc3339, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.model.alert import Alert, AlertEvent, Report
    from kubewitness.model.ledger import Rejection

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_MOST_PLACES = 100
"""Places of one alert besides the first; a viewer shows few, and its `properties` count them all."""

_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFORMATIONAL: "note",
}
# What GitHub's code scanning orders by: over 9 critical, from 7 high, from 4 medium.
_SCORES = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "3.0",
    Severity.INFORMATIONAL: "1.0",
}


def render(report: Report, out: TextIO) -> None:
    """Write one SARIF log."""
    rules = list({alert.rule_id: alert for alert in report.alerts}.values())
    numbers = {alert.rule_id: number for number, alert in enumerate(rules)}
    unread = [*report.ledger.unreadable, *report.ledger.rejections]
    run: Fields = {
        "tool": {"driver": _driver(rules)},
        "invocations": [
            {
                "executionSuccessful": not report.ledger.unreadable,
                "toolExecutionNotifications": [*map(_remark, report.remarks), *map(_unread, unread)],
            }
        ],
        "results": [_result(alert, numbers[alert.rule_id]) for alert in report.alerts],
        "columnKind": "unicodeCodePoints",
        "properties": {"summary": summary_fields(report), "ledger": ledger_fields(report.ledger)},
    }
    out.write(to_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n")


def _driver(alerts: Iterable[Alert]) -> Fields:
    return {"name": "kubewitness", "version": __version__, "rules": [_rule(alert) for alert in alerts]}


def _rule(alert: Alert) -> Fields:
    return {
        "id": visible(alert.rule_id),
        "shortDescription": message_of(alert.title),
        **({"help": message_of(alert.next_steps)} if alert.next_steps else {}),
        "defaultConfiguration": {"level": _LEVELS[alert.severity]},
        "properties": {
            "tags": [*dict.fromkeys(("security", *alert.techniques, *alert.catalogue))],
            "security-severity": _SCORES[alert.severity],
            "precision": alert.confidence.value,
        },
    }


def _result(alert: Alert, rule_index: int) -> Fields:
    places = alert.events[: _MOST_PLACES + 1]
    return {
        "ruleId": visible(alert.rule_id),
        "ruleIndex": rule_index,
        "level": _LEVELS[alert.severity],
        "message": message_of(alert.explanation or alert.title),
        "locations": [_location(event, alert) for event in places[:1]],
        "relatedLocations": [_location(event) | {"id": number} for number, event in enumerate(places[1:], 1)],
        "partialFingerprints": {"cause/v1": _fingerprint(alert)},
        "occurrenceCount": max(alert.count, 1),
        "properties": {
            "severity": alert.severity.value,
            "confidence": alert.confidence.value,
            "cluster": alert.cluster,
            "actor": alert.actor,
            "attributed_to": list(alert.attributed_to),
            "source_ips": list(alert.source_ips),
            "user_agents": list(alert.user_agents),
            "objects": list(alert.objects),
            "first_at": rfc3339(alert.first_at),
            "last_at": rfc3339(alert.last_at),
            "events": alert.size,
            "audit_ids": [*dict.fromkeys(event.audit_id for event in places if event.audit_id)],
        },
    }


def _location(event: AlertEvent, alert: Alert | None = None) -> Fields:
    region = {"region": {"startLine": event.line}} if event.line else {}
    place: Fields = {"physicalLocation": {"artifactLocation": {"uri": uri_of(event.source)}, **region}}
    if alert and alert.objects:
        place["logicalLocations"] = [
            {"fullyQualifiedName": visible(name), "kind": "resource"} for name in alert.objects[:_MOST_PLACES]
        ]
    return place


def _remark(text: str) -> Fields:
    return {"level": "note", "message": message_of(text)}


def _unread(rejection: Rejection) -> Fields:
    place: Fields = {"physicalLocation": {"artifactLocation": {"uri": uri_of(rejection.origin.source)}}}
    if rejection.origin.line:
        place["physicalLocation"]["region"] = {"startLine": rejection.origin.line}
    return {"level": "warning", "message": message_of(rejection.reason), "locations": [place]}


def uri_of(source: str) -> str:
    """The source as a URI reference: relative where it is, and never taken for a scheme."""
    if source == "-":
        return "stdin"
    path = quote(source.replace("\\", "/").encode("utf-8", "surrogateescape"), safe="/")
    return f"file://{path}" if path.startswith("/") else path


# A literal brace would begin a placeholder, and a bracket followed by a parenthesis a link.
_LINK = re.compile(r"\[(?=[^\[\]]*\]\()")


def message_of(text: str) -> dict[str, Any]:
    """A message in which nothing is a placeholder or a link."""
    shown = visible(text).replace("{", "{{").replace("}", "}}")
    return {"text": _LINK.sub(r"\\[", shown)}


def _fingerprint(alert: Alert) -> str:
    """The same for the same cause in another scan, whenever it happened."""
    cause = "\x00".join([alert.rule_id, alert.cluster or "", alert.actor or "", alert.object or ""])
    return hashlib.sha256(cause.encode("utf-8", "surrogatepass")).hexdigest()[:32]
