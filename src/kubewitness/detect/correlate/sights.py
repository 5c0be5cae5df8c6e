"""What is new: values that a history has not shown before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.correlate.bases import base_rows

if TYPE_CHECKING:
    from kubewitness.detect.plan import Plan, PlannedRule
    from kubewitness.detect.rule import FirstSeen

NEWS_S = 3600
"""A new value stays new for so long, in seconds."""


def first_sights(plan: Plan, rule: PlannedRule, first_seen: FirstSeen, number: int) -> str:
    """Requests that show a value which this history has not seen before, for an hour from its first sight."""
    base = base_rows(plan, [rule.info.id], {"history": first_seen.by, "value": first_seen.field})
    return f"""
INSERT INTO hits
WITH base AS MATERIALIZED (SELECT * FROM ({base}) WHERE value IS NOT NULL),
several AS (SELECT history FROM base GROUP BY history HAVING count(DISTINCT value) > 1),
requests AS (
    SELECT history, request_key, any_value(value) AS value, min(happened_at) AS happened_at
    FROM base WHERE history IN (SELECT history FROM several)
    GROUP BY history, request_key
),
numbered AS (
    SELECT *, row_number() OVER (PARTITION BY history ORDER BY happened_at, request_key) - 1 AS earlier FROM requests
),
firsts AS (
    SELECT history, value, min(happened_at) AS first_at FROM numbered
    GROUP BY history, value HAVING min(earlier) >= {max(first_seen.after, 1)}
)
SELECT {number}, base.event, hash(base.history, base.value)
FROM base JOIN firsts USING (history, value)
WHERE base.happened_at <= firsts.first_at + INTERVAL {NEWS_S} SECOND
"""  # noqa: S608 - numbers and column names of the plan
