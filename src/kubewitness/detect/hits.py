"""From the staged rows to hits: which rule matched which event, and for what cause.

`staged` holds one row per record and `candidates` one for each that the second pass read (see plan.py); `hits` takes
one row per rule and event. Rows with the same rule and the same cause belong to one alert as long as they follow each
other closely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.correlate.bases import LIVE, ROWS
from kubewitness.detect.correlate.sights import first_sights
from kubewitness.detect.correlate.windows import counted_hits

if TYPE_CHECKING:
    from kubewitness.detect.plan import Plan, PlannedRule, Table

ALERT_GAP_S = 3600
"""Matches of one cause that lie further apart than this, in seconds, are two alerts."""

CREATE_HITS = """
-- One row per rule and event. cause: what the events of one alert have in common.
CREATE OR REPLACE TEMP TABLE hits (rule INTEGER, event BIGINT, cause UBIGINT)
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
    plain = [rule for rule in plan.rules if rule.alerts and rule.bit and not rule.first_seen]
    statements += _plain_hits(plain, index)
    for rule in plan.rules:
        if rule.correlation and rule.alerts:
            statements.append(counted_hits(plan, rule.correlation, index[rule.info.id]))
        if rule.first_seen and rule.alerts:
            statements.append(first_sights(plan, rule, rule.first_seen, index[rule.info.id]))
    return statements


def _plain_hits(rules: list[PlannedRule], index: dict[str, int]) -> list[str]:
    by_word: dict[tuple[Table, int], list[tuple[int, int]]] = {}
    for rule in rules:
        bit = rule.bit
        if bit is None:
            continue
        by_word.setdefault((bit.table, bit.word), []).append((index[rule.info.id], bit.mask))
    return [
        f"""
INSERT INTO hits
SELECT bits.rule, event, actor_key
FROM {ROWS[table]} JOIN (VALUES {", ".join(f"({rule}, {mask}::BIGINT)" for rule, mask in bits)}) AS bits (rule, mask)
    ON (matched_{word} & bits.mask) <> 0
WHERE (matched_{word} & {sum(mask for _, mask in bits)}) <> 0 AND {LIVE}
"""  # noqa: S608 - numbers only
        for (table, word), bits in by_word.items()
    ]
