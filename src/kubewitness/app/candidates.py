"""What follows the sketch of some events: their new kinds are judged, then the events for which a rule is open.

Both are read again from where they stand: of a kind one event, its representative. To plan what is asked takes longer
than to ask a few thousand events, so parts wait for others, and those of all shapes and clusters are asked at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.app.evidence import halves
from kubewitness.model.event import BY_NAME
from kubewitness.query.engine import EngineError, with_floors
from kubewitness.query.needs import ABSENT
from kubewitness.query.pruning import needed
from kubewitness.query.reading import decoded_columns, events_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kubewitness.app.evidence import Evidence, Rows
    from kubewitness.app.parts import Span
    from kubewitness.app.readings import Reading
    from kubewitness.detect.plan import Plan
    from kubewitness.query.engine import Engine
    from kubewitness.query.needs import Needs

_BATCH_ROWS = 200_000
_FEW_ROWS = 200_000
"""Parts with fewer rows wait for others."""

_NEW_KINDS = """
-- The first event of each kind that only the rows from $first to $end have.
SELECT min(rowid) FROM staged
WHERE rowid >= $first AND rowid < $end AND outcome <> 0 AND kind IS NOT NULL AND kind NOT IN (SELECT kind FROM kinds)
GROUP BY kind ORDER BY 1
"""
_REQUESTS = """
-- What the representatives in `gathered` ask for.
SELECT DISTINCT verb, resource, subresource FROM gathered
"""
_OPEN = """
-- The rows from $first to $end that belong to a kind for which a rule is open.
SELECT staged.rowid FROM staged JOIN kinds USING (kind)
WHERE staged.rowid >= $first AND staged.rowid < $end AND staged.outcome <> 0 AND ({is_open})
ORDER BY 1
"""
_UNJUDGED = """
-- How many events are of kinds that nobody could judge.
SELECT count(*) FROM staged WHERE kind IS NOT NULL AND kind NOT IN (SELECT kind FROM kinds)
"""
_INSERT_KINDS = """
-- One row per kind, in the order of `again`.
INSERT INTO kinds BY NAME
SELECT staged.kind, rows.event, again.*
FROM again
JOIN (SELECT unnest($rows) AS event, unnest(range(len($rows))) AS place) AS rows ON rows.place = again.rowid
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
        self._waiting: list[Span] = []
        engine.run(plan.kinds.create_sql)
        engine.run(plan.candidates.create_sql)

    def add(self, spans: Sequence[Span]) -> None:
        """Judge the events of these spans, which follow those added before, or have them wait for others."""
        self._waiting += spans
        if self._waiting[-1].end_row - self._waiting[0].first_row >= _FEW_ROWS:
            self.finish()

    def finish(self) -> None:
        """Judge the events that still wait."""
        if not self._waiting:
            return
        within = {"first": self._waiting[0].first_row, "end": self._waiting[-1].end_row}
        self._waiting.clear()
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
        query = self._plan.kinds
        found = self._gather(self._evidence.alike(rows), self._plan.decoded)
        if found:
            requests = _Requests(self._engine.run(_REQUESTS))
            judging = query.judging([group for group in query.groups if requests.have(group.needs)])
            words = needed((), [*(sql for _, sql in judging), query.select])
            facts = ", ".join(f'"{name}"' for name in BY_NAME if name in words)
            derived = events_query("SELECT * FROM gathered", f"SELECT {facts} FROM events")  # noqa: S608 - of the plan
            self._engine.run(f"CREATE OR REPLACE TEMP TABLE derived AS {derived}")
            judged = with_floors((("events", "FROM derived"), *judging), query.select)
            # Thousands of small questions about few rows: to ask them takes less time than to improve them.
            with self._engine.unoptimized():
                self._engine.run(f"CREATE OR REPLACE TEMP TABLE again AS {judged}")
            self._engine.run(_INSERT_KINDS, {"rows": found})

    def _judge_candidates(self, rows: list[int]) -> None:
        select, above = self._plan.candidates.select, asking_what_is_open(self._engine, self._plan)
        groups = self._evidence.alike(rows)
        self._lost += len(rows)
        if len(groups) == 1 or not self._ask_together(groups, select, above):
            for found in self._read_again(groups, select, above):
                self._keep_candidates(found)

    def _ask_together(self, groups: Sequence[Rows], select: str, above: Sequence[tuple[str, str]]) -> bool:
        """Ask events of several shapes and clusters at once; False when the engine refuses."""
        columns = decoded_columns([*(sql for _, sql in above), select])
        found = self._gather(groups, {name: f'"{name}"' for name in columns})
        query = events_query("SELECT * FROM gathered", select, above=above)
        try:
            self._engine.run(f"CREATE OR REPLACE TEMP TABLE again AS {query}")
        except EngineError:
            return False
        self._keep_candidates(found)
        return True

    def _keep_candidates(self, rows: list[int]) -> None:
        self._engine.run(_INSERT_CANDIDATES.format(answers=answers_of_candidates(self._plan)), {"rows": rows})
        self._lost -= len(rows)

    def _gather(self, groups: Sequence[Rows], columns: Mapping[str, str]) -> list[int]:
        """Fill the table `gathered` with columns of `decoded`, by name; gives its rows of `staged`, in order."""
        select = f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in columns.items())} FROM decoded"  # noqa: S608 - of the plan
        self._engine.run("DROP TABLE IF EXISTS gathered")
        gathered: list[int] = []
        for found in self._read_again(groups, select):
            self._engine.run("INSERT INTO gathered FROM again" if gathered else "ALTER TABLE again RENAME TO gathered")
            gathered += found
        return gathered

    def _read_again(
        self, groups: Sequence[Rows], select: str, above: Sequence[tuple[str, str]] = ()
    ) -> Iterator[list[int]]:
        """Fill the table `again`, in turns, from rows of `staged`; yields the rows that it has, in order.

        One turn is of one shape and cluster.
        """
        for wanted in groups:
            yield from self._read_group(wanted, select, above)

    def _read_group(self, wanted: Rows, select: str, above: Sequence[tuple[str, str]]) -> Iterator[list[int]]:
        copied = self._evidence.copy(wanted)
        query = copied.query(select, above)
        try:
            ((count,),) = self._engine.run(f"CREATE OR REPLACE TEMP TABLE again AS {query.sql}", query.parameters)
        except EngineError:
            count = -1
        if count == len(copied.rows):  # else nobody can say which row is which
            yield copied.rows
        else:
            yield from self._read_again(halves(wanted), select, above)


def is_open(plan: Plan) -> str:
    """Condition on a row of `kinds`: that a rule is open for its events."""
    return " OR ".join(f"kinds.{name} <> 0" for name in _opened(plan)) or "FALSE"


def is_open_for(plan: Plan, masks: Mapping[str, int]) -> str:
    """Condition on a row of `kinds`: that a rule with one of these bits, by column of candidates, is open."""
    pairs = zip(plan.candidates.answered, _opened(plan), strict=True)
    return " OR ".join(f"kinds.{opened} & {masks[answer]} <> 0" for answer, opened in pairs) or "FALSE"


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


class _Requests:
    """What there is among requests.

    Args:
        rows: their verb, resource and subresource.
    """

    def __init__(self, rows: Iterable[Sequence[str | None]]) -> None:
        self._everywhere: set[tuple[str, str]] = set()
        self._by_resource: dict[str, set[tuple[str, str]]] = {}
        for row in rows:
            verb, resource, subresource = (value or ABSENT for value in row)
            self._everywhere.add((verb, subresource))
            self._by_resource.setdefault(resource, set()).add((verb, subresource))

    def have(self, need: Needs) -> bool:
        """Whether one of them has what is needed, as far as these say."""
        found = (
            self._everywhere
            if need.resources is None
            else {pair for resource in need.resources for pair in self._by_resource.get(resource, ())}
        )
        return any(
            (need.verbs is None or verb in need.verbs)
            and (need.subresources is None or subresource in need.subresources)
            for verb, subresource in found
        )
