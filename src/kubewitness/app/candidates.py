"""The second pass: candidates read again, bodies and all."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from kubewitness.query.engine import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.app.evidence import Evidence
    from kubewitness.app.parts import Span
    from kubewitness.app.reading import Reading
    from kubewitness.detect.plan import Pass
    from kubewitness.query.engine import Engine

_BATCH_ROWS = 200_000


class SecondPass:
    """Judges the candidates among rows that have just been read.

    Args:
        engine: where `staged` is; gets the tables `candidates` and `candidate_rows`.
        query: the pass.
        reading: that fills `staged`.
        evidence: to read them again.

    Attributes:
        unjudged: rows that could not be read again.
    """

    def __init__(self, engine: Engine, query: Pass, reading: Reading, evidence: Evidence) -> None:
        self._engine = engine
        self._query = query
        self._reading = reading
        self._evidence = evidence
        self.unjudged = 0
        engine.run(query.create_sql)
        engine.run("CREATE TABLE candidate_rows (event BIGINT)")

    def judge(self, spans: Sequence[Span]) -> None:
        """Judge the candidates of these spans, which are of one shape and cluster and follow each other."""
        end = spans[-1].first_row + spans[-1].lines.records
        rows = self._engine.run(
            "SELECT rowid FROM staged WHERE is_candidate AND rowid >= $first AND rowid < $end ORDER BY rowid",
            {"first": spans[0].first_row, "end": end},
        )
        for start in range(0, len(rows), _BATCH_ROWS):
            self._judge([row for (row,) in rows[start : start + _BATCH_ROWS]])

    def _judge(self, rows: list[int]) -> None:
        by_span = groupby(rows, key=self._reading.span)
        copied = self._evidence.copy([(span, list(members)) for span, members in by_span])
        query = copied.query(self._query.select, self._query.above)
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
            self._judge(rows[:middle])
            self._judge(rows[middle:])
        else:
            self.unjudged += 1
