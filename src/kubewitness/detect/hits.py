"""From the staged rows to hits: which rule matched which event, and for what cause.

`staged` holds one row per record and `candidates` one for each that the second pass read (see plan.py); `hits` takes
one row per rule and event. Rows with the same rule and the same cause belong to one alert as long as they follow each
other closely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.correlate.bases import LIVE, ROWS
from kubewitness.detect.correlate.sequences import sequences
from kubewitness.detect.correlate.sights import CREATE_FAMILIAR, CREATE_KNOWN, first_sights
from kubewitness.detect.correlate.unfinished import unfinished_requests
from kubewitness.detect.correlate.windows import windows
from kubewitness.detect.linking import in_order

if TYPE_CHECKING:
    from kubewitness.detect.plan import Plan, PlannedRule, Table

ALERT_GAP_S = 3600
"""Matches of one cause that lie further apart than this, in seconds, or than the rule's window, are two alerts."""

CREATE_HITS = """
-- One row per rule and event. cause: what the events of one alert have in common.
CREATE OR REPLACE TEMP TABLE hits (rule INTEGER, event BIGINT, cause UBIGINT)
"""

CREATE_REMEMBERED = """
-- What rules with a memory found: like hits, also of rules that make no alerts.
CREATE OR REPLACE TEMP TABLE remembered (rule INTEGER, event BIGINT, cause UBIGINT)
"""


def grouped_sql(plan: Plan) -> str:
    """Query for the hits in the order of alerts; rule, cause, stretch say which alert a hit belongs to."""
    longer = [
        f"WHEN {number} THEN INTERVAL {rule.correlation.window_s} SECOND"
        for number, rule in enumerate(plan.rules)
        if rule.correlation and rule.correlation.window_s > ALERT_GAP_S
    ]
    usual = f"INTERVAL {ALERT_GAP_S} SECOND"
    gap = f"CASE rule {' '.join(longer)} ELSE {usual} END" if longer else usual
    return f"""
-- One row per hit.
WITH events AS (
    SELECT hits.rule, hits.cause, hits.event, source_id, record_line, happened_at, request_key
    FROM hits JOIN staged ON staged.rowid = hits.event
),
marked AS (
    SELECT *, coalesce(
        happened_at - lag(happened_at) OVER (PARTITION BY rule, cause ORDER BY happened_at, event) > {gap}, FALSE
    ) AS begins
    FROM events
)
SELECT *, sum(begins::INTEGER) OVER (PARTITION BY rule, cause ORDER BY happened_at, event) AS stretch
FROM marked
ORDER BY rule, cause, stretch, happened_at, event
"""  # noqa: S608 - numbers only


def hits_sql(plan: Plan) -> list[str]:
    """Statements that fill `hits`, and `familiar` with what was known before something new."""
    statements = [CREATE_HITS, CREATE_REMEMBERED, CREATE_KNOWN, CREATE_FAMILIAR, *_plain_hits(plan)]
    for number, rule in enumerate(plan.rules):
        if rule.first_seen:
            statements += first_sights(plan, rule, rule.first_seen)
        elif rule.unfinished:
            found = unfinished_requests(plan, rule)
            statements.append(f"INSERT INTO remembered SELECT {number}, event, cause FROM ({found})")  # noqa: S608
        if (rule.first_seen or rule.unfinished) and rule.alerts:
            statements.append(f"INSERT INTO hits SELECT * FROM remembered WHERE rule = {number}")  # noqa: S608
    for rule in in_order(plan.rules):
        statements += _correlated(plan, rule)
    return statements


def _plain_hits(plan: Plan) -> list[str]:
    by_word: dict[tuple[Table, int], list[tuple[int, int]]] = {}
    for number, rule in enumerate(plan.rules):
        if rule.bit and rule.alerts and not rule.first_seen and not rule.unfinished:
            by_word.setdefault((rule.bit.table, rule.bit.word), []).append((number, rule.bit.mask))
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


def _correlated(plan: Plan, rule: PlannedRule) -> list[str]:
    """Statements that fill `correlated_<n>` (see windows.py), `members_<n>` with all events behind it, and `hits`."""
    correlation = rule.correlation
    assert correlation is not None  # noqa: S101 - only correlations come here
    number = plan.number(rule.info.id)
    query = (sequences if correlation.alternatives else windows)(plan, correlation)
    members = [f"SELECT event, cause, alert, happened_at FROM correlated_{number} WHERE inner_cause IS NULL"]  # noqa: S608
    for place, rule_id in enumerate(correlation.rules):
        inner = plan.rules[plan.number(rule_id)].correlation
        if inner:
            members.append(
                f"SELECT own.event, found.cause, found.alert, own.happened_at FROM correlated_{number} AS found"  # noqa: S608
                f" JOIN members_{plan.number(rule_id)} AS own ON own.cause = found.inner_cause"
                f" AND own.happened_at <= found.happened_at"
                f" AND own.happened_at >= found.happened_at - INTERVAL {inner.window_s} SECOND"
                f" WHERE found.rule = {place}"
            )
    statements = [
        f"CREATE OR REPLACE TEMP TABLE correlated_{number} AS {query}",
        f"""
CREATE OR REPLACE TEMP TABLE members_{number} AS
SELECT DISTINCT event, cause, alert, happened_at FROM ({" UNION ALL ".join(members)})
""",  # noqa: S608 - numbers only
    ]
    if rule.alerts:
        statements.append(f"INSERT INTO hits SELECT DISTINCT {number}, event, alert FROM members_{number}")  # noqa: S608
    return statements
