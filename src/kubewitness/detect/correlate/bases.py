"""The rows that correlations work on: what their base rules found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.correlate.matches import Matches
from kubewitness.detect.keeping import form_of
from kubewitness.query.fields import find_field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from kubewitness.detect.plan import Form, Plan
    from kubewitness.detect.rule import Correlation, Key


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
    matches = Matches()
    for number in numbers:
        for place, base in enumerate(plan.bases(number)):
            if base in found:
                _add(matches, plan, number, place, base, has_keys=plan.rules[number].info.id in looked_at)
    return matches.rows()


def _add(matches: Matches, plan: Plan, number: int, place: int, base: int, *, has_keys: bool) -> None:
    correlation, rule = plan.rules[number].correlation, plan.rules[base]
    assert correlation is not None  # noqa: S101 - only correlations come here
    keys = {f"key_{at}": key for at, key in enumerate(correlation.group_by)}
    counted = {f"value_{at}": key for at, key in enumerate(correlation.counted)}
    told = [name for name, key in keys.items() if not correlation.alert_by or key.name in correlation.alert_by]
    select = f"""
    {number} AS number, {correlation.window_s}::BIGINT AS window_s, {correlation.threshold:.15g} AS threshold,
    {place} AS rule, {"inner_cause" if rule.correlation else "NULL::UBIGINT AS inner_cause"},
    {f"[{', '.join(keys)}]" if has_keys else "NULL"}::UBIGINT[] AS keys,
    hash({", ".join(keys) or "0"}) AS cause, hash({", ".join(told) or "0"}) AS alert, {_value([*counted])} AS value"""
    where = " AND ".join(f"{name} IS NOT NULL" for name, key in keys.items() if key.is_alias) or "TRUE"
    if rule.correlation:
        matches.add_rows(_moments(base, rule.correlation, place, keys | counted), select=select, where=where)
        return
    columns: dict[str, tuple[str, Form]] = {}
    for name, key in (keys | counted).items():
        field = find_field(key.fields[place])
        columns[name] = field.name, form_of(correlation, key, field)
    remembers = rule.first_seen or rule.unfinished
    among = f"SELECT event FROM remembered WHERE rule = {base}" if remembers else None  # noqa: S608 - a number
    matches.add(plan, rule, columns, select=select, where=where, among=among)


def _value(names: Sequence[str]) -> str:
    if len(names) <= 1:
        return names[0] if names else "NULL"
    return f"CASE WHEN coalesce({', '.join(names)}) IS NOT NULL THEN hash({', '.join(names)}) END"


def _moments(base: int, inner: Correlation, place: int, keys: Mapping[str, Key]) -> str:
    """The moments at which a correlation was fulfilled; those that follow each other closely count as one request."""
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
