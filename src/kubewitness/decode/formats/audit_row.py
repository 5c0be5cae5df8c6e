"""Rows of the Log Analytics tables AKSAudit, AKSAuditAdmin and ArcK8sAudit: a column for each field.

Dynamic columns are objects (data export) or JSON text (query answers, CSV). The tables have no column for the
impersonated user, kind or apiVersion. Source: Azure Monitor table reference, AKSAudit. Names are compared
without case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kubewitness.decode.audit import MARKS, ROW_MARKS, event_of_fields
from kubewitness.decode.columns import Columns
from kubewitness.decode.json_text import clean_escapes, string_of, tidy
from kubewitness.decode.outcome import Other
from kubewitness.decode.salvage import repair
from kubewitness.decode.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome
    from kubewitness.decode.record import Inner, Record

_TEXTS = {
    "auditid": "auditID",
    "level": "level",
    "stage": "stage",
    "requesturi": "requestURI",
    "verb": "verb",
    "useragent": "userAgent",
}
_TIMES = {"requestreceivedtime": "requestReceivedTimestamp", "stagereceivedtime": "stageTimestamp"}
_DYNAMICS = {
    "user": "user",
    "impersonateduser": "impersonatedUser",  # in no table today; a transformation may add it
    "sourceips": "sourceIPs",
    "objectref": "objectRef",
    "responsestatus": "responseStatus",
    "requestobject": "requestObject",
    "responseobject": "responseObject",
    "annotations": "annotations",
}
_TELLING = ("auditid", "requesturi", "requestreceivedtime", "stagereceivedtime")
_NAMES = (
    "User",
    "SourceIps",
    "ObjectRef",
    "ResponseStatus",
    "RequestObject",
    "ResponseObject",
    "Annotations",
)

CUT_TEXTS = frozenset((name,) for name in _NAMES)


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim rows of the audit tables, and rows of the control-plane tables as another category."""
    is_named_as_row = any(mark in record.fields for mark in ROW_MARKS)
    if any(mark in record.fields for mark in MARKS) and not is_named_as_row:
        return None
    columns = Columns(record.fields)
    table = (columns.string("type") or "").lower()
    if table.endswith("controlplane") or _is_control_plane(columns):
        return (Other(record.line, columns.string("category") or "control plane"),)
    if not any(name in columns for name in _TELLING) and not table.endswith(("k8saudit", "aksaudit", "auditadmin")):
        return None
    event, is_whole = _event(columns)
    if not any(mark in event for mark in MARKS):
        return None
    return (event_of_fields(event, record, columns.envelope(record), partial=not is_whole),)


def _event(columns: Columns) -> tuple[dict[str, Any], bool]:
    """Give the event's fields by API name, and whether all of them are whole."""
    event: dict[str, Any] = {}
    for name, field in _TEXTS.items():
        if (text := columns.raw(name)) is not None:
            event[field] = msgspec.Raw(text)
    is_whole = True
    for name, field in _DYNAMICS.items():
        if (text := columns.raw(name)) is not None:
            event[field], whole = _dynamic(text, field)
            is_whole = is_whole and whole
    for name, field in _TIMES.items():
        if (text := columns.raw(name)) is not None:
            event[field] = rfc3339(columns.string(name)) or msgspec.Raw(text)
    return event, is_whole


def _is_control_plane(columns: Columns) -> bool:
    return "message" in columns and "category" in columns and "podname" in columns


def _dynamic(text: bytes, field: str) -> tuple[Any, bool]:
    """Give the value of a dynamic column, and whether it is whole."""
    inner = string_of(text)
    if inner is None:
        return msgspec.Raw(text), True
    content = clean_escapes(tidy(inner.encode()))
    if content[:1] in (b"{", b"["):
        repaired = None if _is_well_formed(content) else repair(content)
        if repaired is None:
            return msgspec.Raw(content), True
        return msgspec.Raw(repaired.text), repaired.problem is None
    if field == "sourceIPs":
        return inner.split(), True  # a bare address
    return msgspec.Raw(text), True


def _is_well_formed(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
