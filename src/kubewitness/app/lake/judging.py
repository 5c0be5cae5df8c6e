"""Judging the events of a store: what a scan does with files, without parsing what the rules do not look at.

The store knows the kind of each event already, and has the facts that rules ask for. So only kinds are looked at, then
the events of those kinds that a rule matched or may match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubewitness.app.candidates import answers_of_candidates, asking_what_is_open, is_open, is_open_for
from kubewitness.app.evidence import Evidence
from kubewitness.app.judging import Judged, Totals
from kubewitness.app.readings import NOTHING, Reading
from kubewitness.detect.correlate.matches import CREATE_UNREAD
from kubewitness.detect.duplicates import REQUEST_HASH
from kubewitness.detect.plan import BLANK
from kubewitness.model.ledger import Ledger, Origin
from kubewitness.query.engine import quoted, with_floors
from kubewitness.query.pruning import needed
from kubewitness.store.table import BY_STORED_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from kubewitness.app.lake.opening import Snapshot
    from kubewitness.detect.plan import Plan
    from kubewitness.query.engine import Engine
    from kubewitness.query.reading import ReadingQuery

_FEW_ROWS = 50_000
"""So many events are looked up by their places in the files; for more, all files are gone through."""
_MOST_RESOURCES = 200
_BODIES = frozenset({"request_object", "response_object"})
_SKETCHED = f"""
SELECT
    "row", partial, NULL::VARCHAR AS other_category, TRUE AS fits, audit_id, stage, verb, request_uri, request_path,
    {REQUEST_HASH} AS request_hash, request_received_at, stage_at, older_timestamp, logged_at, happened_at,
    username, resource, subresource, name, cluster, kind
FROM events
"""  # noqa: S608 - a constant
_NOT_STAGED = frozenset({"source_id", "record_line", "record_key", "time_key"})
"""Columns of `staged` that are null: where an event is from is looked up, and a store has every event once."""
_TOTALS = """
SELECT count(*) FILTER (outcome = 1), count(*) FILTER (outcome = 2), min(happened_at), max(happened_at) FROM staged
"""
_NEW_KINDS = """
-- One row per kind: an event that stands for it.
CREATE OR REPLACE TEMP TABLE representatives AS
SELECT kind AS own_kind, min(rowid) AS event, arg_min("row", rowid) AS "row" FROM staged GROUP BY kind
"""
_OPEN = """
-- One row per event for which a rule is open, and whether it is one that looks into bodies.
CREATE OR REPLACE TEMP TABLE opened AS
SELECT staged."row", {needs_bodies} AS needs_bodies
FROM staged JOIN kinds USING (kind) WHERE {is_open}
"""
_CANDIDATES = """
-- One row per candidate: what was left to ask, where its kind says that the rule is open.
INSERT INTO candidates BY NAME
SELECT
    staged.rowid AS event, staged.outcome, staged.happened_at, staged.request_key, kinds.cluster_key, kinds.actor_key,
    again.* EXCLUDE ("row") REPLACE ({answers})
FROM again JOIN staged ON staged."row" = again."row" JOIN kinds USING (kind)
"""
_UNREAD = """
INSERT INTO unread
SELECT min(staged.rowid), any_value(counts.events) - count(*)
FROM staged
JOIN stored_kinds USING ("row")
JOIN (SELECT unnest($kinds::BIGINT[]) AS stored_kind, unnest($counts::BIGINT[]) AS events) AS counts USING (stored_kind)
WHERE staged.happened_at IS NOT NULL
GROUP BY stored_kind
"""

# Of bodies, a store says whether they are there: they need not be looked at.
_BLANK = BLANK | {
    "request_object": "CASE WHEN starts_with(verb, 'delete') AND dry_run THEN '{\"dryRun\":[\"All\"]}'::JSON END",
    "response_object": "CASE WHEN has_body OR truncated THEN '{}'::JSON END",
}


class StoredReading(Reading):
    """Where events of a store are from: each says so itself."""

    @property
    def origin_columns(self) -> tuple[str, ...]:
        """Columns of an event that `origin` wants to know."""
        return ("source", "line")

    def origin(self, row: int, source_id: int | None, line: int | None, event: Mapping[str, Any] = NOTHING) -> Origin:
        """Where the record of an event stands."""
        del row, source_id, line
        return Origin(event["source"], event.get("line"))


class StoredEvidence(Evidence):
    """Events of a store, looked up by their rows in `staged`."""

    def __init__(self, engine: Engine, reading: Reading, folder: Path, snapshot: Snapshot) -> None:
        super().__init__(engine, reading, folder)
        self._snapshot = snapshot

    def values(self, rows: Iterable[int], wanted: Mapping[str, str]) -> dict[int, dict[str, Any]]:
        """Values of expressions over the events table by row."""
        return _values(self._engine, self._snapshot, rows, wanted)


def judge_store(engine: Engine, plan: Plan, snapshot: Snapshot, folder: Path) -> Judged:
    """Ask the rules of single events about the events of a store, as `judge` does about files.

    Args:
        engine: with the macros; gets the tables.
        plan: the rules.
        snapshot: of the store.
        folder: for temporary files.
    """
    engine.run(plan.sketch.create_sql)
    engine.run('ALTER TABLE staged ADD COLUMN "row" BIGINT')
    engine.run(plan.kinds.create_sql)
    engine.run(plan.candidates.create_sql)
    _stage(engine, plan, snapshot)
    ((events, partial, first_at, last_at),) = engine.run(_TOTALS)
    totals = Totals(Ledger.of(events=events, partial=partial), first_at, last_at)
    _judge_kinds(engine, plan, snapshot)
    _judge_candidates(engine, plan, snapshot)
    reading = StoredReading()
    return Judged(reading, StoredEvidence(engine, reading, folder, snapshot), 0, totals)


def note_unread(engine: Engine, snapshot: Snapshot, counts: Mapping[int, int]) -> None:
    """Fill the table `unread`, after `judge_store`, where a snapshot has only some events of each kind.

    Args:
        engine: with `staged`.
        snapshot: of these events.
        counts: how many events with a time there are in all, by the stored kind.
    """
    engine.run(CREATE_UNREAD)
    query = snapshot.query('SELECT "row", kind AS stored_kind FROM events')
    engine.run(f"CREATE OR REPLACE TEMP TABLE stored_kinds AS {query.sql}", query.parameters)
    engine.run(_UNREAD, {"kinds": list(counts.keys()), "counts": list(counts.values())})


def _stage(engine: Engine, plan: Plan, snapshot: Snapshot) -> None:
    """Fill `staged`."""
    values = ", ".join(f"{sql} AS {name}" for name, sql in plan.sketch.values.items() if name not in _NOT_STAGED)
    query = snapshot.query(f'SELECT {values}, "row" FROM sketched', above=(("sketched", _SKETCHED),))  # noqa: S608 - of the plan
    engine.run(f"INSERT INTO staged BY NAME {query.sql}", query.parameters)


def _judge_kinds(engine: Engine, plan: Plan, snapshot: Snapshot) -> None:
    """Fill `representatives`, the events that stand for kinds, and `kinds`."""
    engine.run(_NEW_KINDS)
    query = plan.kinds
    above = query.judging()
    listed = ", ".join(f"{sql} AS {name}" for name, sql in query.values.items())
    words = {"resource", *needed((), [listed, *(sql for _, sql in above)])} - {"kind"}
    columns = ", ".join(f'{_BLANK.get(name, name)} AS "{name}"' for name in BY_STORED_NAME if name in words)
    found = _looked_up(engine, snapshot, "representatives", f'"row", {columns}')
    engine.run(f"CREATE OR REPLACE TEMP TABLE alike AS {found.sql}", found.parameters)
    rows = 'SELECT alike.*, own_kind, event FROM alike JOIN representatives USING ("row")'
    judged = with_floors((("events", rows), *above), f"SELECT own_kind AS kind, event, {listed} FROM judged")  # noqa: S608 - of the plan
    # Thousands of small questions about few rows: to ask them takes less time than to improve them.
    with engine.unoptimized():
        engine.run(f"INSERT INTO kinds BY NAME {judged}")


def _judge_candidates(engine: Engine, plan: Plan, snapshot: Snapshot) -> None:
    if not engine.run(f"SELECT 1 FROM kinds WHERE {is_open(plan)} LIMIT 1"):  # noqa: S608 - of the plan
        return
    needs_bodies = _needs_bodies(plan)
    engine.run(_OPEN.format(is_open=is_open(plan), needs_bodies=needs_bodies))
    above, select = asking_what_is_open(engine, plan), _selected(plan)
    words = needed((), [select, *(sql for _, sql in above)])
    columns = [name for name in BY_STORED_NAME if name in words]
    picked = [
        snapshot.query(
            f'SELECT "row", {_columns(columns, with_bodies=with_bodies)} FROM events'  # noqa: S608 - our own columns
            f" WHERE {_about(engine, needs_bodies if with_bodies else is_open(plan))}"
            f' AND "row" IN (SELECT "row" FROM opened WHERE needs_bodies = {with_bodies})'
        )
        for with_bodies in (False, True)
    ]
    # Named once and used twice, events would be copied.
    both = " UNION ALL ".join(f"({query.sql})" for query in picked)
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE again AS {with_floors((('events', both), *above), select)}",
        {name: value for query in picked for name, value in query.parameters.items()},
    )
    engine.run(_CANDIDATES.format(answers=answers_of_candidates(plan)))


def _selected(plan: Plan) -> str:
    listed = ", ".join(f"{sql} AS {name}" for name, sql in plan.candidates.values.items())
    return f'SELECT "row", {listed} FROM judged'  # noqa: S608 - of the plan


def _columns(names: Sequence[str], *, with_bodies: bool) -> str:
    return ", ".join(
        f'NULL::{BY_STORED_NAME[name].type} AS "{name}"' if name in _BODIES and not with_bodies else f'"{name}"'
        for name in names
    )


def _needs_bodies(plan: Plan) -> str:
    """Condition on a row of `kinds`: that a rule is open for its events that looks into bodies.

    Bodies are most of a store, and most of what rules ask of them stands in columns of its own.
    """
    query = plan.candidates
    if any(_looks_into_bodies(sql) for sql in query.values.values()):
        return "TRUE"
    shared = {name for name, sql in query.shared.items() if _looks_into_bodies(sql)}
    masks = dict.fromkeys(query.answered, 0)
    for group in query.groups:
        for answer in group.answers:
            if not (_BODIES | shared).isdisjoint(needed((), [answer.sql])):
                masks[answer.column] |= answer.mask
    return is_open_for(plan, masks)


def _looks_into_bodies(sql: str) -> bool:
    return not _BODIES.isdisjoint(needed((), [sql]))


def _about(engine: Engine, where: str) -> str:
    """Condition on an event that those of some kinds fulfil, by which most of a sorted file is passed over.

    Args:
        engine: with `kinds`, `representatives` and `alike`.
        where: condition on a row of `kinds`.
    """
    found = engine.run(
        "SELECT DISTINCT resource FROM kinds JOIN representatives USING (event)"  # noqa: S608 - of the plan
        f' JOIN alike ON alike."row" = representatives."row" WHERE {where} LIMIT {_MOST_RESOURCES + 1}'
    )
    return "TRUE" if len(found) > _MOST_RESOURCES else about({resource for (resource,) in found}, quoted)


def about(resources: Collection[str | None], literal: Callable[[str], str]) -> str:
    """Condition on an event: that it is about one of these; as a list of names, by which row groups are passed over.

    Args:
        resources: names; None for events about none.
        literal: how the engine that is asked writes a text.
    """
    names = sorted(each for each in resources if each is not None)
    tests = [f"resource IN ({', '.join(map(literal, names))})"] if names else []
    tests += ["resource IS NULL"] if None in resources else []
    return f"({' OR '.join(tests) or 'FALSE'})"


def _values(
    engine: Engine, snapshot: Snapshot, rows: Iterable[int], wanted: Mapping[str, str]
) -> dict[int, dict[str, Any]]:
    """Values of expressions over the events table, without nulls, by row of `staged`."""
    asked = sorted(set(rows))
    if not asked:
        return {}
    engine.run(
        'CREATE OR REPLACE TEMP TABLE asked AS SELECT rowid AS event, "row" FROM staged'
        " WHERE rowid IN (SELECT unnest($rows))",
        {"rows": asked},
    )
    listed = ", ".join(f"{sql} AS {name}" for name, sql in wanted.items())
    query = _looked_up(engine, snapshot, "asked", f'"row", {listed}')
    numbers = {place: number for number, place in engine.run('SELECT event, "row" FROM asked')}
    return {
        numbers[row.pop("row")]: {name: value for name, value in row.items() if value is not None}
        for row in engine.rows(query.sql, query.parameters)
    }


def _looked_up(engine: Engine, snapshot: Snapshot, table: str, listed: str) -> ReadingQuery:
    """Query for columns of the events that a table names by their `row`."""
    rows = [row for (row,) in engine.run(f'SELECT "row" FROM {table} LIMIT {_FEW_ROWS + 1}')]  # noqa: S608 - our own
    if len(rows) <= _FEW_ROWS:
        return snapshot.query(f"SELECT {listed} FROM events", rows=rows)  # noqa: S608 - of the plan
    return snapshot.query(f'SELECT {listed} FROM events WHERE "row" IN (SELECT "row" FROM {table})')  # noqa: S608 - same
