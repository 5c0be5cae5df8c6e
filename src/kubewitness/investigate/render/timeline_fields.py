"""A timeline as machines read it. Names and order are a contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from kubewitness.investigate.actions import Action
from kubewitness.words.plain import Fields, ledger_fields, rfc3339, to_json

if TYPE_CHECKING:
    from kubewitness.investigate.requests import Request
    from kubewitness.investigate.sessions import Session
    from kubewitness.investigate.timeline import Entry, Timeline
    from kubewitness.model.alert import Alert


def write_json(timeline: Timeline, out: TextIO) -> None:
    """Write one object `{summary, ledger, sessions, entries}`; each entry stands on a line of its own."""
    out.write(
        f'{{"summary": {to_json(summary_fields(timeline))},\n"ledger": {to_json(ledger_fields(timeline.ledger))},\n'
    )
    sessions = ",\n".join(to_json(session_fields(session)) for session in timeline.sessions)
    entries = ",\n".join(to_json(entry_fields(entry)) for entry in timeline.entries)
    out.write(f'"sessions": [\n{sessions}],\n"entries": [\n{entries}]}}\n')


def write_ndjson(timeline: Timeline, out: TextIO) -> None:
    """Write one entry per line."""
    out.writelines(to_json(entry_fields(entry)) + "\n" for entry in timeline.entries)


def summary_fields(timeline: Timeline) -> Fields:
    """What was asked and how much was found."""
    return {
        "subject": timeline.subject,
        "sessions": len(timeline.sessions),
        "requests": timeline.requests,
        "actions": sum(isinstance(entry.what, Action) for entry in timeline.entries),
        "alerts": sum(not isinstance(entry.what, Action) for entry in timeline.entries),
        "looked_at": timeline.looked_at,
        "first_at": rfc3339(timeline.first_at),
        "last_at": rfc3339(timeline.last_at),
        "remarks": list(timeline.remarks),
    }


def session_fields(session: Session) -> Fields:
    """One session."""
    return {
        "session": session.number,
        "cluster": session.cluster,
        "username": session.username,
        "actor": session.actor,
        "actor_kind": session.actor_kind,
        "source_ip": session.source_ip,
        "program": session.program,
        "credential_id": session.credential_id,
        "began_at": rfc3339(session.began_at),
        "ended_at": rfc3339(session.ended_at),
        "requests": session.requests,
        "refused": session.refused,
        "failed": session.failed,
        "changes": session.changes,
        "unended": session.unended,
        "still_open": session.still_open,
    }


def entry_fields(entry: Entry) -> Fields:
    """One thing on the axis."""
    return action_fields(entry.what) if isinstance(entry.what, Action) else _alert_fields(entry, entry.what)


def action_fields(action: Action) -> Fields:
    """One action with its requests."""
    return {
        "type": "action",
        "at": rfc3339(action.began_at),
        "ended_at": rfc3339(action.ended_at),
        "session": action.session,
        "kind": action.kind.value,
        "text": action.text,
        "changed": action.is_change,
        "refused": action.refused,
        "failed": action.failed,
        "objects": list(action.objects),
        "requests": [request_fields(request) for request in action.requests],
    }


def request_fields(request: Request) -> Fields:
    """One request with the places of its records."""
    details = request.details
    return {
        "audit_id": details.get("audit_id"),
        "at": rfc3339(request.began_at),
        "ended_at": rfc3339(request.ended_at),
        "duration_s": request.duration_s,
        "ending": request.ending.value,
        "verb": details.get("verb"),
        "request_uri": details.get("request_uri"),
        "code": request.code,
        "authorized_by": details.get("authorized_by"),
        "records": [{"source": origin.source, "line": origin.line} for origin in request.origins],
    }


def _alert_fields(entry: Entry, alert: Alert) -> Fields:
    return {
        "type": "alert",
        "at": rfc3339(entry.at),
        "session": entry.session,
        "rule_id": alert.rule_id,
        "title": alert.title,
        "severity": alert.severity.value,
        "actor": alert.actor,
        "count": alert.count,
        "first_at": rfc3339(alert.first_at),
        "last_at": rfc3339(alert.last_at),
        "techniques": list(alert.techniques),
        "explanation": alert.explanation,
        "events": [
            {"audit_id": event.audit_id, "source": event.source, "line": event.line, "at": rfc3339(event.at)}
            for event in alert.events
        ],
        "events_left_out": alert.size - len(alert.events),
    }
