"""From the staged rows to hits: which rule matched which event, and for what cause.

`staged` holds one row per record, `kinds` one per kind of events and `candidates` one for each that was read again (see
plan.py); `hits` takes one row per rule and event. Rows with the same rule and the same cause belong to one alert as
long as they follow each other closely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.detect.correlate.bases import CREATE_KIND_SIGHTS, LIVE, rows_of
from kubewitness.detect.correlate.sequences import sequences
from kubewitness.detect.correlate.sights import CREATE_FAMILIAR, CREATE_KNOWN, first_sights
from kubewitness.detect.correlate.unfinished import unfinished_requests
from kubewitness.detect.correlate.windows import windows
from kubewitness.detect.linking import in_order
from kubewitness.detect.plan import Table
from kubewitness.detect.rule import Comparison, CorrelationKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kubewitness.detect.plan import Plan, PlannedRule
    from kubewitness.detect.rule import Correlation

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


@dataclass(frozen=True, slots=True)
class Step:
    """A statement on the way to hits.

    Attributes:
        sql: text.
        needs: what must have been found before; otherwise the statement would find nothing.
        finds: what has been found when it gave rows.
    """

    sql: str
    needs: frozenset[str] = frozenset()
    finds: str | None = None


def matched_sql(plan: Plan) -> list[tuple[Table, str]]:
    """Queries of one row: the bits that are set in any row of a table, word by word."""
    words = {table: {rule.bit.word for rule in plan.rules if rule.bit and rule.bit.table is table} for table in Table}
    return [
        (table, f"SELECT {', '.join(f'bit_or(matched_{word})' for word in range(max(own) + 1))} FROM {table}")  # noqa: S608
        for table, own in words.items()
        if own
    ]


def found_by(plan: Plan, rows: Mapping[Table, Sequence[int | None]]) -> set[str]:
    """What the passes have found, out of the answers of `matched_sql`."""
    return {
        _matches(number)
        for number, rule in enumerate(plan.rules)
        if rule.bit and rule.bit.table in rows and (rows[rule.bit.table][rule.bit.word] or 0) & rule.bit.mask
    }


def hits_steps(plan: Plan) -> list[Step]:
    """Statements that fill `hits`, and `familiar` with what was known before something new.

    Most rules find nothing in most logs: what needs their matches can be left out then.
    """
    steps = [Step(sql) for sql in (CREATE_HITS, CREATE_REMEMBERED, CREATE_KNOWN, CREATE_FAMILIAR, *_plain_hits(plan))]
    if any(rule.first_seen for rule in plan.rules):
        steps.append(Step(CREATE_KIND_SIGHTS))
    for number, rule in enumerate(plan.rules):
        matches, remembers = frozenset({_matches(number)}), f"remembered {number}"
        if rule.first_seen:
            seen, news, firsts, remembered, familiar = first_sights(plan, rule, rule.first_seen)
            possible, new = f"possibly new {number}", f"new {number}"
            steps += [
                Step(seen, matches),
                Step(news, matches, possible),
                Step(firsts, frozenset({possible}), new),
                Step(remembered, frozenset({new}), remembers),
                Step(familiar, frozenset({new})),
            ]
        elif rule.unfinished:
            found = unfinished_requests(plan, rule)
            insert = f"INSERT INTO remembered SELECT {number}, event, cause FROM ({found})"  # noqa: S608 - a number
            steps.append(Step(insert, matches, remembers))
        if (rule.first_seen or rule.unfinished) and rule.alerts:
            insert = f"INSERT INTO hits SELECT * FROM remembered WHERE rule = {number}"  # noqa: S608 - a number
            steps.append(Step(insert, frozenset({remembers})))
    correlations = in_order(plan.rules)
    inner = {base for rule in correlations if rule.correlation for base in rule.correlation.rules}
    for rule in correlations:
        steps += _correlated(plan, rule, is_inner=rule.info.id in inner)
    return steps


def _matches(number: int) -> str:
    return f"matches {number}"


def _finds(plan: Plan, rule_id: str) -> str:
    """What there is when a base rule of a correlation has found something."""
    number = plan.number(rule_id)
    rule = plan.rules[number]
    if rule.correlation:
        return f"correlated {number}"
    return f"remembered {number}" if rule.first_seen or rule.unfinished else _matches(number)


def _needs(plan: Plan, correlation: Correlation) -> frozenset[str]:
    """What a correlation cannot do without."""
    places = range(len(correlation.rules))
    if correlation.alternatives:
        wanted = [set(each.wanted) for each in correlation.alternatives]
        necessary = set.intersection(*wanted)
    elif correlation.kind is CorrelationKind.TEMPORAL:
        rising = correlation.comparison is Comparison.GREATER_OR_EQUAL
        necessary = set(places) if rising and correlation.threshold >= len(places) else set()
    else:
        necessary = set(places) if len(places) == 1 else set()
    return frozenset(_finds(plan, correlation.rules[place]) for place in necessary)


def _plain_hits(plan: Plan) -> list[str]:
    by_word: dict[tuple[Table, int], list[tuple[int, int]]] = {}
    for number, rule in enumerate(plan.rules):
        if rule.bit and rule.alerts and not rule.first_seen and not rule.unfinished:
            by_word.setdefault((rule.bit.table, rule.bit.word), []).append((number, rule.bit.mask))
    return [
        f"""
INSERT INTO hits
SELECT bits.rule, event, actor_key
FROM {rows_of(table, f"actor_key, matched_{word}", f"(matched_{word} & {sum(mask for _, mask in bits)}) <> 0")}
JOIN (VALUES {", ".join(f"({rule}, {mask}::BIGINT)" for rule, mask in bits)}) AS bits (rule, mask)
    ON (matched_{word} & bits.mask) <> 0
WHERE {LIVE}
"""  # noqa: S608 - numbers only
        for (table, word), bits in by_word.items()
    ]


def _correlated(plan: Plan, rule: PlannedRule, *, is_inner: bool) -> list[Step]:
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
    # Others read the tables of one that they look at, so these must be there.
    needs = frozenset() if is_inner else _needs(plan, correlation)
    finds = f"correlated {number}"
    steps = [
        Step(f"CREATE OR REPLACE TEMP TABLE correlated_{number} AS {query}", needs, finds),
        Step(
            f"""
CREATE OR REPLACE TEMP TABLE members_{number} AS
SELECT DISTINCT event, cause, alert, happened_at FROM ({" UNION ALL ".join(members)})
""",  # noqa: S608 - numbers only
            frozenset() if is_inner else frozenset({finds}),
        ),
    ]
    if rule.alerts:
        insert = f"INSERT INTO hits SELECT DISTINCT {number}, event, alert FROM members_{number}"  # noqa: S608
        steps.append(Step(insert, frozenset({finds})))
    return steps
