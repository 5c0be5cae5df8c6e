"""Correlations in turn: first those that look at single events, then those that look at others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubewitness.detect.correlate.bases import base_rows
from kubewitness.detect.correlate.sequences import one_by_one, together
from kubewitness.detect.correlate.windows import measure_of, windows
from kubewitness.detect.linking import in_order
from kubewitness.detect.rule import Comparison, CorrelationKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from kubewitness.detect.correlate.windows import Measure
    from kubewitness.detect.plan import Plan
    from kubewitness.detect.rule import Correlation

Run = Callable[[str], list[tuple[Any, ...]]]
"""Carries out a statement of the engine and gives its rows."""

CREATE_CORRELATED = """
-- One row per correlation (`number`) and row of its `base_rows` that is part of what it looks for.
CREATE OR REPLACE TEMP TABLE correlated (
    number INTEGER, rule INTEGER, event BIGINT, request_key UBIGINT, happened_at TIMESTAMP, inner_cause UBIGINT,
    keys UBIGINT[], cause UBIGINT, alert UBIGINT, is_moment BOOLEAN
);
-- One row per correlation, event behind it and cause.
CREATE OR REPLACE TEMP TABLE members (
    number INTEGER, event BIGINT, cause UBIGINT, alert UBIGINT, happened_at TIMESTAMP
)
"""
_COLUMNS = "number, rule, event, request_key, happened_at, inner_cause, keys, cause, alert, is_moment"


def correlate(run: Run, plan: Plan, found: set[int]) -> None:
    """Fill `hits` with what correlations find.

    Args:
        run: carries out a statement.
        plan: the plan.
        found: numbers of rules of single events that found something.
    """
    run(CREATE_CORRELATED)
    for level in _levels(plan):
        possible = {
            number: correlation
            for number, correlation in level.items()
            if _is_possible(plan, number, correlation, found)
        }
        for query in _queries(plan, possible, found):
            run(f"INSERT INTO correlated SELECT {_COLUMNS} FROM ({query})")  # noqa: S608 - names made here
        fulfilled = {number for (number,) in run("SELECT DISTINCT number FROM correlated")} & possible.keys()
        if fulfilled:
            run(_members(plan, sorted(fulfilled)))
        if alerting := [str(number) for number in sorted(fulfilled) if plan.rules[number].alerts]:
            run(f"""
INSERT INTO hits
SELECT DISTINCT number, event, alert FROM members WHERE number IN ({", ".join(alerting)})
""")  # noqa: S608 - numbers only
        found = found | fulfilled


def _levels(plan: Plan) -> list[dict[int, Correlation]]:
    """Correlations by number, each behind those that it looks at itself."""
    depths: dict[int, int] = {}
    levels: dict[int, dict[int, Correlation]] = defaultdict(dict)
    for rule in in_order(plan.rules):
        number = plan.number(rule.info.id)
        depths[number] = max((depths.get(base, -1) for base in plan.bases(number)), default=-1) + 1
        if rule.correlation:
            levels[depths[number]][number] = rule.correlation
    return [levels[depth] for depth in sorted(levels)]


def _is_possible(plan: Plan, number: int, correlation: Correlation, found: Collection[int]) -> bool:
    """Whether a correlation can find anything when only these rules did."""
    bases = plan.bases(number)
    places = {place for place, base in enumerate(bases) if base in found}
    if correlation.alternatives:
        return any(places.issuperset(each.wanted) for each in correlation.alternatives)
    if correlation.kind is CorrelationKind.TEMPORAL and correlation.comparison is Comparison.GREATER_OR_EQUAL:
        return len(places) >= correlation.threshold
    return bool(places)


def _queries(plan: Plan, correlations: dict[int, Correlation], found: Collection[int]) -> Iterator[str]:
    measures: dict[Measure, list[int]] = defaultdict(list)
    sequences: dict[bool, dict[int, Correlation]] = defaultdict(dict)
    for number, correlation in correlations.items():
        if correlation.alternatives:
            sequences[correlation.kind is CorrelationKind.ORDERED][number] = correlation
        else:
            measures[measure_of(correlation)].append(number)
    for measure, numbers in measures.items():
        yield windows(base_rows(plan, numbers, found), measure)
    for is_ordered, several in sequences.items():
        yield (one_by_one if is_ordered else together)(base_rows(plan, several, found), several)


def _members(plan: Plan, numbers: Sequence[int]) -> str:
    """Statement that fills `members` with the events behind correlations; those that they look at have theirs."""
    listed = ", ".join(map(str, numbers))
    parts = [
        f"""
SELECT number, event, cause, alert, happened_at FROM correlated WHERE inner_cause IS NULL AND number IN ({listed})
"""  # noqa: S608 - numbers only
    ]
    bases = [
        f"({number}, {place}, {base}, {inner.window_s})"
        for number in numbers
        for place, base in enumerate(plan.bases(number))
        if (inner := plan.rules[base].correlation)
    ]
    if bases:
        parts.append(f"""
SELECT found.number, own.event, found.cause, found.alert, own.happened_at
FROM correlated AS found
JOIN (VALUES {", ".join(bases)}) AS bases (number, rule, base, window_s) USING (number, rule)
JOIN members AS own
    ON own.number = bases.base AND own.cause = found.inner_cause AND own.happened_at <= found.happened_at
    AND own.happened_at >= found.happened_at - to_seconds(bases.window_s)
""")  # noqa: S608 - numbers only
    return f"INSERT INTO members SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)})"  # noqa: S608 - made here
