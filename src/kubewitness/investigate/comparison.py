"""What is different between two logs, two times of one log, or two clusters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from kubewitness.model.ledger import Ledger

USUAL_RATIO = 3.0
"""So many times more, or less, per hour is a change worth showing, unless something else is asked for."""

_FEWEST = 20
"""Below so many events on both sides a ratio is chance."""

_LEAST_SCORE = 10.83
"""Chance alone would bring a change like this once in a thousand times. Source: chi-squared, one degree, p = 0.001."""


class Aspect(StrEnum):
    """What is compared, the most telling first."""

    PERMISSION = "permission"
    ACTOR = "actor"
    REGISTRY = "registry"
    ACTION = "action"
    NETWORK = "network"
    AGENT = "program"
    NAMESPACE = "namespace"
    ACTOR_VERB = "verb of an actor"
    DEED = "deed"
    IMAGE = "image"
    LEVEL = "level"
    CLUSTER = "cluster"

    @property
    def rank(self) -> int:
        """Place in the order, from 0."""
        return list(Aspect).index(self)

    @property
    def plural(self) -> str:
        """Several of them, for people."""
        return _PLURALS.get(self, f"{self.value}s")


_PLURALS = {Aspect.REGISTRY: "registries", Aspect.ACTOR_VERB: "verbs of actors that both have"}
AT = " at "
"""Between what is recorded and its level in a value of the aspect LEVEL."""


class Change(StrEnum):
    """How the two sides differ in a value."""

    NEW = "new"
    GONE = "gone"
    MORE = "more"
    LESS = "less"


@dataclass(frozen=True, slots=True)
class Tally:
    """How much of a value there is on one side.

    Attributes:
        events: number of events.
        bytes: of their text.
        first_at: time of the first one (UTC, naive).
        last_at: time of the last one.
        actors: how many different actors.
    """

    events: int
    bytes: int
    first_at: datetime | None = None
    last_at: datetime | None = None
    actors: int = 0


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared.

    Attributes:
        label: what it is, for people.
        total: all of its events.
        stages: events by stage.
        has_bodies: whether any event has a body.
        verbs: verbs that occur.
        tallies: of each aspect, by value.
        ledger: what became of every record.
    """

    label: str
    total: Tally
    stages: Mapping[str, int]
    has_bodies: bool
    verbs: frozenset[str]
    tallies: Mapping[Aspect, Mapping[str, Tally]]
    ledger: Ledger

    @property
    def hours(self) -> float | None:
        """Hours from its first event to its last; None where that is no time."""
        if self.total.first_at is None or self.total.last_at is None:
            return None
        return (self.total.last_at - self.total.first_at).total_seconds() / 3600 or None


@dataclass(frozen=True, slots=True)
class Difference:
    """A value of which the two sides have not the same.

    Attributes:
        aspect: what is compared.
        value: the value.
        change: how they differ.
        before: how much of it there is on the first side; None for nothing.
        after: how much of it there is on the second.
        ratio: events per hour of the second side, divided by those of the first; None where one has none.
        score: how little of it can be chance (log-likelihood ratio); with few events it is small.
    """

    aspect: Aspect
    value: str
    change: Change
    before: Tally | None
    after: Tally | None
    ratio: float | None
    score: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different between two sides.

    Attributes:
        before: the first side.
        after: the second side.
        differences: new ones first, then those that are gone, then changed ones; in each by aspect and score.
        remarks: what to know before the answer is believed.
    """

    before: Side
    after: Side
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...]

    def of(self, *changes: Change) -> list[Difference]:
        """Differences of these kinds, in their order."""
        return [each for each in self.differences if each.change in changes]


def compare_sides(before: Side, after: Side, *, ratio: float = USUAL_RATIO) -> Comparison:
    """Find what is different.

    Args:
        before: the first side.
        after: the second one.
        ratio: how many times more or less per hour is a change.
    """
    found = [
        difference
        for aspect in Aspect
        for value in sorted(before.tallies[aspect].keys() | after.tallies[aspect].keys())
        if (difference := _difference(before, after, aspect, value, ratio)) is not None
    ]
    order = [Change.NEW, Change.GONE, Change.MORE, Change.LESS]
    found.sort(key=lambda each: (min(order.index(each.change), 2), _place(each), -each.score))
    return Comparison(before, after, tuple(found), tuple(_remarks(before, after)))


def _place(difference: Difference) -> int:
    """New and gone things are told aspect by aspect; of changes the strongest come first whatever they are of."""
    return difference.aspect.rank if difference.change in (Change.NEW, Change.GONE) else 0


def _difference(before: Side, after: Side, aspect: Aspect, value: str, least: float) -> Difference | None:
    old, new = before.tallies[aspect].get(value), after.tallies[aspect].get(value)
    score = _score(old.events if old else 0, new.events if new else 0, before.total.events, after.total.events)
    if old is None or new is None:
        if _is_said_already(before if old is None else after, aspect, value):
            return None
        change = Change.NEW if old is None else Change.GONE
        return Difference(aspect, value, change, old, new, None, score)
    ratio = _rate(new, after.hours, before.hours) / _rate(old, before.hours, after.hours)
    if max(old.events, new.events) < _FEWEST or score < _LEAST_SCORE or 1 / least < ratio < least:
        return None
    return Difference(aspect, value, Change.MORE if ratio > 1 else Change.LESS, old, new, ratio, score)


def _is_said_already(lacking: Side, aspect: Aspect, value: str) -> bool:
    """Whether something else that is new, or gone, says it: its actor, or what is recorded at a level."""
    if aspect is Aspect.ACTOR_VERB:
        return value.rpartition(" ")[0] not in lacking.tallies[Aspect.ACTOR]
    if aspect is Aspect.LEVEL:
        what = value.rpartition(AT)[0]
        return not any(each.rpartition(AT)[0] == what for each in lacking.tallies[Aspect.LEVEL])
    return False


def _rate(tally: Tally, hours: float | None, other_hours: float | None) -> float:
    """Events per hour; just events where one of the sides has no length."""
    return tally.events / hours if hours and other_hours else tally.events


def _score(old: int, new: int, all_old: int, all_new: int) -> float:
    """Log-likelihood ratio of two counts out of two totals (Dunning's G)."""
    if not all_old or not all_new:
        return 0.0
    expected_old = all_old * (old + new) / (all_old + all_new)
    expected_new = all_new * (old + new) / (all_old + all_new)
    terms = ((old, expected_old), (new, expected_new))
    return 2 * sum(seen * math.log(seen / expected) for seen, expected in terms if seen)


_READS = frozenset({"get", "list", "watch"})


def _remarks(before: Side, after: Side) -> Iterator[str]:
    for side in (before, after):
        if not side.total.events:
            yield f"{side.label} has no events: everything of the other is new or gone"
            return
    for side, other in ((before, after), (after, before)):
        if not side.verbs & _READS and other.verbs & _READS:
            yield f"{side.label} has no reads (get, list, watch) and {other.label} has: perhaps they are not recorded"
        if not side.has_bodies and other.has_bodies:
            yield f"{side.label} has no bodies and {other.label} has: images, registries and bytes cannot be compared"
        if missing := sorted(set(other.stages) - set(side.stages)):
            yield f"{side.label} has no events of stage {', '.join(missing)}: for that alone it has fewer events"
    if not before.hours or not after.hours:
        yield "a side has no length in time, so ratios are of events, not of events per hour"
