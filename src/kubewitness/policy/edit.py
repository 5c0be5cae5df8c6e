"""One audit event, as the server would have written it under a policy: fewer levels, no managedFields.

Everything else stays as it was written, byte for byte. Source: k8s.io/apiserver/pkg/audit (request.go, v1.36).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from kubewitness.model.recording import Level
from kubewitness.policy.members import changed, changed_items, members_of, object_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubewitness.policy.members import Members

GATED = "patch.webhook.admission.k8s.io/"
"""Prefix of the annotations that the server writes at level Request and above only."""

MANAGED_FIELDS = b'"managedFields"'
"""What every body with managedFields has in it."""

_GATED_MARK = GATED.encode()
_REQUEST, _RESPONSE = b',"requestObject":', b',"responseObject":'
_TIMES = b',"requestReceivedTimestamp":"'
_LEVEL = b'"level":'
_NOTHING = msgspec.Raw(b"")


class _Head(msgspec.Struct, gc=False):
    """What the server writes before the bodies, as far as it matters, and what it does not write there."""

    level: str
    verb: str = ""
    objectRef: msgspec.Raw = _NOTHING  # noqa: N815 - the API's names
    requestObject: msgspec.Raw = _NOTHING  # noqa: N815
    responseObject: msgspec.Raw = _NOTHING  # noqa: N815
    annotations: msgspec.Raw = _NOTHING


class _Bodies(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    requestObject: msgspec.Raw = _NOTHING  # noqa: N815
    responseObject: msgspec.Raw = _NOTHING  # noqa: N815


class _Tail(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    requestReceivedTimestamp: str  # noqa: N815
    stageTimestamp: msgspec.Raw = _NOTHING  # noqa: N815
    annotations: msgspec.Raw = _NOTHING


class _Reference(msgspec.Struct):
    resource: str = ""


class _Metadata(msgspec.Struct, gc=False):
    managedFields: msgspec.Raw = _NOTHING  # noqa: N815


class _Own(msgspec.Struct, gc=False):
    metadata: _Metadata


_OWN = msgspec.json.Decoder(_Own)
_HEAD = msgspec.json.Decoder(_Head)
_BODIES = msgspec.json.Decoder(_Bodies)
_TAIL = msgspec.json.Decoder(_Tail)
_REFERENCE = msgspec.json.Decoder(_Reference)
_STRING = msgspec.json.Decoder(str)
_NO_BODIES = _Bodies()
_LOWERED = {level: b'"level":"%b"' % level.value.encode() for level in Level}


@dataclass(frozen=True, slots=True)
class Subject:
    """What the request of a body was.

    Attributes:
        verb: of the request.
        resource: in the plural, or "".
    """

    verb: str
    resource: str = ""

    @property
    def is_patch(self) -> bool:
        """Whether the body of the request is a patch."""
        return self.verb == "patch"


@dataclass(frozen=True, slots=True)
class Edit:
    """What to change of an event.

    Attributes:
        level: the level to lower it to; None to leave it.
        omit_managed_fields: whether to take managedFields out of the bodies that remain.
        redact: takes the secrets out of a body that remains.
    """

    level: Level | None = None
    omit_managed_fields: bool = False
    redact: Callable[[bytes, Subject], bytes] | None = None


def edited(event: bytes, edit: Edit) -> bytes:
    """An event, a JSON object on one line, after an edit. What is no such object stays as it is."""
    is_managed = edit.omit_managed_fields and edit.level is not Level.METADATA and MANAGED_FIELDS in event
    if edit.level is None and not is_managed and edit.redact is None:
        return event
    quick = _edited_as_written(event, edit)
    return quick if quick is not None else _edited_anyhow(event, edit)


def _edited_as_written(event: bytes, edit: Edit) -> bytes | None:
    """The edit of an event whose members stand in the order in which the server writes them; None for others."""
    end = event.rfind(_TIMES)
    begin = event.find(_REQUEST, 0, end)
    if begin < 0:
        begin = event.find(_RESPONSE, 0, end)
    if begin < 0:
        begin = end
    if begin < 0:
        return None
    head, bodies, tail = event[:begin], event[begin:end], event[end:]
    try:
        # Each part is parsed, so that a name inside a body or a user's extra cannot be taken for the event's own.
        known = _HEAD.decode(head + b"}")
        _TAIL.decode(b"{" + tail[1:])
        found = _BODIES.decode(b"{" + bodies[1:] + b"}") if bodies else _NO_BODIES
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if known.requestObject or known.responseObject or known.annotations:
        return None
    request, response = found.requestObject, found.responseObject
    if bodies:
        sizes = [
            len(memoryview(body)) + len(mark) for mark, body in ((_REQUEST, request), (_RESPONSE, response)) if body
        ]
        if sum(sizes) != len(bodies):  # a name that comes twice, or white space
            return None
    level = edit.level
    if level is not None:
        own = _LEVEL + b'"' + known.level.encode() + b'"'
        at = head.find(own)
        # No object or list begins before it, and no other is there: it is the event's.
        if at < 0 or head.count(_LEVEL) != 1 or head.find(b"{", 1, at) >= 0 or head.find(b"[", 0, at) >= 0:
            return None
        lowered = _LOWERED[level]
        if level is Level.METADATA:
            return None if _GATED_MARK in tail else b"".join((head[:at], lowered, head[at + len(own) :], tail))
        head = head[:at] + lowered + head[at + len(own) :]
    subject = Subject(known.verb, _resource(known.objectRef) if edit.redact is not None else "")
    parts = [head]
    if request:
        parts += [_REQUEST, edited_body(bytes(request), edit, subject, is_request=True)]
    if response and level is None:
        parts += [_RESPONSE, edited_body(bytes(response), edit, subject)]
    parts.append(tail)
    return b"".join(parts)


def _edited_anyhow(event: bytes, edit: Edit) -> bytes:
    """The edit of an event in whatever order its members stand."""
    members = members_of(event)
    if members is None:
        return event
    level = edit.level
    subject = subject_of(members)
    kept: list[tuple[str, bytes | msgspec.Raw]] = []
    for name, value in members:
        match name:
            case "level" if level is not None:
                kept.append((name, b'"%b"' % level.value.encode()))
            case "requestObject":
                if level is not Level.METADATA:
                    kept.append((name, edited_body(bytes(value), edit, subject, is_request=True)))
            case "responseObject":
                if level is None:
                    kept.append((name, edited_body(bytes(value), edit, subject)))
            case "annotations" if level is Level.METADATA:
                if (remaining := without_gated(value)) is not None:
                    kept.append((name, remaining))
            case _:
                kept.append((name, value))
    return object_of(kept)


def _text(value: bytes | msgspec.Raw) -> str | None:
    try:
        return _STRING.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def without_gated(annotations: bytes | msgspec.Raw) -> bytes | msgspec.Raw | None:
    """Annotations that are not gated by the level; None when none are left, as the server leaves out an empty map."""
    members = members_of(annotations)
    if members is None or not any(name.startswith(GATED) for name, _ in members):
        return annotations
    kept = [(name, value) for name, value in members if not name.startswith(GATED)]
    return object_of(kept) if kept else None


def edited_body(body: bytes, edit: Edit, subject: Subject, *, is_request: bool = False) -> bytes:
    """A body that remains, after an edit. The server writes a patch as it came, managedFields and all."""
    if edit.omit_managed_fields and not (is_request and subject.is_patch) and MANAGED_FIELDS in body:
        body = without_managed_fields(body)
    return edit.redact(body, subject) if edit.redact is not None else body


def subject_of(members: Members) -> Subject:
    """What the request was, out of the members of its event, or the columns of a row."""
    found = {name.lower(): value for name, value in members}
    reference = found.get("objectref", b"")
    if bytes(reference)[:1] == b'"':
        reference = (_text(reference) or "").encode()
    return Subject(_text(found.get("verb", b"")) or "", _resource(reference))


def _resource(reference: bytes | msgspec.Raw) -> str:
    try:
        return _REFERENCE.decode(reference).resource
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def without_managed_fields(body: bytes) -> bytes:
    """A body without managedFields: its own, those of its items, and of the objects in the rows of a Table."""
    if body.count(MANAGED_FIELDS) == 1 and (quick := _without_only(body)) is not None:
        return quick
    body = _without_own(body)
    if b'"items"' in body:
        body = changed(body, "items", lambda items: changed_items(items, _without_own))
    if b'"rows"' in body and _is_table(body):
        body = changed(body, "rows", lambda rows: changed_items(rows, lambda row: changed(row, "object", _without_own)))
    return body


def _without_only(body: bytes) -> bytes | None:
    """A body without its own managedFields, where these are the only ones in it; None when they are not its own."""
    try:
        found = _OWN.decode(body).metadata.managedFields
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    member = b"," + MANAGED_FIELDS + b":" + bytes(found)
    return body.replace(member, b"") if found and member in body else None


def _is_table(body: bytes) -> bool:
    return any(name == "kind" and _text(value) == "Table" for name, value in members_of(body) or ())


def _without_own(value: bytes | msgspec.Raw) -> bytes:
    if MANAGED_FIELDS not in memoryview(value).tobytes():
        return bytes(value)
    return changed(value, "metadata", _without_member)


def _without_member(metadata: bytes | msgspec.Raw) -> bytes | msgspec.Raw:
    members = members_of(metadata)
    if members is None:
        return metadata
    return object_of((name, value) for name, value in members if name != "managedFields")
