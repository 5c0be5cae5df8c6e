"""Correlations find their base rules: in their own file, or in any other file of the pack."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from kubewitness.model.errors import KubewitnessError, RuleError
from kubewitness.query.fields import find_field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from kubewitness.detect.plan import PlannedRule
    from kubewitness.detect.rule import Rule

AnyRule = TypeVar("AnyRule", "Rule", "PlannedRule")


def link_rules(rules: Sequence[Rule], *, whole: bool = True, loud: Collection[str] = ()) -> tuple[Rule, ...]:
    """The rules, with references of correlations as ids; the base of a correlation that wants it so makes no alerts.

    Args:
        rules: each id once.
        whole: whether all rules are there; otherwise references that are not found stay as they are.
        loud: ids of rules that stay as they are, whoever refers to them.

    Raises:
        RuleError: no rule is called so, or one that does not have what it should; a correlation counts itself.
    """
    ids = {rule.info.uuid: rule.info.id for rule in rules if rule.info.uuid} | {r.info.id: r.info.id for r in rules}
    linked = {rule.info.id: _linked(rule, ids, whole=whole) for rule in rules}
    for rule in linked.values():
        _check_keys(rule, linked)
    in_order(linked.values())
    silent = {
        base
        for rule in linked.values()
        if rule.correlation and not rule.correlation.generate
        for base in rule.correlation.rules
        if base not in loud or rule.info.id in loud
    }
    return tuple(replace(rule, alerts=False) if rule.info.id in silent else rule for rule in linked.values())


def in_order(rules: Iterable[AnyRule]) -> list[AnyRule]:
    """The correlations among the rules, each after those that it looks at itself.

    Raises:
        RuleError: a correlation looks at itself, be it through others.
    """
    known = {rule.info.id: rule for rule in rules if rule.correlation}
    ordered: dict[str, AnyRule] = {}

    def visit(rule: AnyRule, path: tuple[str, ...]) -> None:
        if rule.info.id in path:
            raise RuleError(f"looks at itself: {' -> '.join((*path, rule.info.id))}", where=where_of(rule))
        if rule.info.id in ordered or not rule.correlation:
            return
        for base in rule.correlation.rules:
            if base in known:
                visit(known[base], (*path, rule.info.id))
        ordered[rule.info.id] = rule

    for rule in known.values():
        visit(rule, ())
    return list(ordered.values())


def bases_of(rule_id: str, rules: Mapping[str, Rule]) -> set[str]:
    """Ids of all rules that a rule looks at, directly or through others."""
    found: set[str] = set()
    waiting = [rule_id]
    while waiting:
        rule = rules.get(waiting.pop())
        if rule and rule.correlation:
            new = set(rule.correlation.rules) - found
            found |= new
            waiting += new
    return found


def where_of(rule: Rule | PlannedRule) -> str:
    """File and id, for errors."""
    return f"{rule.info.path} ({rule.info.id})"


def _linked(rule: Rule, ids: Mapping[str, str], *, whole: bool) -> Rule:
    if not rule.correlation:
        return rule
    # An extended condition knows no dashes in names, so an underscore may stand for one.
    known = {
        reference: ids.get(reference, ids.get(reference.replace("_", "-"))) for reference in rule.correlation.rules
    }
    missing = [reference for reference, found in known.items() if found is None]
    if missing and whole:
        raise RuleError(
            f"refers to the rule `{missing[0]}`, which is not loaded",
            where=where_of(rule),
            hint="a reference is the `name` or the `id` of a rule; load the file that has it, too",
        )
    found = tuple(known[reference] or reference for reference in rule.correlation.rules)
    return replace(rule, correlation=replace(rule.correlation, rules=found))


def _check_keys(rule: Rule, rules: Mapping[str, Rule]) -> None:
    """Every base rule must have the values that it is to have."""
    correlation = rule.correlation
    if not correlation:
        return
    for key in (*correlation.group_by, *correlation.counted):
        for reference, field in zip(correlation.rules, key.fields, strict=True):
            base = rules.get(reference)
            if base and base.correlation:
                names = [each.name for each in base.correlation.group_by]
                if field not in names:
                    raise RuleError(
                        f"`{reference}` is a correlation that does not group by `{field}`",
                        where=where_of(rule),
                        hint=f"it has {', '.join(names)}" if names else "it has no group-by",
                    )
            elif base:
                try:
                    find_field(field)
                except KubewitnessError as error:
                    raise RuleError(error.message, where=where_of(rule), hint=error.hint) from error
