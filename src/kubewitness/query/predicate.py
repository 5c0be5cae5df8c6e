"""Predicates: what a rule says of one event, as a typed tree that knows no SQL.

A predicate is true or false, never unknown: a test of an absent field is false, and its negation is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from kubewitness.model.event import BY_NAME
from kubewitness.query.fields import Field

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from ipaddress import IPv4Network, IPv6Network


SEARCHED = (
    "request_uri", "username", "impersonated_username", "user_agent", "name", "namespace", "status_message",
    "annotations", "request_object", "response_object",
)  # fmt: skip
"""Columns in which a keyword is looked for."""


class Operator(StrEnum):
    """How a text value is compared. Source: Sigma specification, modifiers."""

    EQUALS = "equals"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    LIKE = "like"
    REGEX = "regex"


class Order(StrEnum):
    """How numbers are compared."""

    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


class TimeUnit(StrEnum):
    """Parts of a time (UTC). Source: Sigma specification, modifiers; a week is ISO 8601's."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Text:
    """A text value compared with a constant.

    Attributes:
        field: what is compared.
        operator: how.
        value: the constant; for LIKE a pattern of `*` and `?` in which a backslash takes away their meaning; for
            REGEX a regular expression that matches anywhere.
        cased: whether upper and lower case differ.
    """

    field: Field
    operator: Operator
    value: str
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """A number equal to a constant."""

    field: Field
    value: float


@dataclass(frozen=True, slots=True)
class Compare:
    """A number above or below a constant."""

    field: Field
    order: Order
    value: float


@dataclass(frozen=True, slots=True)
class Moment:
    """A time before or after a constant (UTC, naive)."""

    field: Field
    order: Order
    value: datetime


@dataclass(frozen=True, slots=True)
class TimePart:
    """A part of a time, such as its hour, inside a range.

    Attributes:
        field: a time, or text that is one.
        unit: which part.
        lowest: the least it may be; None for no bound.
        highest: the most it may be; None for no bound.
    """

    field: Field
    unit: TimeUnit
    lowest: int | None = None
    highest: int | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """A truth value that is this one."""

    field: Field
    value: bool


@dataclass(frozen=True, slots=True)
class InNetwork:
    """An address inside a network (IPv4 or IPv6)."""

    field: Field
    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is there."""

    field: Field


@dataclass(frozen=True, slots=True)
class Same:
    """A value of one field that is, contains, begins with or ends with one of the other, with case.

    Attributes:
        field: what is compared.
        other: with what.
        operator: EQUALS, CONTAINS, STARTS_WITH or ENDS_WITH.
    """

    field: Field
    other: Field
    operator: Operator = Operator.EQUALS


@dataclass(frozen=True, slots=True)
class Keyword:
    """A text that stands anywhere in the event: in its URI, names, messages, bodies.

    Attributes:
        value: a pattern of `*` and `?` in which a backslash takes away their meaning.
    """

    value: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    item: Predicate


@dataclass(frozen=True, slots=True)
class And:
    """All of them; true when there are none."""

    items: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them; false when there are none."""

    items: tuple[Predicate, ...]


Leaf: TypeAlias = Text | Number | Compare | Moment | TimePart | Flag | InNetwork | Exists | Same | Keyword
Predicate: TypeAlias = Leaf | Not | And | Or

ALWAYS = And(())
NEVER = Or(())


def leaves_of(predicate: Predicate) -> Iterator[Leaf]:
    """The tests that a predicate is made of."""
    match predicate:
        case And(items) | Or(items):
            for item in items:
                yield from leaves_of(item)
        case Not(item):
            yield from leaves_of(item)
        case _:
            yield predicate


def fields_of(predicate: Predicate) -> Iterator[Field]:
    """Every field that the predicate looks at."""
    for leaf in leaves_of(predicate):
        match leaf:
            case Same(field, other):
                yield field
                yield other
            case Keyword():
                yield from (Field(name, BY_NAME[name]) for name in SEARCHED)
            case _:
                yield leaf.field
