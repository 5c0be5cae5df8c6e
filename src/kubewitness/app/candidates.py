"""What follows the sketch of some events: their new kinds are judged, then the events for which a rule is open.

Both are read again from where they stand: of a kind one event, its representative.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from kubewitness.query.engine import EngineError
from kubewitness.query.needs import ABSENT
from kubewitness.query.reading import events_query

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubewitness.app.evidence import Evidence
    from kubewitness.app.parts import Span
    from kubewitness.app.readings import Reading
    from kubewitness.detect.plan import Group, Plan
    from kubewitness.query.engine import Engine

_BATCH_ROWS = 200_000

_NEW_KINDS = """
-- The first event of each kind that only the rows from $first to $end have.
SELECT min(rowid) FROM staged
WHERE rowid >= $first AND rowid < $end AND kind IS NOT NULL AND kind NOT IN (SELECT kind FROM kinds)
GROUP BY kind ORDER BY 1
"""
_REQUESTS = """
-- What the representatives in `again` ask for.
SELECT DISTINCT verb, resource, subresource FROM again
"""
_OPEN = """
-- The rows from $first to $end that belong to a kind for which a rule is open.
SELECT staged.rowid FROM staged JOIN kinds USING (kind)
WHERE staged.rowid >= $first AND staged.rowid < $end AND ({is_open})
ORDER BY 1
"""
_UNJUDGED = """
-- How many events are of kinds that nobody could judge.
SELECT count(*) FROM staged WHERE kind IS NOT NULL AND kind NOT IN (SELECT kind FROM kinds)
"""
_INSERT_KINDS = """
-- One row per kind, in the order of `again`.
INSERT INTO kinds BY NAME
SELECT staged.kind, rows.event, judged.* EXCLUDE (place)
FROM (SELECT *, row_number() OVER () - 1 AS place FROM ({judged})) AS judged
JOIN (SELECT unnest($rows) AS event, unnest(range(len($rows))) AS place) AS rows USING (place)
JOIN staged ON staged.rowid = rows.event
"""
_INSERT_CANDIDATES = """
-- One row per candidate: what was left to ask, where its kind says that the rule is open.
INSERT INTO candidates BY NAME
SELECT
    rows.event, staged.outcome, staged.happened_at, staged.request_key, kinds.cluster_key, kinds.actor_key,
    again.* REPLACE ({answers})
FROM again
JOIN (SELECT unnest($rows) AS event, unnest(range(len($rows))) AS place) AS rows ON rows.place = again.rowid
JOIN staged ON staged.rowid = rows.event
JOIN kinds USING (kind)
"""


class Candidates:
    """Judges events whose sketches have just been made.

    Args:
        engine: where `staged` is; gets the tables `kinds` and `candidates`.
        plan: whose sketch fills `staged`.
        reading: that fills it.
        evidence: to read events again.

    """

    def __init__(self, engine: Engine, plan: Plan, reading: Reading, evidence: Evidence) -> None:
        self._engine = engine
        self._plan = plan
        self._reading = reading
        self._evidence = evidence
        self._lost = 0
        engine.run(plan.kinds.create_sql)
        engine.run(plan.candidates.create_sql)

    def judge(self, spans: Sequence[Span]) -> None:
        """Judge the events of these spans, which are of one shape and cluster and follow each other."""
        within = {"first": spans[0].first_row, "end": spans[-1].first_row + spans[-1].lines.records}
        for rows in self._batches(_NEW_KINDS, within):
            self._judge_kinds(rows)
        for rows in self._batches(_OPEN.format(is_open=is_open(self._plan)), within):
            self._judge_candidates(rows)

    def count_unjudged(self) -> int:
        """Number of events that could not be read again, nor another one of their kind."""
        ((unjudged,),) = self._engine.run(_UNJUDGED)
        return self._lost + int(unjudged)

    def _batches(self, sql: str, within: dict[str, int]) -> Iterator[list[int]]:
        rows = [row for (row,) in self._engine.run(sql, within)]
        return (rows[start : start + _BATCH_ROWS] for start in range(0, len(rows), _BATCH_ROWS))

    def _judge_kinds(self, rows: list[int]) -> None:
        listed = ", ".join(f"{sql} AS {name}" for name, sql in self._plan.decoded.items())
        query = self._plan.kinds
        for found in self._read_again(rows, f"SELECT {listed} FROM decoded"):  # noqa: S608 - of the plan
            met = {tuple(value or ABSENT for value in row) for row in self._engine.run(_REQUESTS)}
            groups = [group for group in query.groups if _is_met(group, met)]
            judged = events_query("SELECT * FROM again", query.select, above=query.judging(groups))
            self._engine.run(_INSERT_KINDS.format(judged=judged), {"rows": found})

    def _judge_candidates(self, rows: list[int]) -> None:
        above = asking_what_is_open(self._engine, self._plan)
        insert = _INSERT_CANDIDATES.format(answers=answers_of_candidates(self._plan))
        self._lost += len(rows)
        for found in self._read_again(rows, self._plan.candidates.select, above):
            self._engine.run(insert, {"rows": found})
            self._lost -= len(found)

    def _read_again(self, rows: list[int], select: str, above: Sequence[tuple[str, str]] = ()) -> Iterator[list[int]]:
        """Fill the table `again`, once or in turns, from rows of `staged`; yields the rows that it has, in order."""
        by_span = groupby(rows, key=self._reading.span)
        copied = self._evidence.copy([(span, list(members)) for span, members in by_span])
        query = copied.query(select, above)
        try:
            ((count,),) = self._engine.run(f"CREATE OR REPLACE TEMP TABLE again AS {query.sql}", query.parameters)
        except EngineError:
            count = -1
        if count == len(copied.rows):  # else nobody can say which row is which
            yield copied.rows
        elif len(rows) > 1:
            middle = len(rows) // 2
            yield from self._read_again(rows[:middle], select, above)
            yield from self._read_again(rows[middle:], select, above)


def is_open(plan: Plan) -> str:
    """Condition on a row of `kinds`: that a rule is open for its events."""
    return " OR ".join(f"kinds.{name} <> 0" for name in _opened(plan)) or "FALSE"


def asking_what_is_open(engine: Engine, plan: Plan) -> tuple[tuple[str, str], ...]:
    """Named queries over `events`, as of a pass, that ask those rules that are open for one of the `kinds`."""
    query = plan.candidates
    ((*masks,),) = engine.run(f"SELECT {', '.join(f'bit_or({name})' for name in _opened(plan))} FROM kinds")  # noqa: S608 - of the plan
    asked = dict(zip(query.answered, masks, strict=True))
    groups = [group.asking(asked) for group in query.groups]
    return query.judging([group for group in groups if group.answers])


def answers_of_candidates(plan: Plan) -> str:
    """Columns of answers of a candidate in `again`, which count where its kind says that the rule is open."""
    pairs = zip(plan.candidates.answered, _opened(plan), strict=True)
    return ", ".join(f"again.{answer} & kinds.{name} AS {answer}" for answer, name in pairs)


def _opened(plan: Plan) -> list[str]:
    return [name for name in plan.kinds.answered if name.startswith("open_")]


def _is_met(group: Group, requests: set[tuple[str, ...]]) -> bool:
    """Whether one of these (verb, resource, subresource) has what a group needs, as far as these say."""
    wanted = group.needs.verbs, group.needs.resources, group.needs.subresources
    return any(
        all(values is None or value in values for value, values in zip(request, wanted, strict=True))
        for request in requests
    )
