"""What is new: values that a history has not shown before, neither in this log nor in a baseline.

A rule may look at most of a log, so its rows are never copied: they are gone through once for the values that there
are, once for the beginning of each history, and once for the few that are new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.correlate.matches import Matches
from kubewitness.detect.keeping import is_several
from kubewitness.detect.plan import Form

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.detect.plan import Plan
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
_MOST_COMPARED = 20
"""So many of a history's values are looked at, the most frequent ones and the earliest ones, to tell what was known."""
_MOST_STAGES = 3


def history_sql(hashes: Sequence[str]) -> str:
    """Hash that says whose history it is, out of hashes of the fields; what is absent together belongs together."""
    return f"hash({', '.join(hashes) or '0'})"


def value_sql(hashes: Sequence[str]) -> str:
    """Hash of a value, out of hashes of its fields."""
    return hashes[0] if len(hashes) == 1 else f"hash({', '.join(hashes)})"


def _columns(first_seen: FirstSeen) -> tuple[dict[str, tuple[str, Form]], dict[str, tuple[str, Form]]]:
    """Columns for whose history it is, and for the value."""
    by = {f"by_{number}": (field.name, Form.HASH) for number, field in enumerate(first_seen.by)}
    shown = {
        f"value_{number}": (field.name, Form.EACH if is_several(field) else Form.HASH)
        for number, field in enumerate(first_seen.fields)
    }
    return by, shown


def _asking(plan: Plan, numbers: Iterable[int]) -> dict[int, FirstSeen]:
    """What must be new, by the number of the rule."""
    asked = {number: plan.rules[number].first_seen for number in numbers}
    return {number: first_seen for number, first_seen in asked.items() if first_seen}


def values_sql(plan: Plan, numbers: Iterable[int]) -> str:
    """Statement that makes the table `seen` of all values that rules ask about: one row per rule, history and value.

    `event` is the first that shows it, `parts` are hashes of the value's fields. It needs the table `kind_sights`.
    """
    return f"""
CREATE OR REPLACE TEMP TABLE seen AS
SELECT
    rule, history, value, any_value(parts) AS parts, sum(events)::BIGINT AS events, max(last_at) AS last_at,
    min(first) AS first, arg_min(event, first.at) AS event
FROM ({_matches(plan, numbers).sights()})
GROUP BY rule, history, value
"""  # noqa: S608 - names made here


def _matches(plan: Plan, numbers: Iterable[int]) -> Matches:
    """What shows values that rules ask about: rule, history, value, parts."""
    matches = Matches()
    for number, first_seen in _asking(plan, numbers).items():
        by, shown = _columns(first_seen)
        select = (
            f"{number} AS rule, {history_sql([*by])} AS history, {value_sql([*shown])} AS value,"
            f" [{', '.join(shown)}] AS parts"
        )
        where = " AND ".join(f"{name} IS NOT NULL" for name in shown)
        matches.add(plan, plan.rules[number], by | shown, select=select, where=where)
    return matches


def news_sql(plan: Plan, numbers: Iterable[int]) -> str:
    """Statement that makes the table `news` of values that may be new, as far as their history's numbers and times say.

    It needs the table `seen`.
    """
    asked = ", ".join(
        f"({number}, {_after(first_seen)}, {first_seen.learning_s})"
        for number, first_seen in _asking(plan, numbers).items()
    )
    return f"""
CREATE OR REPLACE TEMP TABLE news AS
WITH asked (rule, after, learning_s) AS (VALUES {asked}),
old_histories AS (
    SELECT rule, history, sum(events) AS events, min(first_at) AS began_at FROM known GROUP BY rule, history
),
histories AS (SELECT rule, history, sum(events) AS events, min(first) AS first FROM seen GROUP BY rule, history)
SELECT
    seen.rule, seen.history, seen.value, seen.first, coalesce(old_histories.events, 0)::BIGINT AS old_events, after,
    coalesce(old_histories.events, 0) < after AS is_young
FROM seen
JOIN asked USING (rule)
JOIN histories USING (rule, history)
LEFT JOIN old_histories USING (rule, history)
ANTI JOIN known USING (rule, history, value)
WHERE coalesce(old_histories.events, 0) + histories.events - seen.events >= after
    AND (old_histories.events >= after OR seen.first > histories.first)
    AND seen.first.at - least(histories.first.at, old_histories.began_at) >= to_seconds(learning_s)
"""  # noqa: S608 - numbers only


def showing_sql(plan: Plan, numbers: Iterable[int]) -> str:
    """Query for what shows values of histories that have `news` about these rules: rule, history, value, row.

    `row` is what `staged` has of an event of a store.
    """
    rows = _matches(plan, numbers).rows("SEMI JOIN news USING (rule, history)")
    return f'SELECT DISTINCT rule, history, value, "row" FROM ({rows}) AS shown JOIN staged ON staged.rowid = event'  # noqa: S608 - names made here


def _after(first_seen: FirstSeen) -> int:
    return max(first_seen.after, 1)


def firsts_sql(plan: Plan, numbers: Iterable[int]) -> str:
    """Statement that makes the table `firsts` of values that are new, out of `news` about these rules."""
    asked = _asking(plan, numbers)
    most = max(map(_after, asked.values())) * _MOST_STAGES
    rows = _matches(plan, asked).rows("SEMI JOIN young USING (rule, history)")
    return f"""
CREATE OR REPLACE TEMP TABLE firsts AS
WITH young AS (SELECT DISTINCT rule, history, after - old_events AS missing FROM news WHERE is_young),
beginnings AS (
    SELECT rule, history, list_distinct(min({{'at': happened_at, 'request': request_key}}, {most})) AS requests
    FROM ({rows})
    GROUP BY rule, history
),
-- The request with which a history has seen enough; told once, as long as it may be for thousands of values.
learned AS MATERIALIZED (
    SELECT rule, history, list_sort(requests)[missing] AS request FROM beginnings JOIN young USING (rule, history)
)
SELECT rule, history, value, news.first.at AS first_at
FROM news LEFT JOIN learned USING (rule, history)
WHERE NOT is_young OR news.first > learned.request
"""  # noqa: S608 - names made here


def remembered_sql(plan: Plan, numbers: Iterable[int]) -> str:
    """Statement that fills `remembered` with what shows one of the `firsts` about these rules, for some time."""
    return f"""
INSERT INTO remembered
SELECT DISTINCT rule, event, hash(history, value)
FROM ({_matches(plan, numbers).rows("JOIN firsts USING (rule, history, value)")})
WHERE happened_at <= first_at + INTERVAL {NEWS_S} SECOND
"""  # noqa: S608 - names made here


REMEMBER_FAMILIAR = f"""
INSERT INTO familiar
-- Of a history with thousands of values, each new to those before it, not every pair is looked at.
WITH compared AS (
    SELECT rule, history, value, event, parts, events, first.at AS first_at
    FROM seen SEMI JOIN firsts USING (rule, history)
    QUALIFY row_number() OVER (PARTITION BY rule, history ORDER BY events DESC, value) <= {_MOST_COMPARED}
        OR row_number() OVER (PARTITION BY rule, history ORDER BY first, value) <= {_MOST_COMPARED}
),
compared_known AS (
    FROM known SEMI JOIN firsts USING (rule, history)
    QUALIFY row_number() OVER (PARTITION BY rule, history ORDER BY events DESC, value) <= {_MOST_COMPARED}
)
SELECT rule, cause, any_value(event), any_value(parts), any_value(shown), sum(events)
FROM (
    SELECT
        firsts.rule, hash(firsts.history, firsts.value) AS cause, compared.value, compared.event, compared.parts,
        NULL AS shown, compared.events
    FROM firsts JOIN compared
        ON compared.rule = firsts.rule AND compared.history = firsts.history AND compared.first_at < firsts.first_at
    UNION ALL
    SELECT firsts.rule, hash(firsts.history, firsts.value), compared_known.value, NULL, NULL, shown, events
    FROM firsts JOIN compared_known USING (rule, history)
)
GROUP BY rule, cause, value
QUALIFY row_number() OVER (PARTITION BY rule, cause ORDER BY sum(events) DESC, value) <= {_MOST_FAMILIAR}
"""  # noqa: S608 - constants of this module
