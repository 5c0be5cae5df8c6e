"""Counting in windows that slide over the time of the events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.correlate.bases import base_rows
from kubewitness.detect.rule import CountKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.detect.plan import Plan
    from kubewitness.detect.rule import Correlation
    from kubewitness.query.fields import Field


def counted_hits(plan: Plan, correlation: Correlation, number: int) -> str:
    """Requests whose sliding window reaches the threshold, and the others inside that window."""
    columns: dict[str, Sequence[Field] | Field] = {"cause": correlation.group_by}
    if correlation.counted:
        columns["counted"] = correlation.counted
    base = base_rows(plan, correlation.rules, columns)
    value = ", any_value(counted) AS counted" if correlation.counted else ""
    what = "DISTINCT counted" if correlation.kind is CountKind.VALUES else "*"
    window = f"INTERVAL {correlation.window_s} SECOND"
    enough = f"{correlation.order} {correlation.threshold}"
    # A cause that never has enough in all of the log has not enough in any window.
    possible = f"HAVING count({what.replace('*', 'DISTINCT request_key')}) {enough}" if ">" in correlation.order else ""
    return f"""
INSERT INTO hits
WITH base AS MATERIALIZED ({base}),
possible AS (SELECT cause FROM base GROUP BY cause {possible}),
requests AS (
    SELECT cause, request_key, min(happened_at) AS happened_at{value}
    FROM base WHERE cause IN (SELECT cause FROM possible)
    GROUP BY cause, request_key
),
numbered AS (
    SELECT *, count({what}) OVER (
        PARTITION BY cause ORDER BY happened_at RANGE BETWEEN {window} PRECEDING AND CURRENT ROW
    ) {enough} AS is_enough
    FROM requests
),
reached AS (
    SELECT cause, request_key, bool_or(is_enough) OVER (
        PARTITION BY cause ORDER BY happened_at RANGE BETWEEN CURRENT ROW AND {window} FOLLOWING
    ) AS is_inside
    FROM numbered
)
SELECT {number}, base.event, base.cause
FROM base JOIN reached USING (cause, request_key)
WHERE reached.is_inside
"""  # noqa: S608 - numbers and column names of the plan
