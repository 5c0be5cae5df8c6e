"""What a reading of sources was: what is not in its table, and where the rows of the table are from."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kubewitness.model.errors import UnreadableError
from kubewitness.model.ledger import Ledger, Origin, Rejection
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubewitness.app.parts import Span
    from kubewitness.sources import Source

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(slots=True)
class Reading:
    """What was read: what is not in the table, and where the rows of the table are from.

    Attributes:
        sources: every source, by its id.
        other: records of another category that were decoded line by line.
        rejected: records that could not be read.
        rejections: the first of them.
        unreadable: sources that could not be opened or read to their end.
        left_out: files that were not read because their names say they are no logs.
        spans: parts that the engine read, by their first row, rising.
    """

    sources: list[Source] = field(default_factory=list)
    other: int = 0
    rejected: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    unreadable: list[Rejection] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    @property
    def origin_columns(self) -> tuple[str, ...]:
        """Columns of an event that `origin` wants to know."""
        return ()

    def demand_sources(self) -> None:
        """Do nothing when there was something to read.

        Raises:
            UnreadableError: there was nothing; says why.
        """
        if not self.sources:
            reasons = "; ".join(f"{item.origin}: {item.reason}" for item in self.unreadable)
            raise UnreadableError(
                f"nothing to read: {reasons or 'no file found'}", hint="name files or directories of logs"
            )

    def ledger(self, *, events: int, partial: int, duplicates: int, other: int) -> Ledger:
        """What became of every record; the arguments count those in the table."""
        return Ledger.of(
            events=events,
            partial=partial,
            duplicates=duplicates,
            other=other + self.other,
            rejected=self.rejected,
            rejections=tuple(self.rejections),
            unreadable=tuple(self.unreadable),
        )

    def span(self, row: int) -> Span:
        """The part that a row is from."""
        return self.spans[bisect_right(self.spans, row, key=lambda item: item.first_row) - 1]

    def origin(self, row: int, source_id: int | None, line: int | None, event: Mapping[str, Any] = NOTHING) -> Origin:
        """Where the record of a row stands.

        Args:
            row: its row in the table.
            source_id: its column of that name; null where the part knows it.
            line: its column `record_line`; null where the part knows it.
            event: its `origin_columns`, without nulls.
        """
        del event
        span = self.span(row)
        if source_id is None:
            source_id = span.part.source_id
            line = span.line(row)
        return Origin(self.sources[source_id or 0].name, line)


def demand_events(ledger: Ledger) -> None:
    """Do nothing when there was something that could be read, though it be nothing that was asked for.

    Raises:
        UnreadableError: every record was rejected, or every source unreadable; says why the first one was.
    """
    if ledger.is_unanswerable:
        first = next(iter((*ledger.unreadable, *ledger.rejections)), None)
        where = f": {first.origin}: {first.reason}" if first else ""
        read = f"{counted(ledger.read, 'record')} read, no audit event among them"
        raise UnreadableError(
            f"{read if ledger.read else 'nothing could be read'}{where}",
            hint="kubewitness scan counts what is in files, and says why",
        )
