"""A rule, ready to be planned."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

# Read at run time: plans are written to and read from JSON by their types.
from kubewitness.query.fields import Field  # noqa: TC001

if TYPE_CHECKING:
    from kubewitness.model.rule import RuleInfo
    from kubewitness.query.predicate import Predicate


class CountKind(StrEnum):
    """What a correlation counts. Source: Sigma correlation rules specification."""

    EVENTS = "event_count"
    VALUES = "value_count"


class CountOrder(StrEnum):
    """How the count is compared with the condition's figure."""

    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    EQUAL = "="
    NOT_EQUAL = "<>"


@dataclass(frozen=True, slots=True)
class Correlation:
    """A count over matches of base rules inside a sliding window of event time.

    Attributes:
        kind: requests, or distinct values of `counted`.
        rules: ids of the base rules.
        group_by: fields that the matches have in common.
        counted: field whose distinct values count; None when requests count.
        window_s: length of the window, in seconds.
        order: how the count is compared.
        threshold: with what.
    """

    kind: CountKind
    rules: tuple[str, ...]
    group_by: tuple[Field, ...]
    counted: Field | None
    window_s: int
    order: CountOrder
    threshold: int


@dataclass(frozen=True, slots=True)
class FirstSeen:
    """A value that an actor shows for the first time.

    Attributes:
        field: whose value is new.
        by: fields that say whose history it is.
        after: how many earlier requests make a history.
    """

    field: Field
    by: tuple[Field, ...]
    after: int


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
        alerts: whether its matches are alerts; false for the base of a correlation.
        logsource: what logs it is for.
    """

    info: RuleInfo
    predicate: Predicate | None
    correlation: Correlation | None = None
    first_seen: FirstSeen | None = None
    alerts: bool = True
    logsource: LogSource = LogSource()
