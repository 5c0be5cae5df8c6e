"""What became of a record: an event, a record of another category, or a rejection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec

_MAX_WORDS = 300
_ORIGIN = re.compile(rb'\{"source":(\d+),"line":(\d+)')


def _printable(text: str) -> str:
    """Make words that may come out of a log safe to print: no control characters, no endless text."""
    text = text if len(text) <= _MAX_WORDS else text[: _MAX_WORDS - 3] + "..."
    return text if text.isprintable() else "".join(char if char.isprintable() else "\ufffd" for char in text)


@dataclass(frozen=True, slots=True)
class Event:
    """An audit event, whole or salvaged.

    Attributes:
        text: one JSON object on one line, valid UTF-8, with the field names of audit.k8s.io/v1 Event, at
            most 101 levels deep, without NUL and without lone surrogates. Of a key that occurs twice both
            are kept.
        line: line on which its record begins, from 1.
        cluster: cluster the record names, or None.
        logged_at: time of the envelope (RFC 3339), for events that lost or never had their own, or None.
        truncated: whether anything is missing: a cut record, a body that was replaced or dropped, or the
            server's own mark `audit.k8s.io/truncated`.
        partial: whether it was salvaged from a cut or damaged record.
        original: text of a salvaged event before it was repaired; None for others, or when it is not known.
        record: text of the Azure record or row that the event came in, as it was written; None when it came in none.
    """

    text: bytes
    line: int
    cluster: str | None = None
    logged_at: str | None = None
    truncated: bool = False
    partial: bool = False
    original: bytes | None = field(default=None, compare=False, repr=False)
    record: bytes | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Other:
    """A control-plane log of another category.

    Attributes:
        line: line on which its record begins, from 1.
        category: what it is, in the words of its source; printable, at most 300 characters.
    """

    line: int
    category: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "category", _printable(self.category))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is neither.

    Attributes:
        line: line on which it begins, from 1.
        reason: why, for people; printable, at most 300 characters.
    """

    line: int
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", _printable(self.reason))


Outcome = Event | Other | Rejected


def canonical_line(event: Event, source: int, *, as_written: bool = False) -> bytes:
    """Write an event as the one line of NDJSON that the engine reads.

    Args:
        event: the event.
        source: number of the source it was read from.
        as_written: whether to add `original` and `record`, in base64, where they are known: members that the engine
            does not read.

    Returns:
        `{"source":3,"line":17,"cluster":..,"logged_at":..,"truncated":..,"partial":..,"event":{...}}` and a
        newline.
    """
    head = msgspec.json.encode(
        {
            "source": source,
            "line": event.line,
            "cluster": event.cluster,
            "logged_at": event.logged_at,
            "truncated": event.truncated,
            "partial": event.partial,
        }
    )
    if not as_written or not (event.original or event.record):
        return b'%b,"event":%b}\n' % (head[:-1], event.text)
    written = {"original": event.original, "record": event.record}
    return b'%b,"event":%b,%b\n' % (head[:-1], event.text, msgspec.json.encode(written)[1:])


@dataclass(frozen=True, slots=True)
class Canonical:
    """What a canonical line holds of its event's texts; the attributes are those of `Event`."""

    line: int
    text: bytes
    partial: bool
    original: bytes | None = None
    record: bytes | None = None


def read_canonical(line: bytes) -> Canonical:
    """Read a line that `canonical_line` wrote."""
    found = _CANONICAL.decode(line)
    return Canonical(found.line, bytes(found.event), found.partial, found.original, found.record)


class _CanonicalLine(msgspec.Struct):
    line: int
    partial: bool
    event: msgspec.Raw
    original: bytes | None = None
    record: bytes | None = None


_CANONICAL = msgspec.json.Decoder(_CanonicalLine)


def without_bodies(line: bytes) -> bytes:
    """Give the canonical line of the same event without its bodies, marked as truncated.

    Args:
        line: a canonical line.

    Returns:
        A canonical line; the same one when there are no bodies, or it cannot be understood.
    """
    try:
        fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        event = msgspec.json.decode(fields["event"], type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError, RecursionError):
        return line
    kept = {name: value for name, value in event.items() if name not in ("requestObject", "responseObject")}
    if len(kept) == len(event):
        return line
    return msgspec.json.encode({**fields, "truncated": True, "event": kept}) + b"\n"


def origin_of_line(line: bytes) -> tuple[int, int]:
    """Give the number of the source and the line that a canonical line says its event is from."""
    found = _ORIGIN.match(line)
    return (int(found[1]), int(found[2])) if found else (0, 0)
