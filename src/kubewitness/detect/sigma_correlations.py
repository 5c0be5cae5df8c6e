"""Correlation documents of Sigma. Source: Sigma correlation rules specification; pySigma parses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationType

from kubewitness.detect.rule import Correlation, CountKind, CountOrder
from kubewitness.model.errors import RuleError
from kubewitness.query.fields import find_field

if TYPE_CHECKING:
    from sigma.correlations import SigmaCorrelationRule

_COUNT_ORDERS = {
    "LT": CountOrder.LESS, "LTE": CountOrder.LESS_OR_EQUAL,
    "GT": CountOrder.GREATER, "GTE": CountOrder.GREATER_OR_EQUAL,
    "EQ": CountOrder.EQUAL, "NEQ": CountOrder.NOT_EQUAL,
}  # fmt: skip


def read_correlation(document: SigmaCorrelationRule, names: dict[str, str]) -> Correlation:
    """What a document counts.

    Args:
        document: the correlation.
        names: names and ids of the rules before it, with the ids of these rules.

    Raises:
        RuleError: it asks for what is not there.
        UnknownFieldError: no event has such a field.
    """
    match document.type:
        case SigmaCorrelationType.EVENT_COUNT:
            kind = CountKind.EVENTS
        case SigmaCorrelationType.VALUE_COUNT:
            kind = CountKind.VALUES
        case other:
            raise RuleError(f"correlation type `{other.name.lower()}` is not supported yet")
    condition = document.condition
    if not isinstance(condition, SigmaCorrelationCondition):
        raise RuleError("a count needs a condition such as `gte: 10`")
    field = condition.fieldref[0] if isinstance(condition.fieldref, list) else condition.fieldref
    references = [reference.reference for reference in document.rules or ()]
    return Correlation(
        kind=kind,
        rules=tuple(names.get(reference, reference) for reference in references),
        group_by=tuple(find_field(name) for name in document.group_by or ()),
        counted=find_field(field) if field else None,
        window_s=document.timespan.seconds,
        order=_COUNT_ORDERS[condition.op.name],
        threshold=int(condition.count),
    )
