"""Rules that match together or one after the other, with alternatives and with rules that must not match.

A sequence is a request for each rule, each at or after the one before it and another one, with no more than the window
between the first and the last. Of all sequences through a row, the shortest one consists of the latest first request
that leads to it and of the earliest last one that it leads to: so two walks over the rows find every row that is part
of some sequence.

All correlations are asked together. Each alternative of each of them is an attempt of its own, which wants one rule at
each of its steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubewitness.detect.rule import Correlation

_Named = tuple[str, str]
_ATTEMPT = "number, attempt, cause"
_WINDOW = "to_seconds(window_s)"


def one_by_one(base: str, correlations: Mapping[int, Correlation]) -> str:
    """Query like `windows`, for rules that match one after the other.

    Args:
        base: `base_rows` of the correlations.
        correlations: by number.
    """
    longest = max(len(each.wanted) for correlation in correlations.values() for each in correlation.alternatives)
    return _answered([*_attempts(base, correlations), *_walks(longest)])


def together(base: str, correlations: Mapping[int, Correlation]) -> str:
    """Query like `windows`, for rules that match in the same window; its arguments are those of `one_by_one`."""
    judged = f"""
SELECT *, step IS NOT NULL AND is_undisturbed AND count(DISTINCT step) OVER (
    PARTITION BY {_ATTEMPT} ORDER BY happened_at RANGE BETWEEN {_WINDOW} PRECEDING AND CURRENT ROW
) > last AS is_moment
FROM tried
"""  # noqa: S608 - constants of this module
    members = f"""
SELECT id, is_moment
FROM (
    SELECT *, bool_or(is_moment) OVER (
        PARTITION BY {_ATTEMPT} ORDER BY happened_at RANGE BETWEEN CURRENT ROW AND {_WINDOW} FOLLOWING
    ) AS is_inside
    FROM judged WHERE step IS NOT NULL
)
WHERE is_inside
"""  # noqa: S608 - constants of this module
    return _answered([*_attempts(base, correlations), ("judged", judged), ("members", members)])


def _answered(named: Iterable[_Named]) -> str:
    """Query for the rows of `base` that are `members`."""
    listed = ",\n".join(f"{name} AS MATERIALIZED ({query})" for name, query in named)
    return f"""
WITH {listed},
answers AS (SELECT id, bool_or(is_moment) AS is_moment FROM members GROUP BY id)
SELECT base.*, answers.is_moment FROM base JOIN answers USING (id)
"""  # noqa: S608 - names made here


def _attempts(base: str, correlations: Mapping[int, Correlation]) -> Iterator[_Named]:
    """`base`, and `tried`: its rows for each attempt that looks at them, where all that it wants matched at some time.

    `step` is the place among what is wanted, null for what is unwanted; `last` is that of the last one.
    """
    roles = [
        (number, attempt, len(alternative.wanted) - 1, place, step)
        for number, correlation in correlations.items()
        for attempt, alternative in enumerate(correlation.alternatives)
        for places, steps in (
            (alternative.wanted, range(len(alternative.wanted))),
            (alternative.unwanted, ["NULL"] * len(alternative.unwanted)),
        )
        for place, step in zip(places, steps, strict=True)
    ]
    listed = ", ".join(f"({', '.join(map(str, role))})" for role in roles)
    yield "base", f"SELECT *, row_number() OVER () AS id FROM ({base})"  # noqa: S608 - a query of this project
    yield (
        "attempts",
        f"""
SELECT number, attempt, cause, id, request_key, happened_at, window_s, last, step::INTEGER AS step
FROM base JOIN (VALUES {listed}) AS roles (number, attempt, last, rule, step) USING (number, rule)
""",  # noqa: S608 - numbers only
    )
    # No unwanted rule matched within a window before or behind it.
    is_undisturbed = f"""count(*) FILTER (step IS NULL) OVER (
    PARTITION BY {_ATTEMPT} ORDER BY happened_at RANGE BETWEEN {_WINDOW} PRECEDING AND {_WINDOW} FOLLOWING
) = 0"""
    has_unwanted = any(each.unwanted for correlation in correlations.values() for each in correlation.alternatives)
    yield (
        "tried",
        f"""
SELECT *, {is_undisturbed if has_unwanted else "TRUE"} AS is_undisturbed
FROM attempts
SEMI JOIN (SELECT {_ATTEMPT} FROM attempts GROUP BY ALL HAVING count(DISTINCT step) > any_value(last)) AS possible
    USING ({_ATTEMPT})
""",  # noqa: S608 - constants of this module
    )


def _walks(longest: int) -> Iterator[_Named]:
    """`members`: rows of attempts that are part of a sequence.

    Args:
        longest: number of steps of the longest attempt.
    """
    for step in range(longest):
        own = f"SELECT * FROM tried WHERE step = {step} AND (last > step OR is_undisturbed)"  # noqa: S608 - a number
        if step == 0:
            yield "to_0", f"SELECT *, happened_at AS began_at FROM ({own})"  # noqa: S608
            continue
        found = _best(f"to_{step - 1}", "began_at", own, "max", "UNBOUNDED PRECEDING AND CURRENT ROW")
        yield f"to_{step}", f"SELECT * FROM ({found}) WHERE happened_at - began_at <= {_WINDOW}"  # noqa: S608
    for step in reversed(range(longest)):
        ending = f"SELECT *, happened_at AS ends_at FROM to_{step} WHERE last = {step}"  # noqa: S608 - a number
        if step == longest - 1:
            yield f"from_{step}", ending
            continue
        own = f"SELECT * FROM to_{step} WHERE last > {step}"  # noqa: S608 - a number
        found = _best(f"from_{step + 1}", "ends_at", own, "min", "CURRENT ROW AND UNBOUNDED FOLLOWING")
        yield (
            f"from_{step}",
            f"{ending} UNION ALL BY NAME SELECT * FROM ({found}) WHERE ends_at - began_at <= {_WINDOW}",  # noqa: S608
        )
    parts = [f"SELECT id, last = step AS is_moment FROM from_{step}" for step in range(longest)]  # noqa: S608 - a number
    yield "members", " UNION ALL ".join(parts)


def _best(others: str, column: str, own: str, aggregate: str, frame: str) -> str:
    """Rows of `own` with the best value of a column that rows of `others` in the frame have, but for the same request.

    Of the two best ones at least one is of another request, as each request is there once at a time.
    """
    return f"""
SELECT * EXCLUDE (best, is_other, other_value, other_request),
    list_filter(best, lambda one: one.request <> request_key)[1].value AS {column}
FROM (
    SELECT *, {aggregate}({{'value': other_value, 'request': other_request}}, 2) FILTER (is_other) OVER (
        PARTITION BY {_ATTEMPT} ORDER BY happened_at RANGE BETWEEN {frame}
    ) AS best
    FROM (
        SELECT *, NULL::TIMESTAMP AS other_value, NULL::UBIGINT AS other_request, FALSE AS is_other FROM ({own})
        UNION ALL BY NAME
        SELECT DISTINCT {_ATTEMPT}, happened_at, {column} AS other_value, request_key AS other_request,
            TRUE AS is_other
        FROM {others}
    )
)
WHERE NOT is_other AND {column} IS NOT NULL
"""  # noqa: S608 - names made here
