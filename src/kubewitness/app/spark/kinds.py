"""Kinds of the events of a store, as Spark finds them: one event of each is asked for all of them.

An event without a kind, as other programs may have written it, is a kind of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubewitness.app.spark.opening import EVENTS
from kubewitness.app.spark.questions import Use
from kubewitness.detect.bits import WORD_BITS
from kubewitness.query.spark_session import COMPILED
from kubewitness.store.table import STORED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from kubewitness.app.spark.opening import SparkEvents
    from kubewitness.app.spark.questions import Question

Place = tuple[str, int]
"""Where an event is: path of its file, as Spark gives it, and its row."""

KEYED = "keyed_events"
"""View of the events with `kind_key`, which says of what kind an event is."""

_KEYED = f"""
SELECT *, coalesce(kind, -1 - shiftrightunsigned(xxhash64(file_path, file_row), 1)) AS kind_key FROM {EVENTS}
"""  # noqa: S608 - a constant
_KINDS = f"""
-- One row per kind and file: how many events, how many with a time or lowered, the first and the last of them.
SELECT
    kind_key, file_path, count(*) AS events, count(happened_at) AS dated, count(lowered_by) AS lowered,
    min(happened_at) AS first_at, max(happened_at) AS last_at,
    min_by(file_row, coalesce(happened_at, TIMESTAMP_NTZ'9999-12-31')) AS first_row,
    max(reached_at) AS reached_at, max_by(file_row, reached_at) AS last_row
FROM (SELECT *, coalesce(stage_at, happened_at, TIMESTAMP_NTZ'1970-01-01') AS reached_at FROM {KEYED})
GROUP BY kind_key, file_path
"""  # noqa: S608 - a constant

# All of an event that a kind does not see is never asked; whether it has bodies is told by an empty one.
_SEEN = ", ".join(
    "CASE WHEN has_body OR truncated THEN '{{}}' END AS response_object"
    if column.name == "response_object"
    else f"`{column.name}`"
    for column in STORED
)
_ANSWERS = f"""
-- One row per kind: what its first event says of all of them; answers are numbers of questions.
SELECT number, cluster, partial, resource, filter(array({{answers}}), one -> one IS NOT NULL) AS answers
FROM (
    SELECT /*+ BROADCAST(places) */ number, {_SEEN}
    FROM {EVENTS} JOIN places ON file_path = first_path AND file_row = first_row
)
"""  # noqa: S608 - a constant


@dataclass(slots=True)
class Kind:
    """A kind of events.

    Attributes:
        key: what its events have in `kind_key`; negative for one of those without a kind.
        events: how many there are.
        dated: how many of them have a time.
        first_at: when the first of these happened (UTC, naive).
        last_at: when the last one did.
        first: the first of them, or any if none has a time.
        reached_at: how far the log had come when the last event was written.
        last: that event.
        cluster: name of their cluster.
        partial: whether they were salvaged from cut records.
        resource: what they are about.
        answers: numbers of the questions to which the kind does not say no.
        lowered: of how many a policy has taken something.
    """

    key: int
    events: int
    dated: int
    first_at: datetime | None
    last_at: datetime | None
    first: Place
    reached_at: datetime
    last: Place
    cluster: str | None = None
    partial: bool = False
    resource: str | None = None
    answers: frozenset[int] = frozenset()
    lowered: int = 0

    def add(self, other: Kind) -> None:
        """Take in events of the same kind."""
        if other.first_at is not None and (self.first_at is None or other.first_at < self.first_at):
            self.first_at, self.first = other.first_at, other.first
        if other.reached_at > self.reached_at:
            self.reached_at, self.last = other.reached_at, other.last
        self.last_at = max(filter(None, (self.last_at, other.last_at)), default=None)
        self.events += other.events
        self.dated += other.dated
        self.lowered += other.lowered


def find_kinds(events: SparkEvents, questions: Sequence[Question]) -> list[Kind]:
    """All kinds, with the answers of Spark to questions about each; makes the view `KEYED`."""
    events.session.sql(_KEYED).createOrReplaceTempView(KEYED)
    kinds = [*_merged(events.rows(_KINDS, COMPILED))]
    places = [(number, *kind.first) for number, kind in enumerate(kinds)]
    events.give("places", "number int, first_path string, first_row bigint", places)
    answers = ", ".join(f"CASE WHEN {each.of_kind} THEN {number} END" for number, each in enumerate(questions))
    for row in events.rows(_ANSWERS.format(answers=answers)):
        kind = kinds[row.number]
        kind.cluster, kind.partial, kind.resource = row.cluster, row.partial, row.resource
        kind.answers = frozenset(row.answers)
    return kinds


def give_open(
    events: SparkEvents, name: str, questions: Sequence[Question], kinds: Iterable[Kind], meant: Collection[int]
) -> dict[int, str]:
    """Make a view of kinds whose events are to be looked at: `kind_key`, `wanted`, `begun`, and bits of what is open.

    Args:
        events: where to make it.
        name: of the view.
        questions: that were asked.
        kinds: all kinds.
        meant: numbers of the questions that matter.

    Returns:
        Conditions on its rows joined with events, by the number of a question: that it is open, and what is left holds.
    """
    answered = [(kind.key, kind.answers.intersection(meant)) for kind in kinds]
    open_ = sorted({number for _, answers in answered for number in answers if questions[number].left})
    places = {number: divmod(place, WORD_BITS) for place, number in enumerate(open_)}
    words = range(-(-len(open_) // WORD_BITS))
    rows: list[tuple[int | bool, ...]] = []
    for key, answers in answered:
        known = {questions[number].use for number in answers - places.keys()}
        flags = (Use.WANTED in known, Use.BEGUN in known)
        bits = [places[number] for number in answers & places.keys()]
        if any(flags) or bits:
            rows.append((key, *flags, *(sum(1 << bit for own, bit in bits if own == word) for word in words)))
    listed = "".join(f", open_{word} bigint" for word in words)
    events.give(name, f"kind_key bigint, wanted boolean, begun boolean{listed}", rows)
    return {
        number: f"(open_{word} & {1 << bit}) <> 0 AND {questions[number].left}"
        for number, (word, bit) in places.items()
    }


def _merged(rows: Iterable[Any]) -> Iterable[Kind]:
    kinds: dict[int, Kind] = {}
    for row in rows:
        found = Kind(
            row.kind_key, row.events, row.dated, row.first_at, row.last_at, (row.file_path, row.first_row),
            row.reached_at, (row.file_path, row.last_row), lowered=row.lowered,
        )  # fmt: skip
        if row.kind_key in kinds:
            kinds[row.kind_key].add(found)
        else:
            kinds[row.kind_key] = found
    return kinds.values()
