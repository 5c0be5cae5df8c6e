"""Exceptions at work: which rules each is about, and what is taken out of the answers of these rules.

An exception has bits beside those of the rules: it holds for an event that one of its rules matched. When everything is
read, the rules' bits of such events are cleared, so whatever comes after (alerts, correlations, first seen) goes on
without them, and what was cleared is counted.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sqlglot import exp

from kubewitness.detect.bits import WORD_BITS, any_bits, bigint, when
from kubewitness.detect.correlate.bases import LIVE
from kubewitness.detect.kinds import DIALECT
from kubewitness.detect.pack import Pack
from kubewitness.detect.plan import Bit, PlannedException, Table, mask_test
from kubewitness.detect.planning import build_plan, with_kinds
from kubewitness.query.lower import lower

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from kubewitness.detect.exceptions import RuleException
    from kubewitness.detect.plan import Pass, Plan
    from kubewitness.detect.rule import Rule
    from kubewitness.query.predicate import Predicate


_OWNED_BY = "#"


@dataclass(frozen=True, slots=True)
class Attached:
    """An exception and the rules it is about.

    Attributes:
        exception: the exception.
        rules: id of each rule whose answers it changes, and id of the rule that was meant: they differ where a
            correlation is meant, which counts other rules' answers.
    """

    exception: RuleException
    rules: tuple[tuple[str, str], ...]


def attach(pack: Pack, exceptions: Sequence[RuleException]) -> tuple[Pack, list[Attached]]:
    """Find the rules of each exception.

    A correlation that is excepted from counts rules of its own, copies of those that it shares with others: what is no
    matter to it may be a matter to them.

    Returns:
        The pack with these copies, and the exceptions in their order.
    """
    meant = [[rule for rule in pack.alerting if _is_meant(each, rule)] for each in exceptions]
    correlations = {rule.info.id: rule for rules in meant for rule in rules if rule.correlation}
    known = {rule.info.id: rule for rule in pack.rules}
    copies: dict[str, Rule] = {}
    for rule_id, rule in correlations.items():
        known[rule_id] = _with_own_bases(rule, rule_id, known, copies)
    attached: list[Attached] = []
    for exception, rules in zip(exceptions, meant, strict=True):
        pairs: dict[tuple[str, str], None] = {}
        for rule_id in (rule.info.id for rule in rules):
            # Its own answers, those of the copies that it counts, and those of copies of it: what is not to alert is
            # not to be counted either.
            own = [rule_id, *(each for each in copies if rule_id in _parts(each))]
            pairs |= {(each, rule_id): None for each in own if (copies.get(each) or known[each]).predicate is not None}
        attached.append(Attached(exception, tuple(pairs)))
    return Pack((*(known[rule.info.id] for rule in pack.rules), *copies.values())), attached


def _is_meant(exception: RuleException, rule: Rule) -> bool:
    return any(fnmatchcase(rule.info.id, pattern) for pattern in exception.info.rules)


def _with_own_bases(rule: Rule, owner: str, known: dict[str, Rule], copies: dict[str, Rule]) -> Rule:
    """A correlation over copies of the rules that it counts, which are added to `copies`."""
    if rule.correlation is None:
        return rule
    bases = tuple(f"{base}{_OWNED_BY}{owner}" for base in rule.correlation.rules)
    for base, copy_id in zip(rule.correlation.rules, bases, strict=True):
        copied = replace(
            known[base], info=replace(known[base].info, id=copy_id, severity=rule.info.severity), alerts=False
        )
        copies[copy_id] = _with_own_bases(copied, owner, known, copies)
    return replace(rule, correlation=replace(rule.correlation, rules=bases))


def _parts(copy_id: str) -> set[str]:
    """The rule that a copy is of, and the one that it is for."""
    return set(copy_id.split(_OWNED_BY))


def plan_with_exceptions(pack: Pack, exceptions: Sequence[RuleException], today: date) -> Plan:
    """One plan for all rules of the pack, less what is known to be harmless.

    Args:
        pack: the rules.
        exceptions: what is harmless; those that have expired take nothing out and are named in the plan.
        today: day (UTC).
    """
    pack, attached = attach(pack, [each for each in exceptions if not each.info.is_expired(today)])
    also_asked: dict[str, list[Predicate]] = defaultdict(list)
    for each in attached:
        for rule, _ in each.rules:
            also_asked[rule].append(each.exception.predicate)
    plan = except_from(build_plan(pack, also_asked), attached)
    expired = (
        PlannedException(each.info, (), (), is_active=False) for each in exceptions if each.info.is_expired(today)
    )
    return replace(plan, exceptions=(*plan.exceptions, *expired))


def except_from(plan: Plan, attached: Sequence[Attached]) -> Plan:
    """A plan that also asks which of its rules' answers exceptions take out."""
    numbers = {rule.info.id: number for number, rule in enumerate(plan.rules)}
    asked: dict[Table, list[tuple[int, Attached]]] = {table: [] for table in Table}
    planned: list[PlannedException] = []
    for each in attached:
        bits: list[Bit] = []
        for table, others in asked.items():
            if any(plan.bit(rule).table is table for rule, _ in each.rules):
                bits.append(Bit(table, *divmod(len(others), WORD_BITS)))
                others.append((len(planned), each))
        rules = tuple((numbers[rule], meant) for rule, meant in each.rules)
        planned.append(PlannedException(each.exception.info, tuple(bits), rules))
    return replace(
        with_kinds(plan, _asking(plan.kinds, plan, asked[Table.KINDS])),
        candidates=_asking(plan.candidates, plan, asked[Table.CANDIDATES]),
        exceptions=tuple(planned),
    )


def _asking(query: Pass, plan: Plan, asked: Sequence[tuple[int, Attached]]) -> Pass:
    """A pass with columns `excepted_<word>`: whether an exception holds of an event that one of its rules matched."""
    columns: dict[str, str] = {}
    for start in range(0, len(asked), WORD_BITS):
        answers: list[exp.Expr] = []
        for place, (_, each) in enumerate(asked[start : start + WORD_BITS]):
            own = [plan.bit(rule) for rule, _ in each.rules if plan.bit(rule).table is query.table]
            # Inside the CASE, so that the exception is asked about few events only.
            answer = when(lower(each.exception.predicate), bigint(1 << place))
            answers.append(when(exp.condition(mask_test(own)), answer))
        columns[f"excepted_{start // WORD_BITS}"] = any_bits(answers).sql(DIALECT)
    return replace(
        query,
        columns=query.columns | dict.fromkeys(columns, "BIGINT"),
        values=query.values | columns,
    )


CREATE_EXCEPTED = """
-- One row per exception, rule and kind or candidate (`place`): the rule matched it and the exception takes it out.
CREATE OR REPLACE TEMP TABLE excepted_kinds (exception INTEGER, rule INTEGER, place UBIGINT);
CREATE OR REPLACE TEMP TABLE excepted_candidates (exception INTEGER, rule INTEGER, place BIGINT)
"""

COUNT_EXCEPTED = f"""
-- One row per exception, and per exception and rule: number of requests.
SELECT exception, rule, count(DISTINCT request_key) AS requests
FROM (
    SELECT exception, rule, request_key, happened_at
    FROM excepted_kinds JOIN staged ON staged.kind = excepted_kinds.place WHERE {LIVE}
    UNION ALL
    SELECT exception, rule, request_key, happened_at
    FROM excepted_candidates JOIN staged ON staged.rowid = excepted_candidates.place WHERE {LIVE}
)
WHERE NOT list_contains($below::INTEGER[], rule)
    AND coalesce(happened_at >= $since::TIMESTAMP, TRUE)
    AND coalesce(happened_at < $until::TIMESTAMP, TRUE)
GROUP BY GROUPING SETS ((exception), (exception, rule))
"""  # noqa: S608 - constants of this project

_PLACES = {Table.KINDS: "kind", Table.CANDIDATES: "event"}


@dataclass(frozen=True, slots=True)
class Active:
    """Where an exception holds.

    Attributes:
        exception: its number in the plan.
        cluster_key: the cluster; None for events whose log does not say.
        everywhere: whether it holds in all of them.
    """

    exception: int
    cluster_key: int | None
    everywhere: bool


def holding_sql(plan: Plan) -> list[tuple[Table, str]]:
    """Queries of one row: the bits of exceptions that are set in any row of a table, word by word."""
    words = {
        table: {bit.word for each in plan.exceptions for bit in each.bits if bit.table is table} for table in Table
    }
    return [
        (table, f"SELECT {', '.join(f'bit_or(excepted_{word})' for word in range(max(own) + 1))} FROM {table}")  # noqa: S608
        for table, own in words.items()
        if own
    ]


def excepting_sql(plan: Plan, active: Sequence[Active], holding: Mapping[Table, Sequence[int | None]]) -> Iterator[str]:
    """Statements that fill `excepted_kinds` and `excepted_candidates`, and clear the bits of the rules.

    Args:
        plan: with the exceptions.
        active: where they hold.
        holding: the answers of `holding_sql`: most exceptions hold of nothing in most logs.
    """
    yield CREATE_EXCEPTED
    pairs: dict[tuple[Table, int, int], list[tuple[int | str, ...]]] = defaultdict(list)
    cleared: dict[tuple[Table, int], dict[int, int]] = defaultdict(dict)
    for each in active:
        exception = plan.exceptions[each.exception]
        where = ("TRUE" if each.everywhere else "FALSE", "NULL" if each.cluster_key is None else each.cluster_key)
        for rule, _ in exception.rules:
            bit = plan.rules[rule].bit
            own = next((own for own in exception.bits if bit and own.table is bit.table), None)
            if bit and own and (holding[own.table][own.word] or 0) & own.mask:
                pairs[bit.table, own.word, bit.word].append((each.exception, own.mask, rule, bit.mask, *where))
                cleared[bit.table, bit.word][rule] = bit.mask
    for (table, word, matched), rows in pairs.items():
        yield from _take_out(table, word, matched, rows)
    for (table, word), bits in cleared.items():
        yield _clear(table, word, bits)


def _take_out(table: Table, word: int, matched: int, pairs: Sequence[tuple[int | str, ...]]) -> Iterator[str]:
    """Statements that note what exceptions take out of one word of answers.

    Both sides of the join are tables of their own: over joins of joins the engine (DuckDB 2.0) fails an assertion.
    """
    values = ", ".join(f"({', '.join(map(str, pair))})" for pair in pairs)
    yield f"""
CREATE OR REPLACE TEMP TABLE exception_pairs AS
SELECT
    exception::INTEGER AS exception, mask::BIGINT AS mask, rule::INTEGER AS rule, bit::BIGINT AS bit, everywhere,
    cluster_key::UBIGINT AS cluster_key
FROM (VALUES {values}) AS pairs (exception, mask, rule, bit, everywhere, cluster_key)
"""  # noqa: S608 - numbers only
    yield f"""
INSERT INTO excepted_{table}
SELECT exception, rule, {_PLACES[table]}
FROM {table} JOIN exception_pairs
    ON ({table}.excepted_{word} & exception_pairs.mask) <> 0
    AND ({table}.matched_{matched} & exception_pairs.bit) <> 0
    AND (exception_pairs.everywhere OR exception_pairs.cluster_key IS NOT DISTINCT FROM {table}.cluster_key)
WHERE {table}.excepted_{word} <> 0
"""  # noqa: S608 - numbers only


def _clear(table: Table, word: int, bits: dict[int, int]) -> str:
    values = ", ".join(f"({rule}, {mask}::BIGINT)" for rule, mask in bits.items())
    return f"""
UPDATE {table} SET matched_{word} = matched_{word} & ~cleared.mask
FROM (
    SELECT place, bit_or(bits.mask) AS mask
    FROM excepted_{table} JOIN (VALUES {values}) AS bits (rule, mask) USING (rule)
    GROUP BY ALL
) AS cleared
WHERE {table}.{_PLACES[table]} = cleared.place
"""  # noqa: S608 - numbers only
