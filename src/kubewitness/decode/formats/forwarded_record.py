r"""Records of log forwarders and indexes that hold an audit event among members of their own.

    {"@timestamp":"..","host":"..","message":"{\"kind\":\"Event\",..}"}           Filebeat, Logstash, OpenTelemetry
    {"date":1731704402.09,"log":"{\"kind\":\"Event\",..}"}                        Fluent Bit, Fluentd
    {"preview":false,"result":{"_raw":"{\"kind\":\"Event\",..}"}}                 Splunk, an export of a search
    {"_index":"..","_source":{"kubernetes":{"audit":{"auditID":"..",..}}}}        Elastic, with the fields taken apart

Elastic's integration writes the keys of annotations with an underscore where a dot was.
Source: documentation of these programs; the sample event of Elastic's integration Kubernetes, data stream audit_logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kubewitness.decode.audit import MARKS, is_audit_event
from kubewitness.decode.json_text import object_fields, string_of
from kubewitness.decode.record import Inner, Record
from kubewitness.decode.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kubewitness.decode.outcome import Outcome

_TEXTS = ("message", "log", "_raw", "line", "body", "event", "msg", "Message")
_OBJECTS = ("kubernetes", "audit", "result", "_source", "event", "data", "json", "body", "log", "message")
_TIMES = ("@timestamp", "timestamp", "time", "_time", "ts")
# Where docker's lines and other formats' records have a text of these names, they are theirs.
_OTHERS = ("log_s", "category", "protoPayload", "logEvents", "records", "tables", "TenantId", "items")
_DOCKER = frozenset({"log", "stream", "time", "attrs"})
_TELLING = ('"auditID"', '"audit.k8s.io/')
_UNDERSCORED = "_k8s_io/"
_DEEPEST = 3
CUT_TEXTS = frozenset((name,) for name in _TEXTS)


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim objects that are no audit event and hold one, as text or as an object, under a name known for it."""
    fields = record.fields
    if is_audit_event(fields) or any(name in fields for name in (*MARKS, *_OTHERS)) or fields.keys() <= _DOCKER:
        return None
    logged_at = next((at for name in _TIMES if (at := rfc3339(record.string(name)))), None)
    for name in _TEXTS:
        text = record.string(name)
        if text is not None and text.lstrip().startswith("{") and any(mark in text for mark in _TELLING):
            return (Inner(text.encode(), record.envelope.inside(logged_at=logged_at, cut=record.is_cut)),)
    inner = _event_inside(record.fields)
    if inner is None:
        return None
    event, depth = inner
    return (Inner(event, record.envelope.inside(logged_at=logged_at, cut=record.is_cut), max(0, record.open - depth)),)


def _event_inside(fields: Mapping[str, msgspec.Raw], depth: int = 1) -> tuple[bytes, int] | None:
    """The text of an object inside that is an event, or that holds one as text, and how deep it stands."""
    for name in _OBJECTS:
        members = object_fields(bytes(fields[name])) if name in fields else {}
        if "auditID" in members:
            return _with_dots(bytes(fields[name]), members), depth
        raw = string_of(members["_raw"]) if "_raw" in members else None
        if raw is not None and any(mark in raw for mark in _TELLING):
            return raw.encode(), depth + 1
        if members and depth < _DEEPEST and (found := _event_inside(members, depth + 1)) is not None:
            return found
    return None


def _with_dots(text: bytes, members: Mapping[str, msgspec.Raw]) -> bytes:
    annotations = object_fields(bytes(members["annotations"])) if "annotations" in members else {}
    if not any(_UNDERSCORED in key for key in annotations):
        return text
    mended = {key.replace(_UNDERSCORED, ".k8s.io/"): value for key, value in annotations.items()}
    return msgspec.json.encode({**members, "annotations": mended})
