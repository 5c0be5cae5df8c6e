"""Exceptions at work: which platform each cluster shows, and what is taken out of the answers of rules.

When everything is read, the bits of the rules are cleared of events for which an exception holds, so whatever comes
after (alerts, correlations, first seen) goes on without them, and what was cleared is counted.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.detect.correlate.matches import LIVE, rows_of
from kubewitness.detect.plan import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kubewitness.detect.plan import Bit, Plan

ANY = "any"
"""The platform whose exceptions hold in every cluster."""

CREATE_EXCEPTED = """
-- One row per exception, rule and kind or candidate (`place`): the rule matched it and the exception takes it out.
CREATE OR REPLACE TEMP TABLE excepted_kinds (exception INTEGER, rule INTEGER, place UBIGINT);
CREATE OR REPLACE TEMP TABLE excepted_candidates (exception INTEGER, rule INTEGER, place BIGINT)
"""

COUNT_EXCEPTED = f"""
-- One row per exception, and per exception and rule: number of requests.
SELECT exception, rule, count(DISTINCT request_key) AS requests
FROM (
    SELECT exception, rule, request_key, happened_at
    FROM excepted_kinds JOIN staged ON staged.kind = excepted_kinds.place WHERE {LIVE}
    UNION ALL
    SELECT exception, rule, request_key, happened_at
    FROM excepted_candidates JOIN staged ON staged.rowid = excepted_candidates.place WHERE {LIVE}
)
WHERE NOT list_contains($below::INTEGER[], rule)
    AND coalesce(happened_at >= $since::TIMESTAMP, TRUE)
    AND coalesce(happened_at < $until::TIMESTAMP, TRUE)
GROUP BY GROUPING SETS ((exception), (exception, rule))
"""  # noqa: S608 - constants of this project

_PLACES = {Table.KINDS: "kind", Table.CANDIDATES: "event"}


@dataclass(frozen=True, slots=True)
class Active:
    """Where an exception holds.

    Attributes:
        exception: its number in the plan.
        cluster_key: the cluster; None for events whose log does not say.
        everywhere: whether it holds in all of them.
    """

    exception: int
    cluster_key: int | None
    everywhere: bool


def signs_sql(plan: Plan) -> str:
    """Query for clusters: one row each, with its key, an event of it, and how many events show each platform."""
    counts = [f"count(*) FILTER ((signs & {1 << place}) <> 0)" for place in range(len(plan.platforms))]
    signs = ", signs" if plan.platforms else ""
    return (
        f"SELECT cluster_key, min(event), [{', '.join(counts)}] FROM {rows_of(Table.KINDS, f'cluster_key{signs}')}"  # noqa: S608 - numbers only
        f" WHERE {LIVE} GROUP BY cluster_key ORDER BY min(event)"
    )


def holding_sql(plan: Plan) -> list[tuple[Table, str]]:
    """Queries of one row about what exceptions hold of in a table: the bits of them and of rules, by column."""
    queries: list[tuple[Table, str]] = []
    for table in Table:
        own = {f"excepted_{bit.word}" for each in plan.exceptions for bit in each.bits if bit.table is table}
        if own:
            rules = {f"matched_{rule.bit.word}" for rule in plan.rules if rule.bit and rule.bit.table is table}
            listed = ", ".join(f"bit_or({column}) AS {column}" for column in sorted(own | rules))
            holds = " OR ".join(f"{column} <> 0" for column in sorted(own))
            queries.append((table, f"SELECT {listed} FROM {table} WHERE {holds}"))  # noqa: S608 - names made here
    return queries


def excepting_sql(
    plan: Plan, active: Sequence[Active], holding: Mapping[Table, Mapping[str, int | None]]
) -> Iterator[str]:
    """Statements that fill `excepted_kinds` and `excepted_candidates`, and clear the bits of the rules.

    Args:
        plan: with the exceptions.
        active: where they hold.
        holding: the answers of `holding_sql`: most exceptions hold of nothing in most logs, and of few rules' matches.
    """
    yield CREATE_EXCEPTED
    pairs: dict[tuple[Table, int, int], list[tuple[int | str, ...]]] = defaultdict(list)
    cleared: dict[tuple[Table, int], dict[int, int]] = defaultdict(dict)
    for each in active:
        exception = plan.exceptions[each.exception]
        where = ("TRUE" if each.everywhere else "FALSE", "NULL" if each.cluster_key is None else each.cluster_key)
        for rule, _ in exception.rules:
            bit = plan.rules[rule].bit
            own = next((own for own in exception.bits if bit and own.table is bit.table), None)
            if bit and own and _hold_together(holding[own.table], own, bit):
                pairs[bit.table, own.word, bit.word].append((each.exception, own.mask, rule, bit.mask, *where))
                cleared[bit.table, bit.word][rule] = bit.mask
    for (table, word, matched), rows in pairs.items():
        yield from _take_out(table, word, matched, rows)
    for (table, word), bits in cleared.items():
        yield _clear(table, word, bits)


def _hold_together(held: Mapping[str, int | None], exception: Bit, rule: Bit) -> bool:
    """Whether both an exception and a rule hold of anything that exceptions hold of."""
    excepted, matched = held[f"excepted_{exception.word}"] or 0, held[f"matched_{rule.word}"] or 0
    return bool(excepted & exception.mask and matched & rule.mask)


def _take_out(table: Table, word: int, matched: int, pairs: Sequence[tuple[int | str, ...]]) -> Iterator[str]:
    """Statements that note what exceptions take out of one word of answers.

    Both sides of the join are tables of their own: over joins of joins the engine (DuckDB 2.0) fails an assertion.
    """
    values = ", ".join(f"({', '.join(map(str, pair))})" for pair in pairs)
    yield f"""
CREATE OR REPLACE TEMP TABLE exception_pairs AS
SELECT
    exception::INTEGER AS exception, mask::BIGINT AS mask, rule::INTEGER AS rule, bit::BIGINT AS bit, everywhere,
    cluster_key::UBIGINT AS cluster_key
FROM (VALUES {values}) AS pairs (exception, mask, rule, bit, everywhere, cluster_key)
"""  # noqa: S608 - numbers only
    yield f"""
INSERT INTO excepted_{table}
SELECT exception, rule, {_PLACES[table]}
FROM {table} JOIN exception_pairs
    ON ({table}.excepted_{word} & exception_pairs.mask) <> 0
    AND ({table}.matched_{matched} & exception_pairs.bit) <> 0
    AND (exception_pairs.everywhere OR exception_pairs.cluster_key IS NOT DISTINCT FROM {table}.cluster_key)
WHERE {table}.excepted_{word} <> 0
"""  # noqa: S608 - numbers only


def _clear(table: Table, word: int, bits: dict[int, int]) -> str:
    values = ", ".join(f"({rule}, {mask}::BIGINT)" for rule, mask in bits.items())
    return f"""
UPDATE {table} SET matched_{word} = matched_{word} & ~cleared.mask
FROM (
    SELECT place, bit_or(bits.mask) AS mask
    FROM excepted_{table} JOIN (VALUES {values}) AS bits (rule, mask) USING (rule)
    GROUP BY ALL
) AS cleared
WHERE {table}.{_PLACES[table]} = cleared.place
"""  # noqa: S608 - numbers only
