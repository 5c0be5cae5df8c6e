"""Correlation documents of Sigma. Source: Sigma correlation rules specification; pySigma parses them."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationCondition,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)

from kubewitness.detect.rule import Alternative, Comparison, Correlation, CorrelationKind, Key
from kubewitness.model.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sigma.correlations import SigmaCorrelationRule

_COMPARISONS = {
    "LT": Comparison.LESS, "LTE": Comparison.LESS_OR_EQUAL,
    "GT": Comparison.GREATER, "GTE": Comparison.GREATER_OR_EQUAL,
    "EQ": Comparison.EQUAL, "NEQ": Comparison.NOT_EQUAL,
}  # fmt: skip
_TEMPORAL = frozenset({CorrelationKind.TEMPORAL, CorrelationKind.ORDERED})
_MOST_ALTERNATIVES = 64
_MOST_PERCENT = 100


def read_correlation(document: SigmaCorrelationRule) -> Correlation:
    """What a document looks for; its base rules are named as the document names them.

    Raises:
        RuleError: it asks for what makes no sense.
    """
    kind = CorrelationKind(document.type.name.lower())
    condition = document.condition
    references = [reference.reference for reference in document.rules or ()]
    if isinstance(condition, SigmaExtendedCorrelationCondition) and not references:
        references = condition.get_referenced_rules()
    if not references:
        raise RuleError("the correlation names no rules", hint="rules: [name-of-a-rule]")
    common: dict[str, Any] = {
        "kind": kind,
        "rules": tuple(references),
        "group_by": tuple(_key(name, document, references) for name in document.group_by or ()),
        "window_s": document.timespan.seconds,
        "generate": document.generate,
        "alert_by": _alert_by(document),
    }
    if isinstance(condition, SigmaExtendedCorrelationCondition):
        return Correlation(**common, alternatives=_alternatives(condition, references))
    comparison, threshold = _COMPARISONS[condition.op.name], condition.count
    if kind is CorrelationKind.ORDERED:
        if comparison is not Comparison.GREATER_OR_EQUAL or threshold != len(references):
            raise RuleError(
                "temporal_ordered needs all of its rules, one after the other",
                hint="leave out the condition, or combine names of rules: condition: a and b",
            )
        return Correlation(**common, alternatives=(Alternative(tuple(range(len(references)))),))
    return Correlation(
        **common,
        comparison=comparison,
        threshold=threshold,
        counted=_counted(condition, document, references, kind),
        percentile=_percentile(condition, kind),
    )


def _alert_by(document: SigmaCorrelationRule) -> tuple[str, ...]:
    """Which of the groups say what is one alert (an attribute of this project's own)."""
    names = document.custom_attributes.get("alert_by", [])
    if not isinstance(names, list) or not set(names) <= set(document.group_by or ()):
        raise RuleError("`alert_by` is a list of some of the names in `group-by`", hint="alert_by: [cluster, actor]")
    return tuple(map(str, names))


def _key(name: str, document: SigmaCorrelationRule, references: Sequence[str]) -> Key:
    """Where each base rule has a value: in the field of its name, unless an alias says otherwise."""
    alias = document.aliases.aliases.get(name)
    if alias is None:
        return Key(name, tuple(name for _ in references))
    fields = {reference.reference: field for reference, field in alias.mapping.items()}
    if strange := fields.keys() - set(references):
        raise RuleError(f"alias `{name}` is about `{min(strange)}`, which is none of the correlation's rules")
    if missing := [reference for reference in references if reference not in fields]:
        raise RuleError(
            f"alias `{name}` does not say which field of `{missing[0]}` it stands for",
            hint="name a field of every rule of the correlation",
        )
    return Key(name, tuple(fields[reference] for reference in references))


def _counted(
    condition: SigmaCorrelationCondition,
    document: SigmaCorrelationRule,
    references: Sequence[str],
    kind: CorrelationKind,
) -> tuple[Key, ...]:
    if kind is CorrelationKind.EVENTS or kind in _TEMPORAL:
        if condition.fieldref:
            raise RuleError(f"{kind} takes no `field`", hint="value_count counts different values of a field")
        return ()
    listed = condition.fieldref if isinstance(condition.fieldref, list) else [condition.fieldref]
    names = [str(name) for name in listed if name]
    if not names or (kind is not CorrelationKind.VALUES and len(names) > 1):
        raise RuleError(f"{kind} needs one `field` in its condition", hint="condition: {gte: 10, field: verb}")
    return tuple(_key(name, document, references) for name in names)


def _percentile(condition: SigmaCorrelationCondition, kind: CorrelationKind) -> int | None:
    if kind is not CorrelationKind.PERCENTILE:
        return None
    if condition.percentile is None or not 0 <= condition.percentile <= _MOST_PERCENT:
        raise RuleError("value_percentile needs a `percentile` from 0 to 100 in its condition")
    return condition.percentile


def _alternatives(condition: SigmaExtendedCorrelationCondition, references: Sequence[str]) -> tuple[Alternative, ...]:
    """The condition as alternatives, each a list of rules that must match and of some that must not."""
    found: list[Alternative] = []
    for literals in _terms(condition.parsed, wanted=True):
        wanted = tuple(dict.fromkeys(references.index(name) for name, is_wanted in literals if is_wanted))
        unwanted = tuple(dict.fromkeys(references.index(name) for name, is_wanted in literals if not is_wanted))
        if set(wanted) & set(unwanted):
            continue
        if not wanted:
            raise RuleError(
                "the condition holds where nothing matched",
                hint="`not` needs something beside it that must match: a and not b",
            )
        found.append(Alternative(wanted, unwanted))
    if not found:
        raise RuleError("the condition can never hold")
    return tuple(dict.fromkeys(found))


_Term = tuple[tuple[str, bool], ...]


def _terms(node: Any, *, wanted: bool) -> list[_Term]:
    """Disjunctive normal form: each term a list of names with whether they must match."""
    match node:
        case SigmaRuleReference():
            return [((node.reference, wanted),)]
        case CorrelationConditionNOT():
            return _terms(node.args[0], wanted=not wanted)
        case CorrelationConditionAND() | CorrelationConditionOR():
            parts = [_terms(part, wanted=wanted) for part in node.args]
            if isinstance(node, CorrelationConditionAND) is wanted:
                return _product(parts)
            return [term for part in parts for term in part]
        case _:
            raise RuleError(f"the condition has a part that is not understood: {type(node).__name__}")


def _product(parts: Iterable[list[_Term]]) -> list[_Term]:
    terms: list[_Term] = [()]
    for part in parts:
        terms = [before + behind for before, behind in product(terms, part)]
        if len(terms) > _MOST_ALTERNATIVES:
            raise RuleError(f"the condition has more than {_MOST_ALTERNATIVES} alternatives")
    return terms
