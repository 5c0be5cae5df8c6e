"""From the staged rows to hits: which rule matched which event, and for what cause.

`staged` holds one row per record, `kinds` one per kind of events and `candidates` one for each that was read again (see
plan.py); `hits` takes one row per rule and event. How they make alerts is told in grouping.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.correlate.correlating import correlate
from kubewitness.detect.correlate.matches import ADD_UNREAD, CREATE_KIND_SIGHTS, CREATE_UNREAD, LIVE, rows_of
from kubewitness.detect.correlate.sights import (
    CREATE_FAMILIAR,
    CREATE_KNOWN,
    REMEMBER_FAMILIAR,
    firsts_sql,
    news_sql,
    remembered_sql,
    values_sql,
)
from kubewitness.detect.correlate.unfinished import unfinished_requests
from kubewitness.detect.plan import Table

if TYPE_CHECKING:
    from kubewitness.detect.correlate.correlating import Run
    from kubewitness.detect.plan import Plan

CREATE_HITS = """
-- One row per rule and event. cause: what the events of one alert have in common.
CREATE OR REPLACE TEMP TABLE hits (rule INTEGER, event BIGINT, cause UBIGINT)
"""

CREATE_REMEMBERED = """
-- What rules with a memory found: like hits, also of rules that make no alerts.
CREATE OR REPLACE TEMP TABLE remembered (rule INTEGER, event BIGINT, cause UBIGINT)
"""


def find_hits(run: Run, plan: Plan) -> None:
    """Fill the table `hits`, and `familiar` with what was known before something new.

    Most rules find nothing in most logs: only what they did find is looked at further.
    """
    for statement in (CREATE_HITS, CREATE_REMEMBERED, CREATE_KNOWN, CREATE_FAMILIAR, CREATE_UNREAD):
        run(statement)
    matched = _matched(run, plan)
    remembering = {number for number in matched if plan.rules[number].first_seen or plan.rules[number].unfinished}
    if plain := _plain_hits(plan, matched - remembering):
        run(plain)
    found = matched - remembering | _remember(run, plan, remembering)
    correlate(run, plan, found)


def _matched(run: Run, plan: Plan) -> set[int]:
    """Numbers of the rules of single events that matched anything."""
    words = {table: {rule.bit.word for rule in plan.rules if rule.bit and rule.bit.table is table} for table in Table}
    matched = {
        table: run(f"SELECT {', '.join(f'bit_or(matched_{word})' for word in range(max(own) + 1))} FROM {table}")[0]  # noqa: S608
        for table, own in words.items()
        if own
    }
    return {
        number
        for number, rule in enumerate(plan.rules)
        if rule.bit and (matched[rule.bit.table][rule.bit.word] or 0) & rule.bit.mask
    }


def _plain_hits(plan: Plan, numbers: set[int]) -> str:
    """Statement for the hits of rules without a memory; empty when none of them makes alerts."""
    by_word: dict[tuple[Table, int], list[tuple[int, int]]] = {}
    for number in sorted(numbers):
        rule = plan.rules[number]
        if rule.bit and rule.alerts:
            by_word.setdefault((rule.bit.table, rule.bit.word), []).append((number, rule.bit.mask))
    found = [
        f"""
SELECT bits.rule, event, actor_key
FROM {rows_of(table, f"actor_key, matched_{word}", f"(matched_{word} & {sum(mask for _, mask in bits)}) <> 0")}
JOIN (VALUES {", ".join(f"({rule}, {mask}::BIGINT)" for rule, mask in bits)}) AS bits (rule, mask)
    ON (matched_{word} & bits.mask) <> 0
WHERE {LIVE}
"""  # noqa: S608 - numbers only
        for (table, word), bits in by_word.items()
    ]
    return f"INSERT INTO hits {' UNION ALL '.join(found)}" if found else ""


def _remember(run: Run, plan: Plan, numbers: set[int]) -> set[int]:
    """Fill `remembered` and `familiar`; gives those of these rules that found something by their memory."""
    new = [number for number in sorted(numbers) if plan.rules[number].first_seen]
    if new:
        run(CREATE_KIND_SIGHTS)
        run(ADD_UNREAD)
        run(values_sql(plan, new))
        run(news_sql(plan, new))
        new = _rules(run, "news")
    if new:
        run(firsts_sql(plan, new))
        new = _rules(run, "firsts")
    if new:
        run(remembered_sql(plan, new))
        run(REMEMBER_FAMILIAR)
    for number in numbers:
        if plan.rules[number].unfinished:
            query = unfinished_requests(plan, plan.rules[number])
            run(f"INSERT INTO remembered SELECT {number}, event, cause FROM ({query})")  # noqa: S608 - a number
    found = _rules(run, "remembered")
    if alerting := [str(number) for number in found if plan.rules[number].alerts]:
        run(f"INSERT INTO hits SELECT * FROM remembered WHERE rule IN ({', '.join(alerting)})")  # noqa: S608 - numbers
    return set(found)


def _rules(run: Run, table: str) -> list[int]:
    return [number for (number,) in run(f"SELECT DISTINCT rule FROM {table} ORDER BY rule")]  # noqa: S608 - a name
