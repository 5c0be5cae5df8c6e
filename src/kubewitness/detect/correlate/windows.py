"""Windows that slide over the time of the events: counts, figures, and rules that match in the same window.

Each query gives the rows of `base_rows` that lie inside a window with enough, and says of each whether it is a moment:
whether the window that ends with it has enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from kubewitness.detect.correlate.bases import base_rows
from kubewitness.detect.rule import Comparison, CorrelationKind

if TYPE_CHECKING:
    from kubewitness.detect.plan import Plan
    from kubewitness.detect.rule import Correlation

_RISING = frozenset({Comparison.GREATER, Comparison.GREATER_OR_EQUAL})


def windows(plan: Plan, correlation: Correlation) -> str:
    """Query for the rows inside windows of which something is counted or reckoned."""
    window = f"INTERVAL {correlation.window_s} SECOND"
    enough = f"{correlation.comparison} {correlation.threshold:.15g}"
    return f"""
WITH base AS MATERIALIZED ({base_rows(plan, correlation)}),
{_plausible(correlation, enough)},
possible AS (SELECT cause FROM plausible GROUP BY cause {_possible(correlation, enough)}),
requests AS (
    SELECT
        * REPLACE ({_value(correlation)} AS value),
        row_number() OVER (PARTITION BY cause, request_key ORDER BY happened_at, event) = 1 AS is_first
    FROM base
    WHERE cause IN (SELECT cause FROM possible)
),
numbered AS (
    SELECT *, {_is_moment(correlation)} AND coalesce({_measure(correlation)} OVER (
        PARTITION BY cause ORDER BY happened_at RANGE BETWEEN {window} PRECEDING AND CURRENT ROW
    ) {enough}, FALSE) AS is_moment
    FROM requests
)
SELECT * EXCLUDE (is_first, is_inside)
FROM (
    SELECT *, bool_or(is_moment) OVER (
        PARTITION BY cause ORDER BY happened_at RANGE BETWEEN CURRENT ROW AND {window} FOLLOWING
    ) AS is_inside
    FROM numbered
)
WHERE is_inside
"""  # noqa: S608 - numbers and column names of the plan


def _plausible(correlation: Correlation, enough: str) -> str:
    """To count rows is cheaper than to count what is different in them, and they are at least as many."""
    is_counted = correlation.kind in {CorrelationKind.EVENTS, CorrelationKind.VALUES, CorrelationKind.TEMPORAL}
    if correlation.comparison not in _RISING or not is_counted:
        return "plausible AS (FROM base)"
    many = f"SELECT cause FROM base GROUP BY cause HAVING count(*) {enough}"  # noqa: S608
    return f"plausible AS (SELECT * FROM base WHERE cause IN ({many}))"  # noqa: S608


def _possible(correlation: Correlation, enough: str) -> str:
    """A cause that never has enough in all of the log has not enough in any window."""
    if correlation.comparison not in _RISING:
        return ""
    match correlation.kind:
        case CorrelationKind.EVENTS:
            return f"HAVING count(DISTINCT request_key) {enough}"
        case CorrelationKind.VALUES:
            return f"HAVING count(DISTINCT value) {enough}"
        case CorrelationKind.TEMPORAL:
            return f"HAVING count(DISTINCT rule) {enough}"
        case _:
            return ""


def _value(correlation: Correlation) -> str:
    """What a request has: not every one of its stages may show it."""
    if correlation.kind in {CorrelationKind.EVENTS, CorrelationKind.VALUES, CorrelationKind.TEMPORAL}:
        return "value"
    return "max(value) OVER (PARTITION BY cause, request_key)"


def _is_moment(correlation: Correlation) -> str:
    # Different values and rules are as many however often each is there.
    return "TRUE" if correlation.kind in {CorrelationKind.VALUES, CorrelationKind.TEMPORAL} else "is_first"


def _measure(correlation: Correlation) -> str:
    match correlation.kind:
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
            return f"quantile_cont(value, {(correlation.percentile or 0) / 100:.15g}) FILTER (is_first)"
        case CorrelationKind.TEMPORAL | CorrelationKind.ORDERED:
            return "count(DISTINCT rule)"
        case _:
            assert_never(correlation.kind)
