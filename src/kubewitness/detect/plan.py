"""A plan: what to run over the events, and where each rule's answer stands. Made by planning.py; pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

# These are read at run time: a plan is written to and read from JSON by its types.
from kubewitness.detect.rule import Correlation, FirstSeen, Unfinished  # noqa: TC001
from kubewitness.model.exception import ExceptionInfo  # noqa: TC001
from kubewitness.model.rule import RuleInfo  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Iterable


class Table(StrEnum):
    """Where the rows of a pass go."""

    STAGED = "staged"
    CANDIDATES = "candidates"


class Form(StrEnum):
    """What of a value is kept, where a rule needs it later: always null for an absent one."""

    HASH = "hash"
    NUMBER = "number"
    EACH = "each"

    @property
    def type(self) -> str:
        """Type of its column."""
        return {"hash": "UBIGINT", "number": "DOUBLE", "each": "UBIGINT[]"}[self.value]


@dataclass(frozen=True, slots=True)
class Bit:
    """Where a rule's answer stands: a table, a column `matched_<word>` of it, and a bit in that."""

    table: Table
    word: int
    bit: int

    @property
    def mask(self) -> int:
        """The bit as a number."""
        return 1 << self.bit


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """A rule whose predicate, if it has one, is in the passes.

    Attributes:
        info: what people read about it.
        bit: where its answer stands; None for a correlation.
        correlation: what it counts.
        first_seen: what must be new.
        unfinished: that its requests must not have ended.
        alerts: whether its matches are alerts.
    """

    info: RuleInfo
    bit: Bit | None
    correlation: Correlation | None
    first_seen: FirstSeen | None
    unfinished: Unfinished | None
    alerts: bool


@dataclass(frozen=True, slots=True)
class PlannedException:
    """An exception whose predicate is in the passes.

    Attributes:
        info: what people read about it.
        bits: where its answers stand, in columns `excepted_<word>`; one per table that its rules have bits in.
        rules: the rules whose answers it changes, by number, each with the id of the rule that is meant.
        is_active: whether its last day is still to come.
    """

    info: ExceptionInfo
    bits: tuple[Bit, ...]
    rules: tuple[tuple[int, str], ...]
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Pass:
    """A query over `events`.

    Attributes:
        table: that takes its rows: one per record read, in their order.
        columns: of the table, with their types.
        values: what each of them is, as SQL over the last of `above`.
        kept: form and name of a field (`kept_name`) to the column that holds what is kept of its value.
        above: named queries over `events`.
        heads_only: whether it needs no bodies.
    """

    table: Table
    columns: dict[str, str]
    values: dict[str, str]
    kept: dict[str, str]
    above: tuple[tuple[str, str], ...]
    heads_only: bool

    @property
    def select(self) -> str:
        """Query over the last of `above`."""
        listed = ",\n    ".join(f"{sql} AS {name}" for name, sql in self.values.items())
        return f"SELECT\n    {listed}\nFROM {self.above[-1][0]}"

    @property
    def create_sql(self) -> str:
        """Statement that makes the table."""
        return f"CREATE TABLE {self.table} ({', '.join(f'{name} {type_}' for name, type_ in self.columns.items())})"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        rules: the rules.
        first: over all events.
        second: over the candidates, the rows of the first whose `is_candidate` is true; None without such rules.
        exceptions: what is taken out of the answers, once everything is read.
        platforms: names of platforms; bit n of the first pass's column `signs` says that an event shows the n-th.
    """

    rules: tuple[PlannedRule, ...]
    first: Pass
    second: Pass | None
    exceptions: tuple[PlannedException, ...] = ()
    platforms: tuple[str, ...] = ()

    def bit(self, rule_id: str) -> Bit:
        """Where the answer of a rule of single events stands."""
        return next(rule.bit for rule in self.rules if rule.info.id == rule_id and rule.bit)

    def number(self, rule_id: str) -> int:
        """Place of a rule among all of them, by which the engine's tables know it."""
        return next(number for number, rule in enumerate(self.rules) if rule.info.id == rule_id)

    def kept(self, table: Table, field: str, form: Form = Form.HASH) -> str:
        """Column of a table that holds what is kept of a field."""
        query = self.first if table is Table.STAGED else self.second
        return query.kept[kept_name(field, form)] if query else ""


def kept_name(field: str, form: Form) -> str:
    """Name of what is kept of a field."""
    return f"{form}:{field}"


def mask_test(bits: Iterable[Bit]) -> str:
    """Condition on a row of the bits' table: that one of them is set."""
    masks: dict[int, int] = {}
    for bit in bits:
        masks[bit.word] = masks.get(bit.word, 0) | bit.mask
    return " OR ".join(f"(matched_{word} & {mask}) <> 0" for word, mask in sorted(masks.items())) or "FALSE"
