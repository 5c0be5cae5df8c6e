"""From the staged rows to hits: which rule matched which event, and for what cause.

`staged` holds one row per record and `candidates` one for each that the second pass read (see plan.py); `hits` takes
one row per rule and event. Rows with the same rule and the same cause belong to one alert as long as they follow each
other closely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.plan import Table, mask_test
from kubewitness.detect.rule import CountKind
from kubewitness.query.fields import Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.detect.plan import Plan, PlannedRule
    from kubewitness.detect.rule import Correlation, FirstSeen

ALERT_GAP_S = 3600
"""Matches of one cause that lie further apart than this, in seconds, are two alerts."""

_LIVE = "outcome IN (1, 2) AND event NOT IN (SELECT event FROM duplicates)"

_ROWS = {
    Table.STAGED: "(SELECT rowid AS event, * FROM staged)",
    # The n-th row of candidates is of the event that the n-th row of candidate_rows names.
    Table.CANDIDATES: "(SELECT candidate_rows.event, candidates.* FROM candidates"
    " JOIN candidate_rows ON candidate_rows.rowid = candidates.rowid)",
}

CREATE_HITS = """
-- One row per rule and event. cause: what the events of one alert have in common.
CREATE OR REPLACE TEMP TABLE hits (rule INTEGER, event BIGINT, cause UBIGINT)
"""

CREATE_DUPLICATES = """
-- One row per record that is the same as an earlier one. Cut records are looked at apart. Without a time nobody can
-- say.
CREATE OR REPLACE TEMP TABLE duplicates AS
SELECT rowid AS event
FROM staged
WHERE outcome = 1 AND happened_at IS NOT NULL AND (record_key, time_key) IN (
    SELECT (record_key, time_key) FROM staged
    WHERE outcome = 1 AND happened_at IS NOT NULL AND record_key IS NOT NULL
    GROUP BY ALL HAVING count(*) > 1
)
QUALIFY row_number() OVER (PARTITION BY record_key, time_key ORDER BY rowid) > 1
"""

CREATE_CUT_TWINS = """
-- One row per cut record and another record of the same request and stage, which may be the same one: a whole one,
-- or one that was cut too and has the same time. Of many others only the first ones: a record that is taken for
-- another one is lost, one that is not is merely there twice.
CREATE OR REPLACE TEMP TABLE cut_twins AS
WITH cut AS (
    SELECT
        rowid AS event, record_key, happened_at,
        row_number() OVER (PARTITION BY record_key, happened_at ORDER BY rowid) AS place
    FROM staged
    WHERE outcome = 2 AND record_key IS NOT NULL
),
whole AS (
    SELECT rowid AS event, record_key
    FROM staged
    WHERE outcome = 1 AND record_key IN (SELECT record_key FROM cut)
    QUALIFY row_number() OVER (PARTITION BY record_key ORDER BY rowid) <= 8
)
SELECT *, (dense_rank() OVER (ORDER BY cut) - 1) // 5000 AS batch
FROM (
    SELECT cut.event AS cut, whole.event AS twin, TRUE AS is_whole FROM cut JOIN whole USING (record_key)
    UNION ALL
    SELECT cut.event, earlier.event, FALSE
    FROM cut JOIN cut AS earlier USING (record_key, happened_at)
    WHERE earlier.place <= 8 AND earlier.event < cut.event
)
"""

CUT_TWINS = """
-- One batch of them, in the order in which to compare.
SELECT cut, twin FROM cut_twins WHERE batch = $batch ORDER BY cut, is_whole DESC, twin
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
            statements.append(_correlated(plan, rule.correlation, index[rule.info.id]))
        if rule.first_seen and rule.alerts:
            statements.append(_first_seen(plan, rule, rule.first_seen, index[rule.info.id]))
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
FROM {_ROWS[table]} JOIN (VALUES {", ".join(f"({rule}, {mask}::BIGINT)" for rule, mask in bits)}) AS bits (rule, mask)
    ON (matched_{word} & bits.mask) <> 0
WHERE (matched_{word} & {sum(mask for _, mask in bits)}) <> 0 AND {_LIVE}
"""  # noqa: S608 - numbers only
        for (table, word), bits in by_word.items()
    ]


def _base(plan: Plan, rules: Sequence[str], columns: dict[str, Sequence[Field] | Field]) -> str:
    """Query for the events that base rules matched: event, request_key, happened_at and named columns.

    Args:
        plan: the plan.
        rules: ids of the base rules.
        columns: name to a field, for its hash or null, or to several, for the hash of them all, which is never null.
    """
    queries = []
    for table in Table:
        own = [plan.bit(rule) for rule in rules if plan.bit(rule).table is table]
        if not own:
            continue
        listed = "".join(f", {_value(plan, table, fields)} AS {name}" for name, fields in columns.items())
        queries.append(
            f"SELECT event, request_key, happened_at{listed} FROM {_ROWS[table]}"  # noqa: S608 - names of the plan
            f" WHERE ({mask_test(own)}) AND happened_at IS NOT NULL AND {_LIVE}"
        )
    return " UNION ALL ".join(queries)


def _value(plan: Plan, table: Table, fields: Sequence[Field] | Field) -> str:
    if isinstance(fields, Field):
        return plan.kept(table, fields.name)
    # What is absent together belongs together: this key is never null.
    return f"hash({', '.join(plan.kept(table, field.name) for field in fields) or '0'})"


def _correlated(plan: Plan, correlation: Correlation, number: int) -> str:
    """Requests whose sliding window reaches the threshold, and the others inside that window."""
    columns: dict[str, Sequence[Field] | Field] = {"cause": correlation.group_by}
    if correlation.counted:
        columns["counted"] = correlation.counted
    base = _base(plan, correlation.rules, columns)
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


def _first_seen(plan: Plan, rule: PlannedRule, first_seen: FirstSeen, number: int) -> str:
    """Requests that show a value which this history has not seen before, for an hour from its first sight."""
    base = _base(plan, [rule.info.id], {"history": first_seen.by, "value": first_seen.field})
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
WHERE base.happened_at <= firsts.first_at + INTERVAL {ALERT_GAP_S} SECOND
"""  # noqa: S608 - numbers and column names of the plan
