"""Edits of events inside the records and rows that Azure wraps them in; the wrapping stays as it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kubewitness.model.recording import Level
from kubewitness.policy.edit import edited, edited_body, subject_of, without_gated
from kubewitness.policy.members import members_of, object_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubewitness.policy.edit import Edit

    Change = Callable[[bytes], bytes]

_TEXT = msgspec.json.Decoder(str)


class _Properties(msgspec.Struct):
    log: str


class _Record(msgspec.Struct):
    properties: _Properties


class _RawProperties(msgspec.Struct):
    log: msgspec.Raw


class _RawRecord(msgspec.Struct):
    properties: _RawProperties


_RECORD = msgspec.json.Decoder(_Record)
_RAW_RECORD = msgspec.json.Decoder(_RawRecord)


def event_in(record: bytes) -> bytes | None:
    """The event in an Azure record whose log is text; None when it is not."""
    try:
        return _RECORD.decode(record).properties.log.encode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def edited_record(record: bytes, edit: Edit) -> bytes:
    """An Azure record or a row of Log Analytics after an edit of the event in it."""
    if record.count(b'"properties"') == 1 and record.count(b'"log"') == 1:  # inside of a text the quotes are escaped
        try:
            before = bytes(_RAW_RECORD.decode(record).properties.log)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return record.replace(before, _changed_value(before, _event(edit)), 1)
    members = members_of(record) or []
    names = {name.lower() for name, _ in members}
    if "properties" in names or "log_s" in names:
        return _within(
            record, {"properties": lambda inner: _within(inner, {"log": _event(edit)}), "log_s": _event(edit)}
        )
    return _edited_row(record, edit)


def _event(edit: Edit) -> Change:
    def change(event: bytes) -> bytes:
        content = event.rstrip()
        return edited(content, edit) + event[len(content) :]

    return change


def _within(text: bytes, changes: dict[str, Change]) -> bytes:
    """An object in which members, found without regard to case, are changed; a member that is text stays text."""
    for name, value in members_of(text) or ():
        change = changes.get(name.lower())
        if change is None:
            continue
        before = bytes(value)
        after = _changed_value(before, change)
        if after != before:
            at = text.find(before)
            text = text[:at] + after + text[at + len(before) :]
    return text


def _changed_value(value: bytes, change: Change) -> bytes:
    if not value.startswith(b'"'):
        return change(value)
    try:
        content = _TEXT.decode(value).encode()
        after = change(content)
    except (msgspec.MsgspecError, UnicodeError):
        return value
    return value if after == content else msgspec.json.encode(after.decode())


def _edited_row(row: bytes, edit: Edit) -> bytes:
    """A row with a column for each field of the event."""
    members = members_of(row)
    if members is None:
        return row
    subject = subject_of(members)

    def request(body: bytes) -> bytes:
        return edited_body(body, edit, subject, is_request=True)

    def response(body: bytes) -> bytes:
        return edited_body(body, edit, subject)

    kept: list[tuple[str, bytes | msgspec.Raw]] = []
    for name, value in members:
        match name.lower():
            case "level" if edit.level is not None:
                kept.append((name, msgspec.json.encode(edit.level.value)))
            case "requestobject":
                if edit.level is not Level.METADATA:
                    kept.append((name, _changed_value(bytes(value), request)))
            case "responseobject":
                if edit.level is None:
                    kept.append((name, _changed_value(bytes(value), response)))
            case "annotations" if edit.level is Level.METADATA:
                kept.append((name, _changed_value(bytes(value), lambda text: bytes(without_gated(text) or b"{}"))))
            case _:
                kept.append((name, value))
    return object_of(kept) if kept != members else row
