"""What is new: values that a history has not shown before, neither in this log nor in a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.correlate.bases import matched_rows
from kubewitness.detect.keeping import is_several
from kubewitness.detect.plan import Form

if TYPE_CHECKING:
    from kubewitness.detect.plan import Plan, PlannedRule
    from kubewitness.detect.rule import FirstSeen

NEWS_S = 3600
"""A new value stays new for so long, in seconds."""

CREATE_KNOWN = """
-- What a baseline knows: one row per rule, history and value.
CREATE TEMP TABLE IF NOT EXISTS known (
    rule INTEGER, history UBIGINT, value UBIGINT, shown VARCHAR[], requests BIGINT, first_at TIMESTAMP
)
"""

CREATE_FAMILIAR = """
-- What was known when something new came: one row per rule, cause and value known before. event: one that shows it;
-- null where shown, from a baseline, says what it is.
CREATE OR REPLACE TEMP TABLE familiar (rule INTEGER, cause UBIGINT, event BIGINT, shown VARCHAR[], requests BIGINT)
"""

_MOST_FAMILIAR = 5


def sighted_rows(plan: Plan, rule: PlannedRule, first_seen: FirstSeen) -> str:
    """Query for the events that show a value: event, request_key, happened_at, history, value; a row for each value."""
    by = {f"by_{number}": (field.name, Form.HASH) for number, field in enumerate(first_seen.by)}
    shown = {
        f"value_{number}": (field.name, Form.EACH if is_several(field) else Form.HASH)
        for number, field in enumerate(first_seen.fields)
    }
    there = " AND ".join(f"{name} IS NOT NULL" for name in shown)
    return (
        "SELECT event, request_key, happened_at,"  # noqa: S608 - names of the plan
        f" {history_sql(list(by))} AS history, {value_sql(list(shown))} AS value"
        f" FROM ({matched_rows(plan, rule, by | shown)}) WHERE {there}"
    )


def history_sql(hashes: list[str]) -> str:
    """Hash that says whose history it is, out of hashes of the fields; what is absent together belongs together."""
    return f"hash({', '.join(hashes) or '0'})"


def value_sql(hashes: list[str]) -> str:
    """Hash of a value, out of hashes of its fields."""
    return hashes[0] if len(hashes) == 1 else f"hash({', '.join(hashes)})"


def first_sights(plan: Plan, rule: PlannedRule, first_seen: FirstSeen) -> list[str]:
    """Statements that fill `remembered` with what shows a new value, for an hour from then on, and `familiar`."""
    number = plan.number(rule.info.id)
    learning = f"INTERVAL {first_seen.learning_s} SECOND"
    return [
        f"""
CREATE OR REPLACE TEMP TABLE sighted AS SELECT * FROM ({sighted_rows(plan, rule, first_seen)})
""",  # noqa: S608 - names of the plan
        f"""
CREATE OR REPLACE TEMP TABLE firsts AS
WITH old AS (SELECT history, value, requests, first_at FROM known WHERE rule = {number}),
old_histories AS (
    SELECT history, sum(requests) AS requests, min(first_at) AS began_at FROM old GROUP BY history
),
several AS (
    SELECT history FROM (SELECT history, value FROM sighted UNION ALL SELECT history, value FROM old)
    GROUP BY history HAVING count(DISTINCT value) > 1
),
requests AS (
    SELECT history, request_key, value, min(happened_at) AS happened_at
    FROM sighted WHERE history IN (SELECT history FROM several)
    GROUP BY history, request_key, value
),
numbered AS (
    SELECT
        *,
        dense_rank() OVER (PARTITION BY history ORDER BY happened_at, request_key) - 1 AS earlier,
        min(happened_at) OVER (PARTITION BY history) AS began_at
    FROM requests
),
own AS (
    SELECT history, value, min(happened_at) AS first_at, min(earlier) AS earlier, min(began_at) AS began_at
    FROM numbered GROUP BY history, value
)
SELECT own.history, own.value, own.first_at
FROM own LEFT JOIN old_histories USING (history)
WHERE (own.history, own.value) NOT IN (SELECT (history, value) FROM old)
    AND own.earlier + coalesce(old_histories.requests, 0) >= {max(first_seen.after, 1)}
    AND own.first_at - least(own.began_at, old_histories.began_at) >= {learning}
""",  # noqa: S608 - numbers only
        f"""
INSERT INTO remembered
SELECT DISTINCT {number}, sighted.event, hash(sighted.history, sighted.value)
FROM sighted JOIN firsts USING (history, value)
WHERE sighted.happened_at <= firsts.first_at + INTERVAL {NEWS_S} SECOND
""",  # noqa: S608 - numbers only
        f"""
INSERT INTO familiar
WITH before AS (
    SELECT
        firsts.history, firsts.value AS new_value, sighted.value,
        arg_min(sighted.event, sighted.happened_at) AS event,
        NULL::VARCHAR[] AS shown, count(DISTINCT sighted.request_key) AS requests
    FROM firsts JOIN sighted ON sighted.history = firsts.history AND sighted.happened_at < firsts.first_at
    GROUP BY ALL
    UNION ALL
    SELECT firsts.history, firsts.value, known.value, NULL, known.shown, known.requests
    FROM firsts JOIN known ON known.rule = {number} AND known.history = firsts.history
)
SELECT {number}, hash(history, new_value), any_value(event), any_value(shown), sum(requests) AS requests
FROM before
GROUP BY history, new_value, value
QUALIFY row_number() OVER (PARTITION BY history, new_value ORDER BY sum(requests) DESC, value) <= {_MOST_FAMILIAR}
""",  # noqa: S608 - numbers only
    ]
