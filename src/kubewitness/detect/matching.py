"""From the staged rows to hits: which rule matched which event, and for what cause.

`staged` holds one row per record (see plan.py); `hits` takes one row per rule and event. Rows with the same rule and the
same cause belong to one alert as long as they follow each other closely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.rule import CountKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.detect.plan import Bit, Plan
    from kubewitness.detect.rule import Correlation, FirstSeen, Rule

ALERT_GAP_S = 3600
"""Matches of one cause that lie further apart than this, in seconds, are two alerts."""

LIVE = "outcome IN (1, 2) AND rowid NOT IN (SELECT event FROM duplicates)"

CREATE_HITS = """
-- One row per rule and event. cause: what the events of one alert have in common.
CREATE OR REPLACE TEMP TABLE hits (rule INTEGER, event BIGINT, cause UBIGINT)
"""

CREATE_DUPLICATES = """
-- One row per record that is the same as an earlier one. Cut records are looked at apart.
CREATE OR REPLACE TEMP TABLE duplicates AS
SELECT rowid AS event
FROM staged
WHERE outcome = 1 AND (record_key, time_key) IN (
    SELECT (record_key, time_key) FROM staged WHERE outcome = 1 AND record_key IS NOT NULL GROUP BY ALL HAVING count(*) > 1
)
QUALIFY row_number() OVER (PARTITION BY record_key, time_key ORDER BY rowid) > 1
"""

CUT_TWINS = """
-- One row per cut record and another record of the same request and stage, which may be the same one.
SELECT
    cut.rowid AS cut, twin.rowid AS twin, twin.outcome = 1 AS is_whole,
    cut.happened_at IS NOT DISTINCT FROM twin.happened_at AS same_time
FROM staged AS cut
JOIN staged AS twin USING (record_key)
WHERE cut.outcome = 2 AND (twin.outcome = 1 OR (twin.outcome = 2 AND twin.rowid < cut.rowid))
ORDER BY cut, is_whole DESC, twin
"""

GROUPED = f"""
-- One row per hit, in the order of alerts: rule, cause, stretch say which alert it belongs to.
WITH events AS (
    SELECT hits.rule, hits.cause, hits.event, source_id, record_line, happened_at, request_key
    FROM hits JOIN staged ON staged.rowid = hits.event
),
marked AS (
    SELECT *, coalesce(
        happened_at - lag(happened_at) OVER (PARTITION BY rule, cause ORDER BY happened_at, event)
            > INTERVAL {ALERT_GAP_S} SECOND, FALSE
    ) AS begins
    FROM events
)
SELECT *, sum(begins::INTEGER) OVER (PARTITION BY rule, cause ORDER BY happened_at, event) AS stretch
FROM marked
ORDER BY rule, cause, stretch, happened_at, event
"""  # noqa: S608 - a constant of this module


def hits_sql(plan: Plan) -> list[str]:
    """Statements that fill `hits`."""
    index = {rule.info.id: number for number, rule in enumerate(plan.rules)}
    statements = [CREATE_HITS]
    plain = [rule for rule in plan.rules if rule.alerts and rule.predicate is not None and not rule.first_seen]
    statements += _plain_hits(plan, plain, index)
    for rule in plan.rules:
        if rule.correlation and rule.alerts:
            statements.append(_correlated(plan, rule.correlation, index[rule.info.id]))
        if rule.first_seen and rule.alerts:
            statements.append(_first_seen(plan, rule, rule.first_seen, index[rule.info.id]))
    return statements


def _plain_hits(plan: Plan, rules: list[Rule], index: dict[str, int]) -> list[str]:
    by_word: dict[int, list[tuple[int, int]]] = {}
    for rule in rules:
        bit = plan.bits[rule.info.id]
        by_word.setdefault(bit.word, []).append((index[rule.info.id], bit.mask))
    return [
        f"""
INSERT INTO hits
SELECT bits.rule, staged.rowid, staged.actor_key
FROM staged JOIN (VALUES {", ".join(f"({rule}, {mask}::BIGINT)" for rule, mask in bits)}) AS bits (rule, mask)
    ON (staged.matched_{word} & bits.mask) <> 0
WHERE (staged.matched_{word} & {sum(mask for _, mask in bits)}) <> 0 AND {LIVE}
"""  # noqa: S608 - numbers only
        for word, bits in by_word.items()
    ]


def _correlated(plan: Plan, correlation: Correlation, number: int) -> str:
    """Requests whose sliding window reaches the threshold, and the others inside that window."""
    cause = ", ".join(plan.kept_fields[field.name] for field in correlation.group_by) or "0"
    counted = plan.kept_fields[correlation.counted.name] if correlation.counted else "request_key"
    what = "DISTINCT counted" if correlation.kind is CountKind.VALUES else "*"
    window = f"INTERVAL {correlation.window_s} SECOND"
    enough = f"{correlation.order} {correlation.threshold}"
    # A cause that never has enough in all of the log has not enough in any window.
    possible = f"HAVING count({what.replace('*', 'DISTINCT request_key')}) {enough}" if ">" in correlation.order else ""
    return f"""
INSERT INTO hits
WITH base AS (
    SELECT rowid AS event, request_key, happened_at, hash({cause}) AS cause, {counted} AS counted
    FROM staged
    WHERE {_matched(plan.bits[base] for base in correlation.rules)} AND happened_at IS NOT NULL AND {LIVE}
),
possible AS (SELECT cause FROM base GROUP BY cause {possible}),
requests AS (
    SELECT cause, request_key, min(happened_at) AS happened_at, any_value(counted) AS counted
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


def _first_seen(plan: Plan, rule: Rule, first_seen: FirstSeen, number: int) -> str:
    """Requests that show a value which this history has not seen before, for an hour from its first sight."""
    by = ", ".join(plan.kept_fields[field.name] for field in first_seen.by) or "0"
    value = plan.kept_fields[first_seen.field.name]
    return f"""
INSERT INTO hits
WITH base AS (
    SELECT rowid AS event, request_key, happened_at, hash({by}) AS history, {value} AS value
    FROM staged
    WHERE {_matched([plan.bits[rule.info.id]])} AND happened_at IS NOT NULL AND {value} IS NOT NULL AND {LIVE}
),
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
WHERE base.happened_at <= firsts.first_at + INTERVAL {ALERT_GAP_S} SECOND
"""  # noqa: S608 - numbers and column names of the plan


def _matched(bits: Iterable[Bit]) -> str:
    return "(" + " OR ".join(f"(matched_{bit.word} & {bit.mask}) <> 0" for bit in bits) + ")"
