"""Windows that slide over the time of the events: counts, figures, and rules that match in the same window.

All correlations that measure alike are asked together. The query gives the rows of `base_rows` that lie inside a window
with enough, and says of each whether it is a moment: whether the window that ends with it has enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from kubewitness.detect.rule import Comparison, CorrelationKind

if TYPE_CHECKING:
    from kubewitness.detect.rule import Correlation

_RISING = frozenset({Comparison.GREATER, Comparison.GREATER_OR_EQUAL})
_DIFFERENT = {CorrelationKind.VALUES: "value", CorrelationKind.TEMPORAL: "rule"}
"""Of kinds that count what is different: the column."""
_COUNTED = frozenset({CorrelationKind.EVENTS, *_DIFFERENT})


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured in a window, and how it is compared with a correlation's threshold.

    Attributes:
        kind: what is looked for.
        comparison: how it is compared.
        percentile: which one.
    """

    kind: CorrelationKind
    comparison: Comparison
    percentile: int | None


def measure_of(correlation: Correlation) -> Measure:
    """What a correlation measures."""
    return Measure(correlation.kind, correlation.comparison, correlation.percentile)


def windows(base: str, measure: Measure) -> str:
    """Query for the rows inside windows of which something is counted or reckoned.

    Args:
        base: `base_rows` of correlations that measure so.
        measure: what they measure.
    """
    is_different = measure.kind in _DIFFERENT
    return f"""
WITH base AS MATERIALIZED ({base}),
{_possible(measure)},
requests AS ({"FROM possible" if is_different else _REQUESTS.format(value=_value(measure))}),
numbered AS (
    SELECT *, {"TRUE" if is_different else "is_first"} AND coalesce({_measured(measure)} OVER (
        PARTITION BY number, cause ORDER BY happened_at
        RANGE BETWEEN to_seconds(window_s) PRECEDING AND CURRENT ROW
    ) {measure.comparison} threshold, FALSE) AS is_moment
    FROM requests
)
SELECT * FROM (
    SELECT *, bool_or(is_moment) OVER (
        PARTITION BY number, cause ORDER BY happened_at
        RANGE BETWEEN CURRENT ROW AND to_seconds(window_s) FOLLOWING
    ) AS is_inside
    FROM numbered
)
WHERE is_inside
"""  # noqa: S608 - names made here


_REQUESTS = """
    SELECT * REPLACE ({value} AS value), row_number() OVER (
        PARTITION BY number, cause, request_key ORDER BY happened_at, event
    ) = 1 AS is_first
    FROM possible
"""


def _possible(measure: Measure) -> str:
    """Rows of causes that can have enough in some window.

    To count rows is cheaper than to count what is different in them, and they are at least as many. A window lies in
    two stretches of its own length that follow each other, so that one of them has half of what the window has.
    """
    if measure.kind not in _COUNTED or measure.comparison not in _RISING:
        return "possible AS (FROM base)"
    column = _DIFFERENT.get(measure.kind)
    counted = f"count(DISTINCT {column})" if column else "count(*)"
    plausible = f"""
    SEMI JOIN (
        SELECT number, cause FROM base GROUP BY ALL HAVING count(*) {measure.comparison} any_value(threshold)
    ) AS plausible USING (number, cause)"""  # noqa: S608 - an operator
    return f"""
stretches AS (
    SELECT number, cause, any_value(threshold) AS threshold, {counted} AS most
    FROM base {plausible if column else ""}
    GROUP BY number, cause, epoch_us(happened_at) // (window_s * 1000000)
),
enough AS (
    SELECT number, cause FROM stretches GROUP BY ALL
    HAVING least(sum(most), 2 * max(most)) {measure.comparison} any_value(threshold)
),
possible AS (SELECT * FROM base SEMI JOIN enough USING (number, cause))"""  # noqa: S608 - names made here


def _value(measure: Measure) -> str:
    """What a request has: not every one of its stages may show it."""
    return "value" if measure.kind in _COUNTED else "max(value) OVER (PARTITION BY number, cause, request_key)"


def _measured(measure: Measure) -> str:
    match measure.kind:
        case CorrelationKind.EVENTS:
            return "count(*) FILTER (is_first)"
        case CorrelationKind.VALUES:
            return "count(DISTINCT value)"
        case CorrelationKind.SUM:
            return "sum(value) FILTER (is_first)"
        case CorrelationKind.AVERAGE:
            return "avg(value) FILTER (is_first)"
        case CorrelationKind.MEDIAN:
            return "median(value) FILTER (is_first)"
        case CorrelationKind.PERCENTILE:
            return f"quantile_cont(value, {(measure.percentile or 0) / 100:.15g}) FILTER (is_first)"
        case CorrelationKind.TEMPORAL | CorrelationKind.ORDERED:
            return "count(DISTINCT rule)"
        case _:
            assert_never(measure.kind)
