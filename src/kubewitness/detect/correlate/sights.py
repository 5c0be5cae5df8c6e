"""What is new: values that a history has not shown before, neither in this log nor in a baseline.

A rule may look at most of a log, so its rows are never copied: they are gone through once for the values that there
are, once for the beginning of each history, and once for the few that are new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.correlate.bases import matched_rows, matched_sights
from kubewitness.detect.keeping import is_several
from kubewitness.detect.plan import Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.detect.plan import Plan, PlannedRule
    from kubewitness.detect.rule import FirstSeen

NEWS_S = 3600
"""A new value stays new for so long, in seconds."""

CREATE_KNOWN = """
-- What a baseline knows: one row per rule, history and value. shown: text of each field of the value.
CREATE TEMP TABLE IF NOT EXISTS known (
    rule INTEGER, history UBIGINT, value UBIGINT, shown VARCHAR[], events BIGINT, first_at TIMESTAMP
)
"""

CREATE_FAMILIAR = """
-- What was known when something new came: one row per rule, cause and value known before. Either `shown` says what it
-- is (see known), or `event` is one that shows it and `parts` are hashes of its fields.
CREATE OR REPLACE TEMP TABLE familiar (
    rule INTEGER, cause UBIGINT, event BIGINT, parts UBIGINT[], shown VARCHAR[], events BIGINT
)
"""

_MOST_FAMILIAR = 4
_MOST_STAGES = 3


def sights(plan: Plan, rule: PlannedRule, first_seen: FirstSeen) -> str:
    """Query for the events that show a value: event, request_key, happened_at, history, value.

    There is a row for each value.
    """
    by, shown = _columns(first_seen)
    return (
        "SELECT event, request_key, happened_at,"  # noqa: S608 - names of the plan
        f" {history_sql(list(by))} AS history, {value_sql(list(shown))} AS value"
        f" FROM ({matched_rows(plan, rule, by | shown)}) WHERE {_are_there(shown)}"
    )


def _columns(first_seen: FirstSeen) -> tuple[dict[str, tuple[str, Form]], dict[str, tuple[str, Form]]]:
    """Columns for whose history it is, and for the value."""
    by = {f"by_{number}": (field.name, Form.HASH) for number, field in enumerate(first_seen.by)}
    shown = {
        f"value_{number}": (field.name, Form.EACH if is_several(field) else Form.HASH)
        for number, field in enumerate(first_seen.fields)
    }
    return by, shown


def _are_there(names: Iterable[str]) -> str:
    return " AND ".join(f"{name} IS NOT NULL" for name in names)


def history_sql(hashes: Sequence[str]) -> str:
    """Hash that says whose history it is, out of hashes of the fields; what is absent together belongs together."""
    return f"hash({', '.join(hashes) or '0'})"


def value_sql(hashes: Sequence[str]) -> str:
    """Hash of a value, out of hashes of its fields."""
    return hashes[0] if len(hashes) == 1 else f"hash({', '.join(hashes)})"


def values_sql(plan: Plan, rule: PlannedRule, first_seen: FirstSeen) -> str:
    """Statement that makes the table `seen` of all values: one row per history and value, `event` the first of it.

    `parts` are hashes of the value's fields. It needs the table `kind_sights`.
    """
    by, shown = _columns(first_seen)
    return f"""
CREATE OR REPLACE TEMP TABLE seen AS
SELECT
    {history_sql(list(by))} AS history, {value_sql(list(shown))} AS value, any_value([{", ".join(shown)}]) AS parts,
    sum(events)::BIGINT AS events, max(last_at) AS last_at, min(first) AS first, arg_min(event, first.at) AS event
FROM ({matched_sights(plan, rule, by | shown)})
WHERE {_are_there(shown)}
GROUP BY history, value
"""  # noqa: S608 - names of the plan


def first_sights(plan: Plan, rule: PlannedRule, first_seen: FirstSeen) -> list[str]:
    """Statements that fill `remembered` with what shows a new value, for an hour from then on, and `familiar`.

    The first makes `seen`; the second makes `news`, values that may be new as far as numbers and times of all of their
    history say, and gives their number; the third makes `firsts`, those that are.
    """
    number = plan.number(rule.info.id)
    after = max(first_seen.after, 1)
    every = sights(plan, rule, first_seen)
    return [
        values_sql(plan, rule, first_seen),
        f"""
CREATE OR REPLACE TEMP TABLE news AS
WITH old AS (SELECT * FROM known WHERE rule = {number}),
old_histories AS (SELECT history, sum(events) AS events, min(first_at) AS began_at FROM old GROUP BY history),
histories AS (SELECT history, sum(events) AS events, min(first) AS first FROM seen GROUP BY history)
SELECT
    seen.history, seen.value, seen.first, coalesce(old_histories.events, 0)::BIGINT AS old_events
FROM seen
JOIN histories USING (history)
LEFT JOIN old_histories USING (history)
ANTI JOIN old ON old.history = seen.history AND old.value = seen.value
WHERE coalesce(old_histories.events, 0) + histories.events - seen.events >= {after}
    AND (old_histories.events >= {after} OR seen.first > histories.first)
    AND seen.first.at - least(histories.first.at, old_histories.began_at) >= INTERVAL {first_seen.learning_s} SECOND
""",  # noqa: S608 - numbers and names of the plan
        f"""
CREATE OR REPLACE TEMP TABLE firsts AS
WITH histories AS (
    SELECT
        history,
        list_distinct(min({{'at': happened_at, 'request': request_key}}, {after * _MOST_STAGES})) AS requests
    FROM ({every})
    WHERE history IN (SELECT history FROM news WHERE old_events < {after})
    GROUP BY history
)
SELECT history, value, news.first.at AS first_at
FROM news LEFT JOIN histories USING (history)
WHERE old_events >= {after} OR news.first > list_sort(requests)[{after} - old_events]
""",  # noqa: S608 - numbers and names of the plan
        f"""
INSERT INTO remembered
SELECT DISTINCT {number}, event, hash(history, value)
FROM ({every}) JOIN firsts USING (history, value)
WHERE happened_at <= first_at + INTERVAL {NEWS_S} SECOND
""",  # noqa: S608 - numbers and names of the plan
        f"""
INSERT INTO familiar
SELECT rule, cause, any_value(event), any_value(parts), any_value(shown), sum(events)
FROM (
    SELECT
        {number} AS rule, hash(firsts.history, firsts.value) AS cause, seen.value, seen.event, seen.parts,
        NULL AS shown, seen.events
    FROM firsts JOIN seen ON seen.history = firsts.history AND seen.first.at < firsts.first_at
    UNION ALL
    SELECT {number}, hash(firsts.history, firsts.value), known.value, NULL, NULL, known.shown, known.events
    FROM firsts JOIN known ON known.rule = {number} AND known.history = firsts.history
)
GROUP BY rule, cause, value
QUALIFY row_number() OVER (PARTITION BY cause ORDER BY sum(events) DESC, value) <= {_MOST_FAMILIAR}
""",  # noqa: S608 - numbers only
    ]
