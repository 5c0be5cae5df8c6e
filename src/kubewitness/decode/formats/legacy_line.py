r"""The API server's legacy text format, one line for each stage.

    2026-11-23T03:13:00.9Z AUDIT: id="46fb.." stage="ResponseComplete" ip="127.0.0.1" method="get"
    user="ops-admin" groups="\"system:masters\"" as="<self>" asgroups="<lookup>" user-agent="curl/7.88.1"
    namespace="<none>" uri="/readyz" response="500"

Values in angle brackets mean: nothing. Source: kubernetes/apiserver, EventString of the audit package, and
lines it wrote.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubewitness.decode.audit import event_of_fields
from kubewitness.decode.outcome import Rejected
from kubewitness.decode.record import Record
from kubewitness.decode.request_path import object_of_path, verb_of_method
from kubewitness.decode.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome
    from kubewitness.decode.record import Envelope, Inner

_LINE = re.compile(rb"(?:(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)) )?AUDIT: (?=id=)")
_PAIR = re.compile(r'([a-z-]+)="((?:[^"\\]|\\.)*)"(?: |\Z)')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_GO_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([abfnrtv])|(.))")
_GO_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def unwrap_text(text: bytes, envelope: Envelope) -> Iterable[Outcome | Inner] | None:
    """Claim lines that begin with a time and `AUDIT:`."""
    found = _LINE.match(text)
    if found is None:
        return None
    line = text[found.end() :].decode(errors="replace")
    pairs: dict[str, str] = {}
    at = 0
    while pair := _PAIR.match(line, at):
        value = _unquote(pair[2])
        if not (value.startswith("<") and value.endswith(">")):
            pairs[pair[1]] = value
        at = pair.end()
    if "id" not in pairs and "uri" not in pairs:
        return (Rejected(envelope.line, "a legacy audit line cut before its id"),)
    event = _event(pairs, rfc3339(found[1].decode()) if found[1] else None)
    # The whole line is used up unless it was cut; `response` is the last pair of every line.
    is_whole = at == len(line) and line.find(' response="') >= 0
    record = Record(text, {}, envelope)
    return (event_of_fields(event, record, envelope, partial=not is_whole),)


def _event(pairs: dict[str, str], received_at: str | None) -> dict[str, Any]:
    uri, method = pairs.get("uri"), pairs.get("method")
    code = pairs.get("response", "")
    impersonated = {"username": pairs.get("as"), "groups": _words(pairs.get("asgroups"))}
    event: dict[str, Any] = {
        "auditID": pairs.get("id"),
        "stage": pairs.get("stage"),
        "requestURI": uri,
        "verb": None if method is None else verb_of_method(method, uri or ""),
        "user": _present({"username": pairs.get("user"), "groups": _words(pairs.get("groups"))}),
        "impersonatedUser": _present(impersonated),
        "sourceIPs": [pairs["ip"]] if "ip" in pairs else None,
        "userAgent": pairs.get("user-agent"),
        "objectRef": None if uri is None else object_of_path(uri, method),
        "responseStatus": {"code": int(code)} if code.isdecimal() else None,
        "requestReceivedTimestamp": received_at,  # the line begins with it at every stage
    }
    return _present(event) or {}


def _present(fields: dict[str, Any]) -> dict[str, Any] | None:
    return {key: value for key, value in fields.items() if value is not None} or None


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [_unquote(word) for word in _QUOTED.findall(text)]


def _unquote(text: str) -> str:
    """Undo Go's %q."""
    return _GO_ESCAPE.sub(_unescape, text) if "\\" in text else text


def _unescape(match: re.Match[str]) -> str:
    number = match[1] or match[2] or match[3]
    if number is not None:
        code = int(number, 16)
        return "\ufffd" if 0xD800 <= code < 0xE000 or code > 0x10FFFF else chr(code)  # noqa: PLR2004 - Unicode
    return _GO_LETTERS[match[4]] if match[4] else match[5]
