"""The passes over candidates: over their heads, which the first pass kept, and over bodies, which are read again."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from kubewitness.query.engine import EngineError
from kubewitness.query.reading import events_query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.app.evidence import Evidence
    from kubewitness.app.parts import Span
    from kubewitness.app.reading import Reading
    from kubewitness.detect.plan import Pass, Plan
    from kubewitness.query.engine import Engine

_BATCH_ROWS = 200_000

_HEADS = """
-- One row per different head of the rows from $first to $end that have a gate, with the rows that it is of; no bodies.
SELECT
    events,
    NULL::JSON AS response_object,
    NULL::JSON AS annotations,
    NULL::JSON AS authentication_metadata,
    FALSE AS truncated,
    unnest(head, max_depth := 2)
FROM (
    SELECT head, list(rowid) AS events
    FROM staged
    WHERE rowid >= $first AND rowid < $end AND head IS NOT NULL
    GROUP BY head
)
"""

_INSERT_HEADS = """
-- One row per event: of its head what has been said of it, of itself what the first pass found out.
INSERT INTO heads BY NAME
SELECT said.*, staged.outcome, staged.happened_at, staged.cluster_key, staged.request_key
FROM (SELECT unnest(events) AS event, * EXCLUDE (events) FROM ({judged})) AS said
JOIN staged ON staged.rowid = said.event
"""


class Candidates:
    """Asks the rules that lie behind the gate, about rows that have just been read.

    Args:
        engine: where `staged` is; gets the tables `heads`, `candidates` and `candidate_rows`.
        plan: whose first pass fills `staged`.
        reading: that fills it.
        evidence: to read events again.

    Attributes:
        unjudged: rows that could not be read again.
    """

    def __init__(self, engine: Engine, plan: Plan, reading: Reading, evidence: Evidence) -> None:
        self._engine = engine
        self._plan = plan
        self._reading = reading
        self._evidence = evidence
        self.unjudged = 0
        engine.run(plan.heads.create_sql)
        engine.run(plan.second.create_sql)
        engine.run("CREATE TABLE candidate_rows (event BIGINT)")

    def judge(self, spans: Sequence[Span]) -> None:
        """Judge the events of these spans, which are of one shape and cluster and follow each other."""
        end = spans[-1].first_row + spans[-1].lines.records
        within = {"first": spans[0].first_row, "end": end}
        gates = self._gates(self._plan.heads, "staged", "rowid", within)
        if not any(gates):
            return
        self._judge_heads(gates, within)
        gates = self._gates(self._plan.second, "heads", "event", within)
        if not any(gates):
            return
        has_gate = " OR ".join(f"{word} <> 0" for word in self._plan.second.gate_words)
        rows = self._engine.run(
            f"SELECT event FROM heads WHERE ({has_gate}) AND event >= $first AND event < $end ORDER BY event",  # noqa: S608
            within,
        )
        above = self._plan.second.judging(gates)
        for start in range(0, len(rows), _BATCH_ROWS):
            self._judge_bodies([row for (row,) in rows[start : start + _BATCH_ROWS]], above)

    def finish(self) -> None:
        """Give back the memory of what nobody needs after the last part."""
        if "head" in self._plan.first.columns:
            self._engine.run("ALTER TABLE staged DROP COLUMN head")

    def _gates(self, query: Pass, table: str, row: str, within: dict[str, int]) -> list[int]:
        """The groups of a pass that occur among these rows of the pass before it, as bits."""
        if not query.groups:
            return []
        found = ", ".join(f"coalesce(bit_or({word}), 0)" for word in query.gate_words)
        sql = f"SELECT {found} FROM {table} WHERE {row} >= $first AND {row} < $end"  # noqa: S608 - names of the plan
        ((*gates,),) = self._engine.run(sql, within)
        return gates

    def _judge_heads(self, gates: list[int], within: dict[str, int]) -> None:
        query = self._plan.heads
        judged = events_query(_HEADS, query.select, above=query.judging(gates))
        self._engine.run(_INSERT_HEADS.format(judged=judged), within)

    def _judge_bodies(self, rows: list[int], above: Sequence[tuple[str, str]]) -> None:
        by_span = groupby(rows, key=self._reading.span)
        copied = self._evidence.copy([(span, list(members)) for span, members in by_span])
        query = copied.query(self._plan.second.select, above)
        try:
            read = self._engine.run(f"INSERT INTO candidates BY NAME {query.sql}", query.parameters)
        except EngineError:
            read = []
        if read == [(len(copied.rows),)]:
            self._engine.run("INSERT INTO candidate_rows SELECT unnest($rows)", {"rows": copied.rows})
            self.unjudged += len(rows) - len(copied.rows)
            return
        if read:  # nobody can say which row is which
            self._engine.run("INSERT INTO candidate_rows SELECT NULL FROM range($count)", {"count": read[0][0]})
        if len(rows) > 1:
            middle = len(rows) // 2
            self._judge_bodies(rows[:middle], above)
            self._judge_bodies(rows[middle:], above)
        else:
            self.unjudged += 1
