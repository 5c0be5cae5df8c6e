"""What Spark asks for a scan: of one event of each kind whatever a kind can say, of the events of open kinds the rest.

Each question is for something: an event that a rule matches is wanted, or counted where it matters only if many match;
of rules with a memory (first seen) only what is new is, so those whose answer and value are of a kind note the kind
alone; of requests that must not stay open the beginnings are looked for, whose ends are then looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kubewitness.detect.attaching import attach
from kubewitness.detect.keeping import is_several
from kubewitness.detect.kinds import is_common, is_seen, left_to_ask, marked, may_match, seen_columns
from kubewitness.detect.makers import ANY_WRITES, WRITES
from kubewitness.detect.plan import Table
from kubewitness.detect.rule import Comparison, CorrelationKind
from kubewitness.query.fields import find_field
from kubewitness.query.needs import condition, needs
from kubewitness.query.predicate import ALWAYS, And, Keyword, fields_of, leaves_of
from kubewitness.query.spark import spark_condition, spark_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kubewitness.app.plans import Loaded
    from kubewitness.detect.plan import Plan
    from kubewitness.detect.rule import Correlation, FirstSeen, Rule
    from kubewitness.query.fields import Field
    from kubewitness.query.predicate import Predicate


class Use(StrEnum):
    """What the answer to a question is for."""

    WANTED = "wanted"
    BEGUN = "begun"
    REMEMBERED = "remembered"
    COUNTED = "counted"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True)
class Question:
    """A question of all events.

    Attributes:
        use: what the answer is for.
        of_kind: condition in Spark's SQL on one event of a kind: where it is false, the answer is no for all of them.
        left: condition on each event of the others; None when the kind's answer is the answer.
        shows: of a memory that looks at events: array of what an event shows (`NO_SIGHTS`); of what is counted: the
            question's number, the key, in which stretch of time, how many must have both, whether values are counted,
            the value; else empty.
        name: of the platform that an event shows; else empty.
    """

    use: Use
    of_kind: str
    left: str | None = None
    shows: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Questions:
    """What a scan has to ask.

    Attributes:
        asked: the questions.
        by_kind: numbers of the rules of the plan that have a memory and look at nothing but what a kind says.
    """

    asked: tuple[Question, ...]
    by_kind: tuple[int, ...]


def questions_for(loaded: Loaded, plan: Plan) -> Questions:
    """What a scan with these rules asks.

    Args:
        loaded: rules, exceptions and platforms.
        plan: the same, planned.
    """
    expired = {each.info.id for each in plan.exceptions if not each.is_active}
    pack, attached = attach(loaded.pack, [each for each in loaded.exceptions if each.info.id not in expired])
    excepting: dict[str, list[Predicate]] = {}
    for each in attached:
        for rule_id, _ in each.rules:
            excepting.setdefault(rule_id, []).append(each.exception.predicate)
    counting = _counting(pack.rules)
    plain: dict[Predicate, None] = {}
    asked: list[Question] = []
    by_kind: list[int] = []
    for rule in pack.rules:
        exceptions = excepting.get(rule.info.id, [])
        if rule.predicate is None:
            continue
        counted = counting.get(rule.info.id, [])
        if rule.unfinished:
            asked.append(_question(Use.BEGUN, rule.predicate))
        elif rule.first_seen is not None and _is_of_kind(rule, rule.first_seen, exceptions, plan):
            by_kind.append(plan.number(rule.info.id))
            asked.append(_question(Use.REMEMBERED, rule.predicate))
        elif rule.first_seen is not None and not any(field.path for field in _fields(rule.first_seen)):
            asked.append(_question(Use.REMEMBERED, rule.predicate, _sights(len(asked), rule.first_seen, exceptions)))
        elif counted:
            asked += (
                _question(Use.COUNTED, rule.predicate, _counted(number, each))
                for number, each in enumerate(counted, len(asked))
            )
        else:
            plain[rule.predicate] = None
            continue
        # What is taken out is counted, too.
        plain |= {And((rule.predicate, each)): None for each in exceptions}
    asked += (_question(Use.WANTED, predicate) for predicate in plain)
    asked.append(Question(Use.WANTED, spark_condition(ANY_WRITES), f"coalesce({spark_condition(WRITES)}, false)"))
    asked += (
        Question(Use.SHOWN, spark_sql(each.signs), name=each.name)
        for each in loaded.platforms
        if each.signs is not None
    )
    return Questions(tuple(asked), tuple(by_kind))


def _question(use: Use, predicate: Predicate, shows: str = "") -> Question:
    need = needs(predicate)
    if marked(predicate):
        of_kind = And((condition(need), may_match(predicate, need)))
        return Question(use, spark_sql(of_kind), _test(left_to_ask(predicate, need)), shows)
    return Question(use, spark_sql(predicate), _test(ALWAYS) if shows else None, shows)


def _test(predicate: Predicate) -> str:
    return f"coalesce({spark_sql(predicate)}, false)"


def _counting(rules: Iterable[Rule]) -> dict[str, list[Correlation]]:
    """By the id of a base rule that many events match: correlations, where these count and nothing else asks for it."""
    using: dict[str, list[Correlation]] = {}
    known = {rule.info.id: rule for rule in rules}
    for rule in known.values():
        if correlation := rule.correlation:
            for base in correlation.rules:
                using.setdefault(base, []).append(correlation)
    return {
        base: correlations
        for base, correlations in using.items()
        if (predicate := known[base].predicate) is not None
        and not (known[base].alerts or known[base].first_seen or known[base].unfinished)
        and is_common(needs(predicate))
        and not any(map(_is_of_bodies, leaves_of(predicate)))
        and all(map(_is_counting, correlations))
    }


def _is_of_bodies(test: Predicate) -> bool:
    return isinstance(test, Keyword) or any(field.column.type == "JSON" for field in fields_of(test))


def _is_counting(correlation: Correlation) -> bool:
    """Whether a correlation finds nothing in events of a key unless there are many of them."""
    return (
        correlation.kind in {CorrelationKind.EVENTS, CorrelationKind.VALUES}
        and correlation.comparison in {Comparison.GREATER, Comparison.GREATER_OR_EQUAL}
        and correlation.threshold > 1
        and len(correlation.rules) == 1
        and not any(is_several(field) for field in correlation.fields)
    )


def _counted(number: int, correlation: Correlation) -> str:
    (keys, values) = (
        [_text(find_field(name)) for key in several for name in key.fields]
        for several in (correlation.group_by, correlation.counted)
    )
    stretch = "0" if values else f"unix_seconds(CAST(happened_at AS TIMESTAMP)) DIV {correlation.window_s}"
    # A window lies in two stretches of its own length that follow each other: one of them has half of what it has.
    least = correlation.threshold if values else correlation.threshold / 2
    return (
        f"named_struct('number', {number}, 'key', xxhash64({', '.join(keys) or '0'}),"
        f" 'stretch', CAST({stretch} AS BIGINT), 'least', {least:.15g}D, 'is_of_values', {str(bool(values)).lower()},"
        f" 'value', xxhash64({', '.join(values) or '0'}))"
    )


def _fields(first_seen: FirstSeen) -> Iterator[Field]:
    yield from first_seen.by
    yield from first_seen.fields


def _is_of_kind(rule: Rule, first_seen: FirstSeen, exceptions: Sequence[Predicate], plan: Plan) -> bool:
    """Whether all events of a kind are the same to a rule with a memory."""
    predicates = exceptions if rule.predicate is None else [rule.predicate, *exceptions]
    return (
        plan.bit(rule.info.id).table is Table.KINDS
        and {field.column.name for field in _fields(first_seen)} <= seen_columns()
        and all(is_seen(test) for each in predicates for test in leaves_of(each))
    )


NO_SIGHTS = "CAST(array() AS ARRAY<STRUCT<rule: INT, history: BIGINT, value: BIGINT, begins: BIGINT>>)"
"""What events show to rules with a memory: number of the question, whose history, what, how many requests begin it."""


def _sights(number: int, first_seen: FirstSeen, exceptions: Iterable[Predicate]) -> str:
    """Array of what an event shows: nothing where an exception may take it out, since that comes back as a whole."""
    history = f"xxhash64({', '.join(map(_text, first_seen.by)) or '0'})"
    several = [field for field in first_seen.fields if is_several(field)]
    single = [field for field in first_seen.fields if not is_several(field)]
    lists = [f"filter(`{field.column.name}`, one -> one IS NOT NULL)" for field in several]
    values = [*map(_text, single), *(f"'=' || v{place}" for place in range(len(several)))]
    begins = max(first_seen.after, 1)
    found = (
        f"array(named_struct('rule', {number}, 'history', CAST({history} AS BIGINT),"
        f" 'value', CAST(xxhash64({', '.join(values)}) AS BIGINT), 'begins', CAST({begins} AS BIGINT)))"
    )
    for place, items in reversed([*enumerate(lists)]):
        found = f"flatten(transform({items}, v{place} -> {found}))"
    there = [f"`{field.column.name}` IS NOT NULL" for field in first_seen.fields]
    there += (f"NOT {_test(each)}" for each in exceptions)
    return f"CASE WHEN {' AND '.join(there)} THEN {found} ELSE {NO_SIGHTS} END"


def _text(field: Field) -> str:
    """A value that tells absent from empty."""
    return f"coalesce('=' || CAST(`{field.column.name}` AS STRING), '')"
