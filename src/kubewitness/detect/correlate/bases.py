"""The rows that such rules work on: events that base rules matched, with what is kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.plan import Table, mask_test
from kubewitness.query.fields import Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.detect.plan import Plan

LIVE = "outcome IN (1, 2) AND event NOT IN (SELECT event FROM duplicates)"
"""Condition on rows that count: events, each once."""

ROWS = {
    Table.STAGED: "(SELECT rowid AS event, * FROM staged)",
    # The n-th row of candidates is of the event that the n-th row of candidate_rows names.
    Table.CANDIDATES: "(SELECT candidate_rows.event, candidates.* FROM candidates"
    " JOIN candidate_rows ON candidate_rows.rowid = candidates.rowid)",
}
"""Rows of each table, with the event that they are of."""


def base_rows(plan: Plan, rules: Sequence[str], columns: dict[str, Sequence[Field] | Field]) -> str:
    """Query for the events that base rules matched: event, request_key, happened_at and named columns.

    Args:
        plan: the plan.
        rules: ids of the base rules.
        columns: name to a field, for its hash or null, or to several, for the hash of them all, which is never null.
    """
    queries = []
    for table in Table:
        own = [plan.bit(rule) for rule in rules if plan.bit(rule).table is table]
        if not own:
            continue
        listed = "".join(f", {_value(plan, table, fields)} AS {name}" for name, fields in columns.items())
        queries.append(
            f"SELECT event, request_key, happened_at{listed} FROM {ROWS[table]}"  # noqa: S608 - names of the plan
            f" WHERE ({mask_test(own)}) AND happened_at IS NOT NULL AND {LIVE}"
        )
    return " UNION ALL ".join(queries)


def _value(plan: Plan, table: Table, fields: Sequence[Field] | Field) -> str:
    if isinstance(fields, Field):
        return plan.kept(table, fields.name)
    # What is absent together belongs together: this key is never null.
    return f"hash({', '.join(plan.kept(table, field.name) for field in fields) or '0'})"
