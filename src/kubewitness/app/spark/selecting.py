"""What a scan needs of the events of a store: asked of Spark, so that only these events come back.

A scan over the selected events comes to the same alerts as one over all of them. Needed are

- what a rule of single events matches, unless it is a rule with a memory;
- of what a rule with a memory (first seen) matches: the first hour of each value, and the beginning of each history.
  They are looked for apart for what each of the rule's exceptions holds of, since these may be taken out or not;
- of requests that must not stay open: their beginnings and their ends, and the last event of each cluster;
- writes of workloads: who made what a controller made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.detect.attaching import attach
from kubewitness.detect.correlate.sights import NEWS_S
from kubewitness.detect.keeping import is_several
from kubewitness.detect.makers import WRITES
from kubewitness.query.spark import spark_condition, spark_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from kubewitness.app.plans import Loaded
    from kubewitness.detect.platforms import Platform
    from kubewitness.detect.rule import Rule
    from kubewitness.query.fields import Field
    from kubewitness.query.predicate import Predicate

_STAGES = 3
"""So many stages may a request have, each of which is an event of a history."""

_JUDGED = """
-- One row per event that a rule, or what else a scan needs, matches.
SELECT *
FROM (
    SELECT
        file_path, file_row, happened_at, audit_id,
        {wanted} AS is_wanted,
        {begun} AS is_begun,
        {sights} AS sights
    FROM events
)
WHERE is_wanted OR is_begun OR size(sights) > 0
"""

_NEEDED = f"""
-- One row per event that the scan needs.
WITH seen AS (SELECT file_path, file_row, happened_at, inline(sights) FROM judged),
placed AS (
    SELECT
        file_path, file_row, happened_at, begins,
        min(happened_at) OVER (PARTITION BY rule, history, value, excepted) AS first_at,
        rank() OVER (PARTITION BY rule, history, excepted ORDER BY happened_at NULLS LAST) AS place
    FROM seen
),
begun AS (SELECT DISTINCT audit_id AS begun_id FROM judged WHERE is_begun),
last AS (
    SELECT max_by(struct(file_path, file_row), coalesce(stage_at, happened_at, TIMESTAMP_NTZ'1970-01-01')) AS it
    FROM events GROUP BY cluster
)
SELECT file_path, file_row FROM judged WHERE is_wanted OR is_begun
UNION
SELECT file_path, file_row FROM placed
WHERE happened_at <= first_at + INTERVAL {NEWS_S} SECONDS OR place <= begins
UNION
SELECT file_path, file_row FROM events LEFT SEMI JOIN begun ON audit_id = begun_id
WHERE stage IN ('ResponseComplete', 'Panic')
UNION
SELECT it.file_path, it.file_row FROM last
"""  # noqa: S608 - a number

_TOTALS = """
-- One row per cluster: its events, its period, and how many events show each platform.
SELECT
    cluster, count_if(NOT partial) AS events, count_if(partial) AS partial,
    min(happened_at) AS first_at, max(happened_at) AS last_at, array({shown}) AS shown
FROM events
GROUP BY cluster
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to ask of the view `events` on Spark.

    Attributes:
        judged: query of the rules, whose rows are the view `judged`.
        needed: query over both for the events that a scan needs.
        totals: query for what there is to know of all events.
        platforms: names of the platforms that `totals` counts, in its order.
    """

    judged: str
    needed: str
    totals: str
    platforms: tuple[str, ...]


def select_for(loaded: Loaded, today: date) -> Selection:
    """What a scan with these rules needs.

    Args:
        loaded: rules, exceptions and platforms.
        today: day (UTC), for exceptions that expire.
    """
    active = [each for each in loaded.exceptions if not each.info.is_expired(today)]
    pack, attached = attach(loaded.pack, active)
    excepting: dict[str, list[Predicate]] = {}
    for each in attached:
        for rule_id, _ in each.rules:
            excepting.setdefault(rule_id, []).append(each.exception.predicate)
    single = [rule for rule in pack.rules if rule.predicate is not None]
    remembering = [rule for rule in single if rule.first_seen and _is_counted(rule)]
    unfinished = [rule for rule in single if rule.unfinished]
    wanted = [
        _test(predicate)
        for predicate in dict.fromkeys(
            rule.predicate
            for rule in single
            if rule.predicate is not None and not rule.unfinished and not (rule.first_seen and _is_counted(rule))
        )
    ]
    wanted.append(f"coalesce({spark_condition(WRITES)}, false)")
    begun = [_test(rule.predicate) for rule in unfinished if rule.predicate is not None]
    is_begun = f"stage IN ('RequestReceived', 'ResponseStarted') AND ({' OR '.join(begun)})" if begun else "false"
    judged = _JUDGED.format(
        wanted=" OR ".join(wanted),
        begun=f"coalesce({is_begun}, false)",
        sights=_sights(remembering, excepting),
    )
    names, shown = _signs(loaded.platforms)
    return Selection(judged, _NEEDED, _TOTALS.format(shown=", ".join(shown)), names)


def _test(predicate: Predicate) -> str:
    return f"coalesce({spark_sql(predicate)}, false)"


def _is_counted(rule: Rule) -> bool:
    """Whether Spark can tell what is the first of it: not where the value is somewhere inside of a body."""
    first_seen = rule.first_seen
    return first_seen is not None and not any(field.path for field in (*first_seen.by, *first_seen.fields))


def _sights(rules: Sequence[Rule], excepting: dict[str, list[Predicate]]) -> str:
    """Array of what an event shows to rules with a memory: rule, history, value, excepted, begins."""
    shown: dict[str, list[str]] = {}
    for number, rule in enumerate(rules):
        if rule.predicate is not None:
            shown.setdefault(_test(rule.predicate), []).append(_sight(number, rule, excepting.get(rule.info.id, [])))
    listed = [f"CASE WHEN {test} THEN concat({', '.join(sights)}) END" for test, sights in shown.items()]
    if not listed:
        return f"filter(array({_struct(0, '0', '0', '0', 0)}), one -> false)"
    return f"flatten(filter(array({', '.join(listed)}), one -> one IS NOT NULL))"


def _sight(number: int, rule: Rule, exceptions: Sequence[Predicate]) -> str:
    first_seen = rule.first_seen
    assert first_seen is not None  # noqa: S101 - only such rules come here
    history = f"xxhash64({', '.join(map(_text, first_seen.by)) or '0'})"
    bits = [f"CASE WHEN {_test(each)} THEN '1' ELSE '0' END" for each in dict.fromkeys(exceptions)]
    excepted = f"concat({', '.join(bits)})" if bits else "''"
    several = [field for field in first_seen.fields if is_several(field)]
    single = [field for field in first_seen.fields if not is_several(field)]
    lists = [f"filter(`{field.column.name}`, one -> one IS NOT NULL)" for field in several]
    values = [*map(_text, single), *(f"'=' || v{place}" for place in range(len(several)))]
    value = f"xxhash64({', '.join(values)})"
    found = f"array({_struct(number, history, value, excepted, max(first_seen.after, 1) * _STAGES)})"
    for place, items in reversed([*enumerate(lists)]):
        found = f"flatten(transform({items}, v{place} -> {found}))"
    there = " AND ".join(f"`{field.column.name}` IS NOT NULL" for field in first_seen.fields)
    return f"CASE WHEN {there} THEN {found} ELSE {_nothing()} END"


def _struct(rule: int, history: str, value: str, excepted: str, begins: int) -> str:
    return (
        f"named_struct('rule', {rule}, 'history', CAST({history} AS BIGINT), 'value', CAST({value} AS BIGINT),"
        f" 'excepted', CAST({excepted} AS STRING), 'begins', CAST({begins} AS BIGINT))"
    )


def _nothing() -> str:
    return "CAST(array() AS ARRAY<STRUCT<rule: INT, history: BIGINT, value: BIGINT, excepted: STRING, begins: BIGINT>>)"


def _text(field: Field) -> str:
    """A value that tells absent from empty."""
    return f"coalesce('=' || CAST(`{field.column.name}` AS STRING), '')"


def _signs(platforms: Sequence[Platform]) -> tuple[tuple[str, ...], Iterator[str]]:
    signed = [(each.name, each.signs) for each in platforms if each.signs is not None]
    return tuple(name for name, _ in signed), (f"count_if({_test(signs)})" for _, signs in signed)
