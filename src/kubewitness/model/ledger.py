"""The ledger: what became of every record that was read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record stands.

    Attributes:
        source: file as the user named it, `-` for standard input.
        line: line on which the record begins, from 1; None where the source itself is meant.
    """

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record, or a whole source, that could not be read, and why."""

    reason: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counts of records. Always `read == events + partial + duplicates + other + rejected`.

    Attributes:
        read: records read.
        events: whole audit events.
        partial: events salvaged from cut records.
        duplicates: the same record again.
        other: control-plane logs of another category.
        rejected: records that are none of these, with `rejections` saying why.
        rejections: the first of them, in the order of reading.
        unreadable: sources that could not be opened or read to their end; not records, so not counted.
    """

    read: int = 0
    events: int = 0
    partial: int = 0
    duplicates: int = 0
    other: int = 0
    rejected: int = 0
    rejections: tuple[Rejection, ...] = field(default=())
    unreadable: tuple[Rejection, ...] = field(default=())

    @classmethod
    def of(
        cls,
        *,
        events: int = 0,
        partial: int = 0,
        duplicates: int = 0,
        other: int = 0,
        rejected: int = 0,
        rejections: tuple[Rejection, ...] = (),
        unreadable: tuple[Rejection, ...] = (),
    ) -> Ledger:
        """The ledger of records that have all been counted as one of these."""
        read = events + partial + duplicates + other + rejected
        return cls(read, events, partial, duplicates, other, rejected, rejections, unreadable)

    @property
    def is_unusable(self) -> bool:
        """Whether nothing was read because nothing could be."""
        return not self.read and bool(self.unreadable)

    @property
    def is_unanswerable(self) -> bool:
        """Whether there was something to read, and not one record of it is known to be anything."""
        return self.rejected == self.read and bool(self.read or self.unreadable)

    @property
    def is_balanced(self) -> bool:
        """Whether every record that was read is accounted for."""
        return self.read == self.events + self.partial + self.duplicates + self.other + self.rejected
