"""What became of a record: an event, a record of another category, or a rejection."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    """

    text: bytes
    line: int
    cluster: str | None = None
    logged_at: str | None = None
    truncated: bool = False
    partial: bool = False


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


def canonical_line(event: Event, source: int) -> bytes:
    """Write an event as the one line of NDJSON that the engine reads.

    Args:
        event: the event.
        source: number of the source it was read from.

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
    return b'%b,"event":%b}\n' % (head[:-1], event.text)


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
