"""A rule, ready to be planned."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

# Read at run time: plans are written to and read from JSON by their types.
from kubewitness.query.fields import Field, UnknownFieldError, find_field

if TYPE_CHECKING:
    from kubewitness.model.rule import RuleInfo
    from kubewitness.query.predicate import Predicate


class CorrelationKind(StrEnum):
    """What a correlation looks for in a window. Source: Sigma correlation rules specification, `type`."""

    EVENTS = "event_count"
    VALUES = "value_count"
    SUM = "value_sum"
    AVERAGE = "value_avg"
    MEDIAN = "value_median"
    PERCENTILE = "value_percentile"
    TEMPORAL = "temporal"
    ORDERED = "temporal_ordered"


NUMERIC = frozenset({CorrelationKind.SUM, CorrelationKind.AVERAGE, CorrelationKind.MEDIAN, CorrelationKind.PERCENTILE})
"""Kinds that reckon with the value of a field."""


class Comparison(StrEnum):
    """How what was counted is compared with the condition's figure."""

    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    EQUAL = "="
    NOT_EQUAL = "<>"


@dataclass(frozen=True, slots=True)
class Key:
    """A value that base rules have in common or that is counted, and where each of them has it.

    Attributes:
        name: what the correlation calls it.
        fields: for each base rule, in their order, the name of its field, or of a key if it is a correlation itself.
    """

    name: str
    fields: tuple[str, ...]

    @property
    def is_alias(self) -> bool:
        """Whether base rules have it in fields of other names: absent values then have nothing in common."""
        return any(field != self.name for field in self.fields)


@dataclass(frozen=True, slots=True)
class Alternative:
    """Base rules that must and must not match within a window, by their places among all of them.

    Attributes:
        wanted: those that must, in order.
        unwanted: those that must not.
    """

    wanted: tuple[int, ...]
    unwanted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Correlation:
    """Matches of base rules inside a window that slides over the time of the events.

    Attributes:
        kind: what is looked for.
        rules: ids of the base rules; until they are linked, names or ids as the document has them.
        group_by: what the matches have in common.
        window_s: length of the window, in seconds.
        comparison: how what was counted is compared; of `temporal`, the number of different rules.
        threshold: with what.
        counted: what is counted or reckoned with.
        percentile: which one.
        alternatives: what must match and what must not, for `temporal_ordered` and extended conditions.
        generate: whether the base rules make alerts all the same.
        alert_by: names of those of `group_by` that say which matches are one alert; all if empty.
    """

    kind: CorrelationKind
    rules: tuple[str, ...]
    group_by: tuple[Key, ...]
    window_s: int
    comparison: Comparison = Comparison.GREATER_OR_EQUAL
    threshold: float = 1
    counted: tuple[Key, ...] = ()
    percentile: int | None = None
    alternatives: tuple[Alternative, ...] = ()
    generate: bool = False
    alert_by: tuple[str, ...] = ()

    @property
    def fields(self) -> set[Field]:
        """Fields of events that it looks at."""
        found = set()
        for name in {name for key in (*self.group_by, *self.counted) for name in key.fields}:
            with suppress(UnknownFieldError):  # a key of a base that is a correlation itself
                found.add(find_field(name))
        return found


@dataclass(frozen=True, slots=True)
class FirstSeen:
    """A value that an actor shows for the first time.

    Attributes:
        fields: whose value is new; of several, their combination.
        by: fields that say whose history it is.
        after: how many earlier requests make a history.
        learning_s: how long a history must have lasted, in seconds.
    """

    fields: tuple[Field, ...]
    by: tuple[Field, ...]
    after: int
    learning_s: int = 0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Requests whose beginning the log shows and whose end it does not.

    Attributes:
        within_s: how long before the end of the log a request must have begun, in seconds.
        by: fields that say of what kind a request is: where the log shows no end of any of a kind, none is expected.
        unless: fields: where another request with the same values of them did end, it does not matter; none if empty.
    """

    within_s: int
    by: tuple[Field, ...]
    unless: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class LogSource:
    """What logs a rule or a filter is for; None where it does not say. Source: Sigma specification."""

    category: str | None = None
    product: str | None = None
    service: str | None = None

    def covers(self, other: LogSource) -> bool:
        """Whether what this one says, the other says too."""
        return all(
            own is None or own == theirs
            for own, theirs in (
                (self.category, other.category),
                (self.product, other.product),
                (self.service, other.service),
            )
        )


@dataclass(frozen=True, slots=True)
class Filter:
    """What must hold besides, of events that rules match. Source: Sigma filters specification.

    Attributes:
        id: kebab-case.
        title: a few words.
        predicate: what must hold.
        rules: ids, names or UUIDs of the rules that are meant; None for all.
        logsource: the rules' log source.
        path: file it was read from.
    """

    id: str
    title: str
    predicate: Predicate
    rules: frozenset[str] | None
    logsource: LogSource
    path: str

    def is_for(self, rule: Rule) -> bool:
        """Whether it narrows this rule."""
        if rule.predicate is None or not self.logsource.covers(rule.logsource):
            return False
        return self.rules is None or not self.rules.isdisjoint({rule.info.id, rule.info.uuid})


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        info: what people read about it.
        predicate: what it says of one event; None for a correlation.
        correlation: what it counts; None for a rule of single events.
        first_seen: what must be new; None when nothing must.
        unfinished: that its requests must not have ended; None when nobody asks.
        alerts: whether its matches are alerts; false for the base of a correlation.
        logsource: what logs it is for.
    """

    info: RuleInfo
    predicate: Predicate | None
    correlation: Correlation | None = None
    first_seen: FirstSeen | None = None
    unfinished: Unfinished | None = None
    alerts: bool = True
    logsource: LogSource = LogSource()
