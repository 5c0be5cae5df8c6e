"""Rules that match together or one after the other, with alternatives and with rules that must not match.

A sequence is a request for each rule, each at or after the one before it and another one, with no more than the window
between the first and the last. Of all sequences through a row, the shortest one consists of the latest first request
that leads to it and of the earliest last one that it leads to: so two walks over the rows find every row that is part
of some sequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.correlate.bases import base_rows
from kubewitness.detect.rule import CorrelationKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubewitness.detect.plan import Plan
    from kubewitness.detect.rule import Alternative, Correlation

_Named = tuple[str, str]


def sequences(plan: Plan, correlation: Correlation) -> str:
    """Query like `windows`, for correlations with alternatives."""
    is_ordered = correlation.kind is CorrelationKind.ORDERED
    named: list[_Named] = [
        ("base", f"SELECT *, row_number() OVER () AS id FROM ({base_rows(plan, correlation)})"),  # noqa: S608
    ]
    answers: list[str] = []
    for number, alternative in enumerate(correlation.alternatives):
        prefix = f"alternative_{number}"
        named += (_in_order if is_ordered else _together)(prefix, alternative, correlation.window_s)
        answers.append(f"SELECT id, is_moment FROM {prefix}")  # noqa: S608 - a name made here
    listed = ",\n".join(f"{name} AS MATERIALIZED ({query})" for name, query in named)
    return f"""
WITH {listed},
answers AS (SELECT id, bool_or(is_moment) AS is_moment FROM ({" UNION ALL ".join(answers)}) GROUP BY id)
SELECT base.* EXCLUDE (id), answers.is_moment FROM base JOIN answers USING (id)
"""  # noqa: S608 - names made here


def _possible(wanted: Sequence[int]) -> str:
    """Causes for which every wanted rule matched at some time."""
    every = " AND ".join(f"bool_or(rule = {place})" for place in dict.fromkeys(wanted))
    return f"SELECT cause FROM base GROUP BY cause HAVING {every}"  # noqa: S608 - numbers only


def _listed(places: Sequence[int]) -> str:
    return ", ".join(map(str, dict.fromkeys(places)))


def _undisturbed(alternative: Alternative, window_s: int) -> str:
    """Condition on a row of the base: no unwanted rule matched within a window before or behind it."""
    if not alternative.unwanted:
        return "TRUE"
    window = f"INTERVAL {window_s} SECOND"
    return (
        f"count(*) FILTER (rule IN ({_listed(alternative.unwanted)})) OVER (PARTITION BY cause ORDER BY happened_at"
        f" RANGE BETWEEN {window} PRECEDING AND {window} FOLLOWING) = 0"
    )


def _together(prefix: str, alternative: Alternative, window_s: int) -> Iterator[_Named]:
    window = f"INTERVAL {window_s} SECOND"
    before = f"OVER (PARTITION BY cause ORDER BY happened_at RANGE BETWEEN {window} PRECEDING AND CURRENT ROW)"
    every = " AND ".join(
        f"count(*) FILTER (rule = {place}) {before} > 0" for place in dict.fromkeys(alternative.wanted)
    )
    wanted = f"rule IN ({_listed(alternative.wanted)})"
    yield (
        f"{prefix}_judged",
        f"""
SELECT *, {wanted} AND {every} AND {_undisturbed(alternative, window_s)} AS is_moment
FROM base WHERE cause IN ({_possible(alternative.wanted)})
""",  # noqa: S608 - numbers only
    )
    yield (
        prefix,
        f"""
SELECT id, is_moment FROM (
    SELECT *, bool_or(is_moment) OVER (
        PARTITION BY cause ORDER BY happened_at RANGE BETWEEN CURRENT ROW AND {window} FOLLOWING
    ) AS is_inside
    FROM {prefix}_judged WHERE {wanted}
)
WHERE is_inside
""",  # noqa: S608 - numbers and names made here
    )


def _in_order(prefix: str, alternative: Alternative, window_s: int) -> Iterator[_Named]:
    window = f"INTERVAL {window_s} SECOND"
    last = len(alternative.wanted) - 1
    yield (
        f"{prefix}_rows",
        f"""
SELECT id, rule, cause, request_key, happened_at, {_undisturbed(alternative, window_s)} AS is_undisturbed
FROM base WHERE cause IN ({_possible(alternative.wanted)})
""",  # noqa: S608 - numbers only
    )
    for step, place in enumerate(alternative.wanted):
        own = f"SELECT * FROM {prefix}_rows WHERE rule = {place}"  # noqa: S608
        if step == last:
            own += " AND is_undisturbed"
        if step == 0:
            yield f"{prefix}_to_0", f"SELECT *, happened_at AS began_at FROM ({own})"  # noqa: S608
            continue
        found = _best(f"{prefix}_to_{step - 1}", "began_at", own, "max", "UNBOUNDED PRECEDING AND CURRENT ROW")
        yield (
            f"{prefix}_to_{step}",
            f"SELECT * FROM ({found}) WHERE happened_at - began_at <= {window}",  # noqa: S608
        )
    yield f"{prefix}_from_{last}", f"SELECT *, happened_at AS ends_at FROM {prefix}_to_{last}"  # noqa: S608
    for step in reversed(range(last)):
        own = f"SELECT * FROM {prefix}_to_{step}"  # noqa: S608
        found = _best(f"{prefix}_from_{step + 1}", "ends_at", own, "min", "CURRENT ROW AND UNBOUNDED FOLLOWING")
        yield (
            f"{prefix}_from_{step}",
            f"SELECT * FROM ({found}) WHERE ends_at - began_at <= {window}",  # noqa: S608
        )
    members = [
        f"SELECT id, {'TRUE' if step == last else 'FALSE'} AS is_moment FROM {prefix}_from_{step}"  # noqa: S608
        for step in range(last + 1)
    ]
    yield prefix, " UNION ALL ".join(members)


def _best(others: str, column: str, own: str, aggregate: str, frame: str) -> str:
    """Rows of `own` with the best value of a column that rows of `others` in the frame have, but for the same request.

    Of the two best ones at least one is of another request, as each request is there once at a time.
    """
    return f"""
SELECT * EXCLUDE (best, is_other, other_value, other_request),
    list_filter(best, lambda one: one.request <> request_key)[1].value AS {column}
FROM (
    SELECT *, {aggregate}({{'value': other_value, 'request': other_request}}, 2) FILTER (is_other) OVER (
        PARTITION BY cause ORDER BY happened_at RANGE BETWEEN {frame}
    ) AS best
    FROM (
        SELECT *, NULL::TIMESTAMP AS other_value, NULL::UBIGINT AS other_request, FALSE AS is_other FROM ({own})
        UNION ALL BY NAME
        SELECT DISTINCT cause, happened_at, {column} AS other_value, request_key AS other_request, TRUE AS is_other
        FROM {others}
    )
)
WHERE NOT is_other AND {column} IS NOT NULL
"""  # noqa: S608 - names made here
