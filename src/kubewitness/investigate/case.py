"""A case: what was pinned of logs to tell what happened, with notes, author and time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - read at run time: a case is read from JSON by its types
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kubewitness.decode.times import utc
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Fields = dict[str, Any]


class Kind(StrEnum):
    """What an entry holds."""

    ALERT = "alert"
    EVENT = "event"
    QUERY = "query"
    NOTE = "note"
    COVERAGE = "coverage"


class Tactic(StrEnum):
    """Tactics of an attack, in the order in which ATT&CK tells them. Source: MITRE ATT&CK, enterprise."""

    RECONNAISSANCE = "reconnaissance"
    RESOURCE_DEVELOPMENT = "resource-development"
    INITIAL_ACCESS = "initial-access"
    EXECUTION = "execution"
    PERSISTENCE = "persistence"
    PRIVILEGE_ESCALATION = "privilege-escalation"
    DEFENSE_EVASION = "defense-evasion"
    CREDENTIAL_ACCESS = "credential-access"
    DISCOVERY = "discovery"
    LATERAL_MOVEMENT = "lateral-movement"
    COLLECTION = "collection"
    COMMAND_AND_CONTROL = "command-and-control"
    EXFILTRATION = "exfiltration"
    IMPACT = "impact"

    @property
    def heading(self) -> str:
        """As a heading."""
        return self.value.replace("-", " ").capitalize()


@dataclass(frozen=True, slots=True)
class PinnedEvent:
    """An event as it was pinned.

    Attributes:
        source: file it was read from, as it was named.
        line: line on which its record begins, from 1.
        sha256: of the bytes of its record, as the file has them, without the newline; of an event inside a larger
            document (a list, a CSV table, a page of CloudWatch), of the event's text taken out of it.
        bytes: how many there are.
        at: when it happened (UTC, naive).
        details: columns of the events table, redacted.
    """

    source: str
    line: int | None
    sha256: str
    bytes: int
    at: datetime | None
    details: Fields


@dataclass(frozen=True, slots=True)
class PinnedAlert:
    """An alert as it was pinned.

    Attributes:
        fields: the alert as `scan --format json` writes it.
        tactics: of its rule.
        events: those of its events whose records were pinned.
    """

    fields: Fields
    tactics: tuple[str, ...] = ()
    events: tuple[PinnedEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class PinnedQuery:
    """A filter and its answer at the time.

    Attributes:
        filter: as `hunt` understands it.
        paths: what was asked.
        count: events that it found.
        looked_at: events that were asked.
        first_at: time of the first one it found (UTC, naive).
        last_at: time of the last one.
        events: the first of them.
        since: only events from here on.
        until: only events before.
        cluster: name for events whose log does not say.
        could: of an empty answer, whether the logs could have given another one, in sentences.
    """

    filter: str
    paths: tuple[str, ...]
    count: int
    looked_at: int
    first_at: datetime | None
    last_at: datetime | None
    events: tuple[PinnedEvent, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    cluster: str | None = None
    could: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PinnedCoverage:
    """What the logs could not have shown.

    Attributes:
        recording: what they are taken for.
        is_inferred: whether no well-known recording fits.
        levels: levels that occur, and how often.
        stages: stages that occur, and how often.
        blind: rules that could not have matched: id, title, severity, reason.
        partly: rules that could have matched in part only.
        covered: how many rules could have matched.
    """

    recording: str
    is_inferred: bool
    levels: dict[str, int]
    stages: dict[str, int]
    blind: tuple[Fields, ...]
    partly: tuple[Fields, ...]
    covered: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a case; entries are never changed.

    Attributes:
        id: its own, in hexadecimal digits.
        kind: what it holds.
        added_at: when it was added (UTC, naive).
        author: who added it.
        note: what they said about it.
        on: id of the entry that a note is about.
        event: a pinned event.
        alert: a pinned alert.
        query: a pinned query.
        coverage: what logs could not have shown.
        paths: what was read for it.
        ledger: what became of every record that was read for it.
    """

    id: str
    kind: Kind
    added_at: datetime
    author: str
    note: str = ""
    on: str | None = None
    event: PinnedEvent | None = None
    alert: PinnedAlert | None = None
    query: PinnedQuery | None = None
    coverage: PinnedCoverage | None = None
    paths: tuple[str, ...] = ()
    ledger: Fields | None = None

    @property
    def events(self) -> tuple[PinnedEvent, ...]:
        """All events that it pins."""
        match self.kind:
            case Kind.EVENT:
                return (self.event,) if self.event else ()
            case Kind.ALERT:
                return self.alert.events if self.alert else ()
            case Kind.QUERY:
                return self.query.events if self.query else ()
            case Kind.NOTE | Kind.COVERAGE:
                return ()

    @property
    def at(self) -> datetime | None:
        """When what it holds happened; None where it holds nothing that happened."""
        if self.kind is Kind.ALERT and self.alert and self.alert.fields.get("first_at"):
            return _time(str(self.alert.fields["first_at"]))
        if self.kind is Kind.QUERY and self.query:
            return self.query.first_at
        return min((event.at for event in self.events if event.at), default=None)

    @property
    def tactic(self) -> Tactic | None:
        """The first tactic of its alert, in ATT&CK's order."""
        known = set(self.alert.tactics) if self.alert else set()
        return next((tactic for tactic in Tactic if tactic.value in known), None)


@dataclass(frozen=True, slots=True)
class Case:
    """A case.

    Attributes:
        id: its own.
        title: what it is about.
        created_at: when it was made (UTC, naive).
        author: who made it.
        entries: in the order in which they were added.
        version: of the format.
    """

    id: str
    title: str
    created_at: datetime
    author: str
    entries: tuple[Entry, ...] = field(default=())
    version: int = 1

    def notes_on(self, entry: Entry) -> list[Entry]:
        """Notes about an entry, in their order."""
        return [each for each in self.entries if each.kind is Kind.NOTE and each.on == entry.id]

    @property
    def story(self) -> list[Entry]:
        """What happened, by time; what has no time comes last."""
        told = [each for each in self.entries if each.kind in {Kind.ALERT, Kind.EVENT, Kind.QUERY}]
        return sorted(told, key=lambda each: (each.at is None, each.at or each.added_at))

    @property
    def loose_notes(self) -> list[Entry]:
        """Notes about the case as a whole."""
        return [each for each in self.entries if each.kind is Kind.NOTE and each.on is None]

    @property
    def coverage(self) -> list[Entry]:
        """What logs could not have shown."""
        return [each for each in self.entries if each.kind is Kind.COVERAGE]

    @property
    def authors(self) -> tuple[str, ...]:
        """Who worked on it."""
        return tuple(dict.fromkeys((self.author, *(each.author for each in self.entries))))

    @property
    def records(self) -> dict[str, PinnedEvent]:
        """Every pinned record once, by the hash of its bytes."""
        return {event.sha256: event for entry in self.entries for event in entry.events if event.sha256}


def by_tactic(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    """Entries under the tactic they belong to, in ATT&CK's order; the rest last."""
    listed: Sequence[Entry] = list(entries)
    found = [(tactic.heading, [each for each in listed if each.tactic is tactic]) for tactic in Tactic]
    found.append(("Without a tactic", [each for each in listed if each.tactic is None]))
    return [(title, each) for title, each in found if each]


def headline(entry: Entry) -> str:
    """What an entry says, in one line."""
    match entry.kind:
        case Kind.ALERT:
            fields = entry.alert.fields if entry.alert else {}
            return str(fields.get("explanation") or fields.get("title") or "")
        case Kind.EVENT:
            return _deed(entry.event.details) if entry.event else ""
        case Kind.QUERY:
            query = entry.query
            return f"{query.filter}: {query.count:,} of {counted(query.looked_at, 'record')}" if query else ""
        case Kind.NOTE:
            return entry.note
        case Kind.COVERAGE:
            found = entry.coverage
            return f"{found.recording}: {len(found.blind):,} rules blind, {len(found.partly):,} partly" if found else ""


def _deed(details: Fields) -> str:
    """Who did what, out of the columns of an event."""
    who = details.get("actor") or details.get("username") or "somebody"
    what = details.get("request_uri") or ""
    if details.get("resource"):
        kind = "/".join(filter(None, (details["resource"], details.get("subresource"))))
        name = "/".join(filter(None, (details.get("namespace"), details.get("object_name") or details.get("name"))))
        what = f"{kind} {name}".strip()
    code = f" ({details['code']})" if details.get("code") is not None else ""
    command = f" `{details['exec_command']}`" if details.get("exec_command") else ""
    return f"{who} {details.get('verb') or ''} {what}{command}{code}"


def _time(text: str) -> datetime | None:
    try:
        return utc(text)
    except ValueError:
        return None
