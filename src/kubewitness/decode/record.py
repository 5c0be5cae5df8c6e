"""A record on its way through its wrappings, and the protocol that a format fulfils."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from kubewitness.decode.json_text import array_items, string_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import msgspec

    from kubewitness.decode.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the wrappings around a record have said so far.

    Attributes:
        line: line on which the record begins, from 1.
        cluster: cluster, as soon as a wrapping named it.
        logged_at: time (RFC 3339), as soon as a wrapping named it.
        cut: whether a wrapping was cut, so that what is inside may lack something.
        level: number of wrappings.
        record: text of the Azure record or row that is next around, as it was written; None where there is none, or
            where it is not known.
    """

    line: int
    cluster: str | None = None
    logged_at: str | None = None
    cut: bool = False
    level: int = 0
    record: bytes | None = None

    def inside(
        self,
        *,
        line: int | None = None,
        cluster: str | None = None,
        logged_at: str | None = None,
        cut: bool = False,
        record: bytes | None = None,
    ) -> Envelope:
        """Go one wrapping deeper; what the inner wrapping says goes before what the outer one said."""
        return replace(
            self,
            line=line or self.line,
            cluster=cluster or self.cluster,
            logged_at=logged_at or self.logged_at,
            cut=cut,
            level=self.level + 1,
            record=record,
        )


@dataclass(frozen=True, slots=True)
class Record:
    """One JSON object, parsed one level deep; its members stay text until somebody looks inside.

    Attributes:
        text: its JSON text, always well-formed (a cut record has been repaired).
        fields: its members. Of a key that occurs twice the last one.
        envelope: what is known from around it.
        open: number of containers that were open where its text was cut; 0 when it is whole. The cut always
            runs through the last member of each container.
        problem: why the text had to be repaired, for people, or None.
        original: its text before it was repaired; None when it was not, or when that is not known.
    """

    text: bytes
    fields: dict[str, msgspec.Raw]
    envelope: Envelope
    open: int = 0
    problem: str | None = None
    original: bytes | None = None

    @property
    def as_written(self) -> bytes | None:
        """Its text as its source has it; None when that is not known."""
        return None if self.open and self.original is None else self.original or self.text

    @property
    def is_cut(self) -> bool:
        """Whether the record, or what it was wrapped in, was cut."""
        return self.open > 0 or self.envelope.cut

    @property
    def line(self) -> int:
        """Line on which the record begins."""
        return self.envelope.line

    def string(self, key: str) -> str | None:
        """Give a member that is a string, else None."""
        raw = self.fields.get(key)
        return None if raw is None else string_of(raw)


@dataclass(frozen=True, slots=True)
class Inner:
    """What a wrapping held: text to decode in its turn.

    Attributes:
        text: text of the record inside, JSON or another format.
        envelope: what is known from around it.
        open: number of its containers that were open at the cut, when its text has been repaired already.
    """

    text: bytes
    envelope: Envelope
    open: int = 0


class ObjectFormat(Protocol):
    """A format whose records are JSON objects: a module in `formats` with `unwrap`.

    Formats know their own records only and claim disjoint sets of objects. `CUT_TEXTS` are the paths (keys,
    without indices) of strings that hold a record as text: cut ones are kept, to be salvaged in their turn.
    """

    CUT_TEXTS: frozenset[tuple[str, ...]]

    def unwrap(self, record: Record) -> Iterable[Outcome | Inner] | None:
        """Give the outcomes and inner records of a record, or None when it is of another format."""


class TextFormat(Protocol):
    """A format whose records are lines of text: a module in `formats` with `unwrap_text`."""

    def unwrap_text(self, text: bytes, envelope: Envelope) -> Iterable[Outcome | Inner] | None:
        """Give the outcomes and inner records of a line, or None when it is of another format."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an array inside a record.

    Attributes:
        text: its JSON text.
        open: number of its containers that were open at the cut; 0 for all but the last item.
        line: line on which it begins.
    """

    text: bytes
    open: int
    line: int


def items_of(record: Record, raw: msgspec.Raw | bytes | None, depth: int) -> list[Item]:
    """Split an array inside a record into its items.

    Args:
        record: the record.
        raw: the array.
        depth: number of containers around each item, in the record.

    Returns:
        The items; none when it is no array.
    """
    items = array_items(raw) if raw is not None else None
    if not items:
        return []
    last = len(items) - 1
    line, text = record.line, record.text
    begin = end = text.find(bytes(raw or b"")) if b"\n" in text else -1
    found: list[Item] = []
    for index, item in enumerate(map(bytes, items)):
        start = text.find(item, end) if end >= 0 else -1
        if start >= 0:
            line += text.count(b"\n", begin if found else 0, start)
            begin, end = start, start + len(item)
        found.append(Item(item, max(0, record.open - depth) if index == last else 0, line))
    return found
