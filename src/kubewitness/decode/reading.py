"""From the text of one record to its outcomes: parse, unwrap format by format, salvage what is cut."""

from __future__ import annotations

import pkgutil
import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from kubewitness.decode import formats
from kubewitness.decode.audit import is_audit_event
from kubewitness.decode.json_text import (
    Scanner,
    Status,
    array_items,
    clean_escapes,
    parse_object,
    string_of,
    tidy,
    value_of,
)
from kubewitness.decode.nested import find_nested
from kubewitness.decode.outcome import Outcome, Rejected
from kubewitness.decode.record import Envelope, Inner, ObjectFormat, Record, TextFormat, items_of
from kubewitness.decode.salvage import Repaired, repair

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

_MAX_WRAPPINGS = 8
_MAX_RESTARTS = 16
_STRUCTURE = re.compile(rb"[\s,\]}]*+")
_YAML = re.compile(rb"(?:- )*[A-Za-z][\w.-]*:(?: |\Z)|- [\w\"'/]")
_START = re.compile(
    rb'\{\s*+"(?:kind|apiVersion|level|auditID|stage|category|operationName|properties|records|resourceId|time|Cloud'
    rb'|TenantId|TimeGenerated|tables|messageType|insertId|protoPayload)"\s*+:'
)
_BRACKETED = re.compile(rb"(?=\[(?:(?!true|false|null)[A-Za-z]|\d{4}-))(?:\[[^\[\]{}\"]*+\][^\[\]{}\"]*+)++\{")
"""A word in brackets before a record, as `kubectl logs --prefix` writes it: no list."""
_EVENT_START = re.compile(rb'\{"kind":"Event","apiVersion":"audit\.k8s\.io/')


@cache
def _formats() -> tuple[tuple[ObjectFormat, ...], tuple[TextFormat, ...], frozenset[tuple[str, ...]]]:
    """Find the modules of `formats`: those for objects, those for text, and the paths of cut texts."""
    names = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
    modules: list[Any] = [import_module(f"{formats.__name__}.{name}") for name in names]
    objects = tuple(cast("ObjectFormat", module) for module in modules if hasattr(module, "unwrap"))
    texts = tuple(cast("TextFormat", module) for module in modules if hasattr(module, "unwrap_text"))
    paths = frozenset(path for module in objects for path in module.CUT_TEXTS)
    return objects, texts, paths | {("records", *path) for path in paths}


def decode_text(text: bytes, envelope: Envelope, open_: int = 0) -> Iterator[Outcome]:
    """Decode the text of one record.

    Args:
        text: one record, or several one after the other; any format, whole, cut or damaged; any bytes.
        envelope: what is known from around it.
        open_: number of its containers that were open at the cut, when it was repaired already.

    Yields:
        At least one outcome, except for blank text and for empty lists. Never raises.
    """
    text = tidy(text)
    if not text:
        return
    if text.startswith(b"{") and (fields := parse_object(text)) is not None:
        yield from _decode_object(Record(text, fields, envelope, open=open_))
    else:
        yield from _decode_pieces(clean_escapes(text), envelope, open_)


def is_record(text: bytes) -> bool:
    """Whether a text is one whole JSON object of a known format (as opposed to a part of a larger one).

    One key is too little to tell.
    """
    fields = parse_object(text)
    return fields is not None and len(fields) > 1 and _is_known_text(text)


def begins_record(text: bytes) -> bool:
    """Whether a line begins a record of a known format, whole or cut, as opposed to going on with one."""
    if _START.match(text) is None:
        return False
    return is_record(text.rstrip(b", \t")) or is_record(repair(clean_escapes(text), _formats()[2]).text)


def is_structure(text: bytes) -> bool:
    """Whether a text has only commas and closing brackets: the end of something, not a record."""
    return _STRUCTURE.fullmatch(text) is not None


def _is_known(record: Record) -> bool:
    for module in _formats()[0]:
        found = module.unwrap(record)
        if found is not None:
            return not isinstance(next(iter(found), None), Rejected)
    return False


def _is_known_text(text: bytes) -> bool:
    fields = parse_object(text)
    return fields is not None and _is_known(Record(text, fields, Envelope(line=0)))


def _decode_object(record: Record) -> Iterator[Outcome]:
    if record.envelope.level > _MAX_WRAPPINGS:
        yield Rejected(record.line, "wrapped too many times")
        return
    for module in _formats()[0]:
        found = module.unwrap(record)
        if found is not None:
            yield from _follow(found)
            return
    yield from _follow(find_nested(record, _is_known_text) or (Rejected(record.line, _why_unknown(record)),))


def _follow(found: Iterable[Outcome | Inner]) -> Iterator[Outcome]:
    for item in found:
        if not isinstance(item, Inner):
            yield item
        elif not item.text.strip():
            yield Rejected(item.envelope.line, "an envelope with nothing in it")
        else:
            yield from decode_text(item.text, item.envelope, item.open)


def _decode_pieces(text: bytes, envelope: Envelope, open_: int) -> Iterator[Outcome]:
    """Decode what is not simply one well-formed object."""
    at = 0
    while True:
        structure = _STRUCTURE.match(text, at) if at else None
        at = structure.end() if structure else at
        if at >= len(text):
            return
        if text[at] not in b"{[" or _BRACKETED.match(text, at):
            end = yield from _decode_foreign(text, at, envelope)
        else:
            status, end = Scanner().feed(text, at)
            if status is Status.COMPLETE:
                piece = text if at == 0 and end == len(text) else text[at:end]
                yield from _decode_container(piece, envelope, open_)
            else:
                end = yield from _decode_damaged(text, at, envelope)
        at = end


def _decode_container(text: bytes, envelope: Envelope, open_: int) -> Iterator[Outcome]:
    """Decode an object or array whose brackets match."""
    if text.startswith(b"{") and (fields := parse_object(text)) is not None:
        yield from _decode_object(Record(text, fields, envelope, open=open_))
    elif text.startswith(b"[") and array_items(text) is not None:
        yield from _decode_array(text, envelope, open_)
    else:
        yield from _decode_repaired(repair(text, _formats()[2]), envelope, text)


def _decode_damaged(text: bytes, at: int, envelope: Envelope) -> Generator[Outcome, None, int]:
    """Decode an object or array that does not end, and say where the next record begins."""
    rest = text[at:] if at else text
    repaired = repair(rest, _formats()[2])
    if not repaired.open:
        yield from _decode_repaired(repaired, envelope, rest[: repaired.end])
        return at + repaired.end
    if not repaired.cut:
        start = _next_start(rest, max(repaired.safe, 1))
    elif is_audit_event(parse_object(repaired.text) or {}):
        # An event that was cut between two tokens may have swallowed the one that was written after it.
        start = _next_start(rest, 1, _EVENT_START)
    else:
        start = None
    if start is not None:
        repaired = repair(rest[:start], _formats()[2])
    yield from _decode_repaired(repaired, envelope, rest[:start])
    return len(text) if start is None else at + start


def _decode_repaired(repaired: Repaired, envelope: Envelope, original: bytes) -> Iterator[Outcome]:
    fields = parse_object(repaired.text)
    outcomes: Iterable[Outcome] = ()
    if fields is not None:
        record = Record(repaired.text, fields, envelope, repaired.open, repaired.problem, original)
        outcomes = _decode_object(record)
    elif repaired.text.startswith(b"["):
        outcomes = _decode_array(repaired.text, envelope, repaired.open)
    is_empty = True
    for outcome in outcomes:
        is_empty = False
        yield outcome
    if is_empty and repaired.problem is not None and not (repaired.cut and repaired.open):
        yield Rejected(envelope.line, f"not JSON: {repaired.problem}")


def _decode_array(text: bytes, envelope: Envelope, open_: int) -> Iterator[Outcome]:
    items = items_of(Record(text, {}, envelope, open_), text, depth=1)
    if items and not any(item.text.startswith((b"{", b"[", b'"{')) for item in items):
        yield Rejected(envelope.line, f"a JSON array of {_kind_of(items[0].text)}s, not of audit events")
    elif envelope.level >= _MAX_WRAPPINGS:
        yield Rejected(envelope.line, "wrapped too many times")
    else:
        for item in items:
            inside = envelope.inside(line=item.line, cut=envelope.cut and item is items[-1])
            yield from decode_text(item.text, inside, item.open)


def _decode_foreign(text: bytes, at: int, envelope: Envelope) -> Generator[Outcome, None, int]:
    """Decode what does not begin like an object or array, and say where the next record begins."""
    rest = text[at:] if at else text
    for module in _formats()[1]:
        found = module.unwrap_text(rest, envelope)
        if found is not None:
            yield from _follow(found)
            return len(text)
    start = _next_start(rest, 1)
    if start is None or at:  # what stands before the first record of a line is a prefix of that record
        yield Rejected(envelope.line, _why_foreign(rest[:start], at))
    return len(text) if start is None else at + start


def _next_start(text: bytes, start: int, pattern: re.Pattern[bytes] = _START) -> int | None:
    """Find where, from an offset on, a whole record of a known format begins; None when nowhere."""
    for _, found in zip(range(_MAX_RESTARTS), pattern.finditer(text, start), strict=False):
        at = found.start()
        status, end = Scanner().feed(text, at)
        if status is Status.COMPLETE and is_record(text[at:end]):
            return at
    return None


def _why_unknown(record: Record) -> str:
    """Say why an object that no format claims is rejected."""
    if record.is_cut:
        return f"{record.problem or 'cut'}, before anything that tells the request"
    if not record.fields:
        return "an empty object, not an audit event"
    kind = string_of(record.fields["kind"]) if "kind" in record.fields else None
    if kind is not None:
        article = "an" if kind[:1] in "AEIOU" else "a"
        version = record.string("apiVersion") or "no apiVersion"
        return f"{article} {_short(kind)} object of {_short(version)}, not an audit event"
    return f"an object with the keys {_short(', '.join(record.fields))}, not an audit event"


def _why_foreign(text: bytes, at: int) -> str:
    value = value_of(text)
    if value is not None or text == b"null":
        return f"a JSON {_kind_of(text)}, not an audit event"
    if _YAML.match(text):
        return "a line of YAML, not an audit event"
    return f"not JSON: expected '{{' at character {at + 1}"


def _kind_of(text: bytes) -> str:
    kinds = {b'"': "string", b"t": "boolean", b"f": "boolean", b"n": "null", b"{": "object", b"[": "array"}
    return kinds.get(text[:1], "number")


def _short(text: str, length: int = 60) -> str:
    return text if len(text) <= length else f"{text[:length]}..."
