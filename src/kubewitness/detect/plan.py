"""A plan: what to run over the events, and where each rule's answer stands. Made by planning.py; pure data."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

# These are read at run time: a plan is written to and read from JSON by its types.
from kubewitness.detect.rule import Correlation, FirstSeen, Unfinished  # noqa: TC001
from kubewitness.model.exception import ExceptionInfo  # noqa: TC001
from kubewitness.model.rule import RuleInfo  # noqa: TC001
from kubewitness.query.needs import Needs  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


# What of an event is left when it is judged as a representative; what a kind does not see is absent. Where there may be
# bodies an empty one stands for them; deletions keep theirs, which says whether they are dry runs.
BLANK = {
    "request_object": "CASE WHEN starts_with(verb, 'delete') THEN request_object END",
    "response_object": (
        "CASE WHEN request_object IS NOT NULL OR response_object IS NOT NULL OR truncated THEN '{}'::JSON END"
    ),
    "annotations": "NULL::JSON",
    "authentication_metadata": "NULL::JSON",
    "truncated": "FALSE",
}

_SHARED = re.compile(r"\bshared_\d+\b")


class Table(StrEnum):
    """What the answers of a rule are kept for."""

    KINDS = "kinds"
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
class Answer:
    """One question and where its answer goes.

    Attributes:
        column: of bits.
        mask: the bit that is set when the condition holds.
        sql: the condition.
    """

    column: str
    mask: int
    sql: str


@dataclass(frozen=True, slots=True)
class Group:
    """Questions about events that have the same needs.

    Attributes:
        needs: what an event must have to be asked.
        guard: the same as SQL; None when nothing is needed.
        answers: what is asked.
    """

    needs: Needs
    guard: str | None
    answers: tuple[Answer, ...]

    def asking(self, masks: Mapping[str, int | None]) -> Group:
        """The same group, asking only what has one of these bits, by column."""
        answers = tuple(answer for answer in self.answers if (masks[answer.column] or 0) & answer.mask)
        return replace(self, answers=answers)


@dataclass(frozen=True, slots=True)
class Sketch:
    """The pass over all events: it asks no rule.

    Attributes:
        columns: of the table `staged`, with their types: one row per record read, in their order.
        values: what each of them is, as SQL over `sketched`.
    """

    columns: dict[str, str]
    values: dict[str, str]

    @property
    def select(self) -> str:
        """Query over `sketched`."""
        listed = ",\n    ".join(f"{sql} AS {name}" for name, sql in self.values.items())
        return f"SELECT\n    {listed}\nFROM sketched"

    @property
    def create_sql(self) -> str:
        """Statement that makes the table."""
        return f"CREATE TABLE staged ({_listed(self.columns)})"


@dataclass(frozen=True, slots=True)
class Pass:
    """A query over `events` that asks rules.

    Attributes:
        table: that takes its rows.
        columns: of the table that it gives, with their types.
        values: what each of them is, as SQL over `judged`: `events` and the answers.
        kept: form and name of a field (`kept_name`) to the column that holds what is kept of its value.
        shared: what several answers ask: name of a column to its condition.
        groups: what is asked.
        answered: names of the columns of bits that the groups answer.
    """

    table: Table
    columns: dict[str, str]
    values: dict[str, str]
    kept: dict[str, str]
    shared: dict[str, str]
    groups: tuple[Group, ...]
    answered: tuple[str, ...]

    @property
    def select(self) -> str:
        """Query over `judged`."""
        listed = ",\n    ".join(f"{sql} AS {name}" for name, sql in self.values.items())
        return f"SELECT\n    {listed}\nFROM judged"

    def judging(self, groups: Iterable[Group] | None = None) -> tuple[tuple[str, str], ...]:
        """Named queries over `events`, the last of which is `judged`.

        Args:
            groups: what to ask; everything when None.
        """
        parts: dict[str, list[str]] = {name: [] for name in self.answered}
        for group in self.groups if groups is None else groups:
            # Several rules may ask the same.
            asked: dict[str, dict[str, int]] = {}
            for answer in group.answers:
                masks = asked.setdefault(answer.column, {})
                masks[answer.sql] = masks.get(answer.sql, 0) | answer.mask
            for column, masks in asked.items():
                together = _any_of([f"CASE WHEN {sql} THEN {mask}::BIGINT ELSE 0 END" for sql, mask in masks.items()])
                parts[column].append(f"CASE WHEN {group.guard} THEN {together} ELSE 0 END" if group.guard else together)
        listed = "".join(f", {_any_of(answers or ['0'])}::BIGINT AS {name}" for name, answers in parts.items())
        used = set(_SHARED.findall(listed))
        shared = "".join(f", {sql} AS {name}" for name, sql in self.shared.items() if name in used)
        return ("shared", f"SELECT *{shared} FROM events"), ("judged", f"SELECT *{listed} FROM shared")  # noqa: S608

    @property
    def create_sql(self) -> str:
        """Statement that makes the table: what the pass gives, and before it what is known of its rows already."""
        return f"CREATE TABLE {self.table} ({_listed(_KNOWN[self.table] | self.columns)})"


def _any_of(bits: Sequence[str]) -> str:
    """All bits of these together: in pairs of pairs, as a long chain takes the engine long to understand."""
    middle = len(bits) // 2
    return f"({_any_of(bits[:middle])} | {_any_of(bits[middle:])})" if middle else f"({bits[0]})"


# Of a kind: its representative. Of a candidate: what the sketch and its kind have.
_KNOWN = {
    Table.KINDS: {"kind": "UBIGINT", "event": "BIGINT"},
    Table.CANDIDATES: {
        "event": "BIGINT",
        "outcome": "TINYINT",
        "happened_at": "TIMESTAMP",
        "request_key": "UBIGINT",
        "cluster_key": "UBIGINT",
        "actor_key": "UBIGINT",
    },
}


def _listed(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {type_}" for name, type_ in columns.items())


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        rules: the rules.
        sketch: over all events.
        kinds: over one event of each kind.
        candidates: over the events of kinds for which a rule is open, bodies and all.
        decoded: columns of `decoded` that a kind is judged by: name to SQL over an event that is read whole.
        exceptions: what is taken out of the answers, once everything is read.
        platforms: names of platforms; bit n of the column `signs` of kinds says that its events show the n-th.
    """

    rules: tuple[PlannedRule, ...]
    sketch: Sketch
    kinds: Pass
    candidates: Pass
    decoded: dict[str, str]
    exceptions: tuple[PlannedException, ...] = ()
    platforms: tuple[str, ...] = ()

    def bit(self, rule_id: str) -> Bit:
        """Where the answer of a rule of single events stands."""
        return next(rule.bit for rule in self.rules if rule.info.id == rule_id and rule.bit)

    def number(self, rule_id: str) -> int:
        """Place of a rule among all of them, by which the engine's tables know it."""
        return next(number for number, rule in enumerate(self.rules) if rule.info.id == rule_id)

    def bases(self, number: int) -> tuple[int, ...]:
        """The rules that a correlation looks at; none of a rule of single events."""
        correlation = self.rules[number].correlation
        places = {rule.info.id: place for place, rule in enumerate(self.rules)} if correlation else {}
        return tuple(places[base] for base in correlation.rules) if correlation else ()

    def kept(self, table: Table, field: str, form: Form = Form.HASH) -> str:
        """Column of a table that holds what is kept of a field."""
        return self.passes[table].kept[kept_name(field, form)]

    @property
    def passes(self) -> dict[Table, Pass]:
        """The passes that ask rules, by the table that takes their rows."""
        return {query.table: query for query in (self.kinds, self.candidates)}


def kept_name(field: str, form: Form) -> str:
    """Name of what is kept of a field."""
    return f"{form}:{field}"


def mask_test(bits: Iterable[Bit]) -> str:
    """Condition on a row of the bits' table: that one of them is set."""
    masks: dict[int, int] = {}
    for bit in bits:
        masks[bit.word] = masks.get(bit.word, 0) | bit.mask
    return " OR ".join(f"(matched_{word} & {mask}) <> 0" for word, mask in sorted(masks.items())) or "FALSE"
