"""The rows that rules of several events work on: events that base rules matched, with what is kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.keeping import form_of
from kubewitness.detect.plan import Form, Table, mask_test
from kubewitness.query.fields import find_field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from kubewitness.detect.plan import Plan, PlannedRule
    from kubewitness.detect.rule import Correlation, Key

LIVE = "outcome IN (1, 2)"
"""Condition on rows that count: events, each once."""


def rows_of(table: Table, columns: str, where: str = "TRUE") -> str:
    """Rows of events, with what is known of them: event, outcome, happened_at, request_key, and columns of the table.

    Args:
        table: candidates, or all events of its kinds.
        columns: names of columns of the table, between commas; of kinds also what the sketch keeps.
        where: condition on rows of the table.
    """
    if table is Table.CANDIDATES:
        return f"(SELECT event, outcome, happened_at, request_key, {columns} FROM candidates WHERE {where})"  # noqa: S608
    return (
        f"(SELECT staged.rowid AS event, outcome, happened_at, request_key, {columns}"  # noqa: S608 - names of the plan
        f" FROM staged JOIN (SELECT * EXCLUDE (event) FROM kinds WHERE {where}) AS kinds USING (kind))"
    )


def matched_rows(plan: Plan, rule: PlannedRule, columns: Mapping[str, tuple[str, Form]]) -> str:
    """Query for the events that a rule of single events matched: event, request_key, happened_at and named columns.

    Args:
        plan: the plan.
        rule: the rule.
        columns: name to field and form; a row with several values of a field is there for each of them.
    """
    bit = rule.bit
    assert bit is not None  # noqa: S101 - only rules of single events come here
    listed = ", ".join(f"{plan.kept(bit.table, *kept)} AS {name}" for name, kept in columns.items())
    rows = rows_of(bit.table, listed or "NULL", mask_test([bit]))
    query = (
        f"SELECT * EXCLUDE (outcome) FROM {rows}"  # noqa: S608 - names of the plan
        f" WHERE happened_at IS NOT NULL AND {LIVE}"
    )
    return _each(query, columns)


CREATE_KIND_SIGHTS = f"""
-- One row per kind that has events: how many, the first of them, its row, and when the last one happened.
CREATE OR REPLACE TEMP TABLE kind_sights AS
SELECT
    kind, count(*) AS events, min({{'at': happened_at, 'request': request_key}}) AS first,
    arg_min(rowid, happened_at) AS event, max(happened_at) AS last_at
FROM staged WHERE kind IS NOT NULL AND happened_at IS NOT NULL AND {LIVE}
GROUP BY kind
"""  # noqa: S608 - constants of this module


def matched_sights(plan: Plan, rule: PlannedRule, columns: Mapping[str, tuple[str, Form]]) -> str:
    """Like `matched_rows`, with a row for each kind rather than each event where a kind has all that is asked for.

    It gives, besides the named columns: events, first (a time and a request), event, last_at, as `kind_sights` does.
    """
    bit = rule.bit
    assert bit is not None  # noqa: S101 - only rules of single events come here
    kept = {name: plan.kept(bit.table, *each) for name, each in columns.items()}
    listed = "".join(f", {column} AS {name}" for name, column in kept.items())
    if bit.table is Table.KINDS and plan.kinds.columns.keys() >= set(kept.values()):
        found = (
            f"SELECT events, first, kind_sights.event, last_at{listed}"  # noqa: S608 - names of the plan
            f" FROM kind_sights JOIN kinds USING (kind) WHERE {mask_test([bit])}"
        )
        return _each(found, columns)
    return (
        "SELECT 1 AS events, {'at': happened_at, 'request': request_key} AS first, event, happened_at AS last_at,"  # noqa: S608
        f" * EXCLUDE (event, request_key, happened_at) FROM ({matched_rows(plan, rule, columns)})"
    )


def _each(query: str, columns: Mapping[str, tuple[str, Form]]) -> str:
    for name, (_, form) in columns.items():
        if form is Form.EACH:
            query = f"SELECT * REPLACE (unnest({name}) AS {name}) FROM ({query})"  # noqa: S608
    return query


def found_rows(plan: Plan, rule: PlannedRule, columns: Mapping[str, tuple[str, Form]]) -> str:
    """Like `matched_rows`; of a rule with a memory, only the events that it found by its memory."""
    query = matched_rows(plan, rule, columns)
    if not rule.first_seen and not rule.unfinished:
        return query
    number = plan.number(rule.info.id)
    return f"SELECT * FROM ({query}) WHERE event IN (SELECT event FROM remembered WHERE rule = {number})"  # noqa: S608


def base_rows(plan: Plan, numbers: Iterable[int], found: Collection[int]) -> str:
    """Query for what the base rules of correlations found, one row for each time one of them did.

    Columns: `number` (of the correlation), `window_s`, `threshold`, `rule` (place of the base rule), `event`,
    `request_key`, `happened_at`, `inner_cause` (of a base that is a correlation itself), `keys` (what they have in
    common, where another correlation looks at it), `cause` (a hash of these, never null), `alert` (of those that say
    what is one alert), `value` (what is counted).

    Args:
        plan: the plan.
        numbers: of the correlations.
        found: numbers of rules that found something.
    """
    looked_at = {base for rule in plan.rules if rule.correlation for base in rule.correlation.rules}
    return " UNION ALL ".join(
        _base(plan, number, place, base, has_keys=plan.rules[number].info.id in looked_at)
        for number in numbers
        for place, base in enumerate(plan.bases(number))
        if base in found
    )


def _base(plan: Plan, number: int, place: int, base: int, *, has_keys: bool) -> str:
    correlation = plan.rules[number].correlation
    assert correlation is not None  # noqa: S101 - only correlations come here
    keys = {f"key_{at}": key for at, key in enumerate(correlation.group_by)}
    counted = {f"value_{at}": key for at, key in enumerate(correlation.counted)}
    rows = (
        _moments(plan, base, place, keys | counted)
        if plan.rules[base].correlation
        else _singles(plan, correlation, base, place, keys | counted)
    )
    where = " AND ".join(f"{name} IS NOT NULL" for name, key in keys.items() if key.is_alias) or "TRUE"
    told = [name for name, key in keys.items() if not correlation.alert_by or key.name in correlation.alert_by]
    return f"""
SELECT {number} AS number, {correlation.window_s}::BIGINT AS window_s, {correlation.threshold:.15g} AS threshold,
    {place} AS rule, event, request_key, happened_at, inner_cause,
    {f"[{', '.join(keys)}]" if has_keys else "NULL"}::UBIGINT[] AS keys,
    hash({", ".join(keys) or "0"}) AS cause, hash({", ".join(told) or "0"}) AS alert, {_value([*counted])} AS value
FROM ({rows})
WHERE {where}
"""  # noqa: S608 - numbers and column names of the plan


def _value(names: Sequence[str]) -> str:
    if len(names) <= 1:
        return names[0] if names else "NULL"
    return f"CASE WHEN coalesce({', '.join(names)}) IS NOT NULL THEN hash({', '.join(names)}) END"


def _singles(plan: Plan, correlation: Correlation, base: int, place: int, keys: Mapping[str, Key]) -> str:
    columns: dict[str, tuple[str, Form]] = {}
    for name, key in keys.items():
        field = find_field(key.fields[place])
        columns[name] = field.name, form_of(correlation, key, field)
    return f"SELECT *, NULL::UBIGINT AS inner_cause FROM ({found_rows(plan, plan.rules[base], columns)})"  # noqa: S608


def _moments(plan: Plan, base: int, place: int, keys: Mapping[str, Key]) -> str:
    """The moments at which a correlation was fulfilled; those that follow each other closely count as one request."""
    inner = plan.rules[base].correlation
    assert inner is not None  # noqa: S101 - only correlations come here
    names = [key.name for key in inner.group_by]
    listed = "".join(f", keys[{names.index(key.fields[place]) + 1}] AS {name}" for name, key in keys.items())
    return f"""
SELECT event, hash({base}, cause, sum(begins::INTEGER) OVER in_time) AS request_key, happened_at,
    cause AS inner_cause{listed}
FROM (
    SELECT event, cause, happened_at, keys, coalesce(
        happened_at - lag(happened_at) OVER in_time > INTERVAL {inner.window_s} SECOND, FALSE
    ) AS begins
    FROM correlated
    WHERE number = {base} AND is_moment
    WINDOW in_time AS (PARTITION BY cause ORDER BY happened_at, event)
)
WINDOW in_time AS (PARTITION BY cause ORDER BY happened_at, event)
"""  # noqa: S608 - numbers only
