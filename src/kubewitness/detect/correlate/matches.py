"""What rules of single events matched: rows of events, with what is kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.plan import Form, Table, mask_test

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubewitness.detect.plan import Plan, PlannedRule

LIVE = "outcome IN (1, 2)"
"""Condition on rows that count: events, each once."""

_DATED = f"happened_at IS NOT NULL AND {LIVE}"


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
        f" FROM staged JOIN kinds USING (kind) WHERE {where})"
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
    listed = "".join(f", {plan.kept(bit.table, *kept)} AS {name}" for name, kept in columns.items())
    event, rows = ("event", "candidates") if bit.table is Table.CANDIDATES else _EVENTS_OF_KINDS
    query = (
        f"SELECT {event}, request_key, happened_at{listed}"  # noqa: S608 - names of the plan
        f" FROM {rows} WHERE ({mask_test([bit])}) AND {_DATED}"
    )
    return _each(query, columns)


_EVENTS_OF_KINDS = "staged.rowid AS event", "staged JOIN kinds USING (kind)"


def _matched_kinds(plan: Plan, rule: PlannedRule, columns: Mapping[str, tuple[str, Form]]) -> str | None:
    """Query for the kinds that a rule matched: kind and named columns; None where kinds do not have all of them."""
    bit = rule.bit
    assert bit is not None  # noqa: S101 - only rules of single events come here
    kept = {name: plan.kept(bit.table, *each) for name, each in columns.items()}
    if bit.table is not Table.KINDS or not plan.kinds.columns.keys() >= set(kept.values()):
        return None
    listed = "".join(f", {column} AS {name}" for name, column in kept.items())
    return _each(f"SELECT kind{listed} FROM kinds WHERE {mask_test([bit])}", columns)  # noqa: S608 - names of the plan


def _each(query: str, columns: Mapping[str, tuple[str, Form]]) -> str:
    for name, (_, form) in columns.items():
        if form is Form.EACH:
            query = f"SELECT * REPLACE (unnest({name}) AS {name}) FROM ({query})"  # noqa: S608
    return query


CREATE_KIND_SIGHTS = f"""
-- One row per kind that has events: how many, the first of them, its row, and when the last one happened.
CREATE OR REPLACE TEMP TABLE kind_sights AS
SELECT
    kind, count(*) AS events, min({{'at': happened_at, 'request': request_key}}) AS first,
    arg_min(rowid, happened_at) AS event, max(happened_at) AS last_at
FROM staged WHERE kind IS NOT NULL AND {_DATED}
GROUP BY kind
"""  # noqa: S608 - constants of this module


CREATE_UNREAD = """
-- One row per event that stands for others of its kind, which are not in `staged`: how many of them have a time.
CREATE TEMP TABLE IF NOT EXISTS unread (event BIGINT, events BIGINT)
"""
ADD_UNREAD = """
UPDATE kind_sights SET events = kind_sights.events + others.events
FROM (SELECT kind, sum(unread.events) AS events FROM unread JOIN staged ON staged.rowid = event GROUP BY kind) AS others
WHERE others.kind = kind_sights.kind
"""


class Matches:
    """What several rules matched, with the same columns of each.

    What kinds say is asked of kinds, all of which are joined with their events at once.
    """

    def __init__(self) -> None:
        self._kinds: list[str] = []
        self._events: list[str] = []

    def add(
        self,
        plan: Plan,
        rule: PlannedRule,
        columns: Mapping[str, tuple[str, Form]],
        *,
        select: str,
        where: str = "TRUE",
        among: str | None = None,
    ) -> None:
        """Add what a rule of single events matched.

        Args:
            plan: the plan.
            rule: the rule.
            columns: name to field and form, as in `matched_rows`.
            select: what is wanted, in SQL over these columns.
            where: condition on them.
            among: query for those events of which the match counts; None when it counts of all.
        """
        kinds = None if among else _matched_kinds(plan, rule, columns)
        if kinds:
            self._kinds.append(f"SELECT kind, {select} FROM ({kinds}) WHERE {where}")  # noqa: S608 - of the plan
        else:
            counts = f"{where} AND event IN ({among})" if among else where
            self.add_rows(matched_rows(plan, rule, columns), select=select, where=counts)

    def add_rows(self, rows: str, *, select: str, where: str = "TRUE") -> None:
        """Add other rows of events that have `event`, `request_key`, `happened_at` and what is asked for."""
        self._events.append(f"SELECT event, request_key, happened_at, {select} FROM ({rows}) WHERE {where}")  # noqa: S608

    def rows(self, joined: str = "") -> str:
        """Query for event, request_key, happened_at and what was selected.

        Args:
            joined: a join that narrows what was selected, and may add columns.
        """
        parts: list[str] = []
        if self._kinds:
            parts.append(f"""
SELECT staged.rowid AS event, request_key, happened_at, matched.* EXCLUDE (kind)
FROM (SELECT * FROM ({_all(self._kinds)}) {joined}) AS matched JOIN staged USING (kind)
WHERE {_DATED}
""")  # noqa: S608 - made here
        if self._events:
            parts.append(f"SELECT * FROM ({_all(self._events)}) {joined}")  # noqa: S608 - made here
        return _all(parts)

    def sights(self) -> str:
        """Query for what was selected, with events, first (a time and a request), event and last_at as `kind_sights`.

        It has a row for each kind rather than for each event where kinds say all.
        """
        parts: list[str] = []
        if self._kinds:
            parts.append(f"""
SELECT matched.* EXCLUDE (kind), events, first, event, last_at
FROM ({_all(self._kinds)}) AS matched JOIN kind_sights USING (kind)
""")  # noqa: S608 - made here
        if self._events:
            parts.append(f"""
SELECT * EXCLUDE (event, request_key, happened_at), 1 AS events, {{'at': happened_at, 'request': request_key}} AS first,
    event, happened_at AS last_at
FROM ({_all(self._events)})
""")  # noqa: S608 - made here
        return _all(parts)


def _all(queries: list[str]) -> str:
    return " UNION ALL ".join(queries)
