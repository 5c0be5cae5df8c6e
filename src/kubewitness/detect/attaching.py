"""Exceptions in a plan: which rules each is about, and the bits that say of which events it holds.

An exception has bits beside those of the rules: it holds for an event that one of its rules matched.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sqlglot import exp

from kubewitness.detect.bits import WORD_BITS, any_bits, bigint, when
from kubewitness.detect.kinds import DIALECT
from kubewitness.detect.pack import Pack
from kubewitness.detect.plan import Bit, PlannedException, Table, mask_test
from kubewitness.detect.planning import build_plan, with_kinds
from kubewitness.query.lower import lower

if TYPE_CHECKING:
    from collections.abc import Sequence
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
