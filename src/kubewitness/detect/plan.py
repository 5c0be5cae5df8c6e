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
    from collections.abc import Iterable, Sequence


class Table(StrEnum):
    """Where the rows of a pass go."""

    STAGED = "staged"
    HEADS = "heads"
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
class Group:
    """Rules with the same needs, as far as one pass asks them.

    Attributes:
        word: column `gate_<word>` that has its bit.
        bit: which one.
        guard: condition under which it is worth asking; None to ask always.
        answers: column of bits, and SQL of the bits in it.
    """

    word: int
    bit: int
    guard: str | None
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """A query over `events`.

    Attributes:
        table: that takes its rows: one per record read, in their order.
        columns: of the table, with their types.
        values: what each of them is, as SQL over `judged`, which is the last of `above`, and the answers.
        kept: form and name of a field (`kept_name`) to the column that holds what is kept of its value.
        above: named queries over `events`.
        groups: the rules that are asked, by their needs.
        answered: names of the columns of bits that the groups answer.
        heads_only: whether it needs no bodies.
    """

    table: Table
    columns: dict[str, str]
    values: dict[str, str]
    kept: dict[str, str]
    above: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]
    answered: tuple[str, ...]
    heads_only: bool

    @property
    def select(self) -> str:
        """Query over `judged`."""
        listed = ",\n    ".join(f"{sql} AS {name}" for name, sql in self.values.items())
        return f"SELECT\n    {listed}\nFROM judged"

    @property
    def gate_words(self) -> list[str]:
        """Columns of the pass before it that say which groups an event belongs to."""
        return [f"gate_{word}" for word in range(max((group.word + 1 for group in self.groups), default=0))]

    def judging(self, gates: Sequence[int] | None = None) -> tuple[tuple[str, str], ...]:
        """Named queries over `events`, the last of which is `judged`: it asks the rules.

        Args:
            gates: bits of the groups to ask, for each word; all of them when None.
        """
        asked = [group for group in self.groups if gates is None or gates[group.word] >> group.bit & 1]
        parts: dict[str, list[str]] = {name: [] for name in self.answered}
        for group in asked:
            for name, sql in group.answers:
                parts[name].append(f"CASE WHEN {group.guard} THEN {sql} ELSE 0 END" if group.guard else sql)
        listed = "".join(f", ({' | '.join(answers or ['0'])})::BIGINT AS {name}" for name, answers in parts.items())
        return (*self.above, ("judged", f"SELECT *{listed} FROM {self.above[-1][0]}"))  # noqa: S608 - of the plan

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
        heads: over what the first pass kept of the events that have a gate: their heads.
        second: over the candidates, events that got a gate from the pass over heads, bodies and all.
        head_columns: what is kept of heads: name to type of columns of `decoded`.
        exceptions: what is taken out of the answers, once everything is read.
        platforms: names of platforms; bit n of the first pass's column `signs` says that an event shows the n-th.
    """

    rules: tuple[PlannedRule, ...]
    first: Pass
    heads: Pass
    second: Pass
    head_columns: dict[str, str]
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
        return self.passes[table].kept[kept_name(field, form)]

    @property
    def passes(self) -> dict[Table, Pass]:
        """The passes, by the table that takes their rows."""
        return {query.table: query for query in (self.first, self.heads, self.second)}


def kept_name(field: str, form: Form) -> str:
    """Name of what is kept of a field."""
    return f"{form}:{field}"


def mask_test(bits: Iterable[Bit]) -> str:
    """Condition on a row of the bits' table: that one of them is set."""
    masks: dict[int, int] = {}
    for bit in bits:
        masks[bit.word] = masks.get(bit.word, 0) | bit.mask
    return " OR ".join(f"(matched_{word} & {mask}) <> 0" for word, mask in sorted(masks.items())) or "FALSE"
