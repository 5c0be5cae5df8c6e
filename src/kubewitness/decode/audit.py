"""Audit events: which objects are audit events, and how one becomes an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kubewitness.decode.json_text import MAX_DEPTH, clean_escapes, depth_of, parse_object, string_of, value_of
from kubewitness.decode.outcome import Event
from kubewitness.decode.salvage import repair

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubewitness.decode.record import Envelope, Record

MARKS = ("auditID", "verb", "requestURI")
ROW_MARKS = ("auditId", "requestUri")
"""What only rows of a table have, whose columns a pipeline has named in this way; the API server writes `MARKS`."""
SKIPPED = b"skipped-too-big-size-object"
_TRUNCATED = b"audit.k8s.io/truncated"
_BODIES = ("requestObject", "responseObject")
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")


def is_audit_event(fields: Mapping[str, msgspec.Raw]) -> bool:
    """Whether an object is an audit event.

    It is when it has an auditID, which nothing else has; when it says so (`kind` Event without a foreign
    `apiVersion`); and when it says nothing (the items of an EventList do not) but has a verb or a requestURI.
    A core `Event` is not, and no row of a table.
    """
    if bytes(fields.get("auditID", b"null")) != b"null":
        return True
    if any(mark in fields for mark in ROW_MARKS):
        return False
    version = string_of(fields["apiVersion"]) if "apiVersion" in fields else None
    if version is not None and not version.startswith("audit.k8s.io/"):
        return False
    if "kind" in fields and string_of(fields["kind"]) not in ("Event", None):
        return False
    if any(bytes(fields.get(mark, b"null")) != b"null" for mark in MARKS):
        return True
    says_so = "kind" in fields and string_of(fields["kind"]) == "Event"
    return says_so and "involvedObject" not in fields and "regarding" not in fields


def event_of(record: Record) -> Event:
    """Make the outcome of a record that is an audit event."""
    return _event(record.text, record.envelope, partial=record.is_cut, original=record.as_written)


def event_of_fields(fields: Mapping[str, Any], record: Record, envelope: Envelope, *, partial: bool = False) -> Event:
    """Make the outcome of an audit event that had to be put together from parts.

    Args:
        fields: the event's fields by API name, decoded or as raw JSON.
        record: the record they are from.
        envelope: what is known from around the event, by now.
        partial: whether a part had to be salvaged.
    """
    return _event(msgspec.json.encode(fields), envelope, partial=partial or record.is_cut)


def _event(text: bytes, envelope: Envelope, *, partial: bool, original: bytes | None = None) -> Event:
    text = clean_escapes(text)
    if b"\n" in text or b"\r" in text:
        text = text.translate(_LINE_BREAKS)  # in well-formed JSON they stand between tokens only
    is_too_deep = depth_of(text) > MAX_DEPTH
    if is_too_deep:
        text = repair(text, max_depth=MAX_DEPTH).text
    return Event(
        text=text,
        line=envelope.line,
        cluster=envelope.cluster,
        logged_at=envelope.logged_at,
        truncated=partial or is_too_deep or _is_truncated(text),
        partial=partial,
        original=original if partial else None,
        record=envelope.record,
    )


def _is_truncated(text: bytes) -> bool:
    """Whether a body was replaced by Azure, or bodies were dropped by the server."""
    if SKIPPED not in text and _TRUNCATED not in text:
        return False
    fields = parse_object(text) or {}
    if any(body in fields and bytes(fields[body]) == b'"%b"' % SKIPPED for body in _BODIES):
        return True
    annotations = value_of(fields.get("annotations"))
    return isinstance(annotations, dict) and _TRUNCATED.decode() in annotations
