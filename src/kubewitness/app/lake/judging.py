"""Judging the events of a store: what a scan does with files, without parsing what the rules do not look at.

The store knows the kind of each event already, and has the facts that rules ask for. So only kinds are looked at, then
the events of those kinds that a rule matched or may match.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubewitness.app.candidates import answers_of_candidates, asking_what_is_open, is_open
from kubewitness.app.evidence import Evidence
from kubewitness.app.judging import Judged, Totals
from kubewitness.app.readings import Reading
from kubewitness.detect.correlate.matches import CREATE_UNREAD
from kubewitness.detect.duplicates import CREATE_DUPLICATES, REQUEST_HASH
from kubewitness.detect.plan import BLANK, Table
from kubewitness.model.ledger import Ledger, Origin
from kubewitness.query.engine import with_floors
from kubewitness.store.table import BY_STORED_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kubewitness.app.lake.opening import Snapshot
    from kubewitness.detect.plan import Plan
    from kubewitness.query.engine import Engine

_WORD = re.compile(r"\w+")
_SKETCHED = f"""
SELECT
    "row", list_position($names, source) - 1 AS source_id, line AS record_line, partial,
    NULL::VARCHAR AS other_category, TRUE AS fits, audit_id, stage, verb, request_uri, request_path,
    {REQUEST_HASH} AS request_hash, request_received_at, stage_at, older_timestamp, logged_at, happened_at,
    username, resource, subresource, name, cluster, kind
FROM events
"""  # noqa: S608 - a constant
_TOTALS = """
SELECT count(*) FILTER (NOT partial), count(*) FILTER (partial), min(happened_at), max(happened_at) FROM events
"""
_REPRESENTATIVES = """
-- One row per kind: an event that stands for it.
CREATE OR REPLACE TEMP TABLE representatives AS
SELECT kind AS own_kind, min("row") AS own_row FROM sketches GROUP BY kind
"""
_WANTED = """
-- The rows that a rule matched or may match, and one of each kind.
CREATE OR REPLACE TEMP TABLE wanted AS
SELECT own_row AS "row" FROM representatives
UNION
SELECT sketches."row" FROM sketches JOIN judged_kinds USING (kind) WHERE {is_wanted}
"""
_KINDS = """
INSERT INTO kinds BY NAME
SELECT judged_kinds.* EXCLUDE ("row"), staged.rowid AS event
FROM judged_kinds JOIN staged ON staged."row" = judged_kinds."row"
"""
_OPEN = """
CREATE OR REPLACE TEMP TABLE opened AS
SELECT staged."row" FROM staged JOIN kinds USING (kind) WHERE {is_open}
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
    """Where events of a store are from.

    Args:
        names: of sources, by the number that `staged` has.
    """

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self._names = names

    def origin(self, row: int, source_id: int | None, line: int | None) -> Origin:
        """Where the record of a row stands."""
        del row
        return Origin(self._names[source_id or 0], line)


class StoredEvidence(Evidence):
    """Events of a store, looked up by their rows in `staged`."""

    def __init__(self, engine: Engine, reading: Reading, folder: Path, snapshot: Snapshot) -> None:
        super().__init__(engine, reading, folder)
        self._snapshot = snapshot

    def values(self, rows: Iterable[int], wanted: Mapping[str, str]) -> dict[int, dict[str, Any]]:
        """Values of expressions over the events table by row."""
        asked = sorted(set(rows))
        if not asked:
            return {}
        self._engine.run(
            'CREATE OR REPLACE TEMP TABLE asked AS SELECT rowid AS event_number, "row" AS event_row FROM staged'
            " WHERE rowid IN (SELECT unnest($rows))",
            {"rows": asked},
        )
        listed = ", ".join(f"{sql} AS {name}" for name, sql in wanted.items())
        query = self._snapshot.query(
            f'SELECT "row" AS event_row, {listed} FROM events WHERE "row" IN (SELECT event_row FROM asked)'  # noqa: S608 - of the plan
        )
        numbers = {place: number for number, place in self._engine.run("SELECT event_number, event_row FROM asked")}
        return {
            numbers[row.pop("event_row")]: {name: value for name, value in row.items() if value is not None}
            for row in self._engine.rows(query.sql, query.parameters)
        }


def judge_store(engine: Engine, plan: Plan, snapshot: Snapshot, folder: Path) -> Judged:
    """Ask the rules of single events about the events of a store, as `judge` does about files.

    Args:
        engine: with the macros; gets the tables.
        plan: the rules.
        snapshot: of the store.
        folder: for temporary files.
    """
    names = [name for (name,) in _run(engine, snapshot, "SELECT DISTINCT source FROM events ORDER BY source")]
    reading = StoredReading(names)
    evidence = StoredEvidence(engine, reading, folder, snapshot)
    ((events, partial, first_at, last_at),) = _run(engine, snapshot, _TOTALS)
    totals = Totals(Ledger.of(events=events, partial=partial), first_at, last_at)
    engine.run(plan.sketch.create_sql)
    engine.run('ALTER TABLE staged ADD COLUMN "row" BIGINT')
    engine.run(plan.kinds.create_sql)
    engine.run(plan.candidates.create_sql)
    _judge_kinds(engine, plan, snapshot, names)
    _stage(engine, plan, snapshot, names)
    _judge_candidates(engine, plan, snapshot)
    engine.run(CREATE_DUPLICATES)
    return Judged(reading, evidence, 0, totals)


def note_unread(engine: Engine, snapshot: Snapshot, counts: Mapping[int, int]) -> None:
    """Fill the table `unread`, after `judge_store`, where a snapshot has only some events of each kind.

    Args:
        engine: with `staged`.
        snapshot: of these events.
        counts: how many events with a time there are in all, by the stored kind.
    """
    engine.run(CREATE_UNREAD)
    _create(engine, snapshot, "stored_kinds", 'SELECT "row", kind AS stored_kind FROM events')
    engine.run(_UNREAD, {"kinds": list(counts.keys()), "counts": list(counts.values())})


def _judge_kinds(engine: Engine, plan: Plan, snapshot: Snapshot, names: list[str]) -> None:
    """Fill `sketches`, `representatives` and `judged_kinds`."""
    select = f'SELECT "row", {plan.sketch.values["kind"]} AS kind FROM sketched'  # noqa: S608 - of the plan
    _create(engine, snapshot, "sketches", select, {"names": names}, above=(("sketched", _SKETCHED),))
    engine.run(_REPRESENTATIVES)
    query = plan.kinds
    above = query.judging()
    listed = ", ".join(f"{sql} AS {name}" for name, sql in query.values.items())
    words = {word for sql in (listed, *(sql for _, sql in above)) for word in _WORD.findall(sql)}
    columns = ", ".join(f'{_BLANK.get(name, name)} AS "{name}"' for name in BY_STORED_NAME if name in words - {"kind"})
    _create(
        engine,
        snapshot,
        "again",
        # Not a join: data files on the side that a join is built of make the engine (2.0) fail now and then.
        f'SELECT "row", {columns} FROM events WHERE "row" IN (SELECT own_row FROM representatives)',  # noqa: S608 - of the plan
    )
    select = f'SELECT own_kind AS kind, "row", {listed} FROM judged'  # noqa: S608 - of the plan
    rows = 'SELECT again.*, own_kind FROM again JOIN representatives ON own_row = "row"'
    judged = with_floors((("events", rows), *above), select)
    engine.run(f"CREATE OR REPLACE TEMP TABLE judged_kinds AS {judged}")


def _stage(engine: Engine, plan: Plan, snapshot: Snapshot, names: list[str]) -> None:
    """Fill `staged` with the rows that matter, and `kinds`."""
    answered = " OR ".join(f"{name} <> 0" for name in plan.kinds.answered) or "FALSE"
    engine.run(_WANTED.format(is_wanted="TRUE" if _looks_at_all(engine, plan) else answered))
    values = ", ".join(f"{sql} AS {name}" for name, sql in plan.sketch.values.items())
    query = snapshot.query(
        f'SELECT {values}, "row" FROM sketched WHERE "row" IN (SELECT "row" FROM wanted)',  # noqa: S608 - of the plan
        above=(("sketched", _SKETCHED),),
    )
    engine.run(f"INSERT INTO staged BY NAME {query.sql}", {**query.parameters, "names": names})
    engine.run(_KINDS)


def _looks_at_all(engine: Engine, plan: Plan) -> bool:
    """Whether a rule asks of all other events whether one is missing among them."""
    for rule in plan.rules:
        if rule.unfinished and rule.bit:
            column = f"{'open' if rule.bit.table is Table.CANDIDATES else 'matched'}_{rule.bit.word}"
            sql = f"SELECT 1 FROM judged_kinds WHERE {column} & {rule.bit.mask} <> 0 LIMIT 1"  # noqa: S608 - of the plan
            if engine.run(sql):
                return True
    return False


def _judge_candidates(engine: Engine, plan: Plan, snapshot: Snapshot) -> None:
    if not engine.run(f"SELECT 1 FROM kinds WHERE {is_open(plan)} LIMIT 1"):  # noqa: S608 - of the plan
        return
    engine.run(_OPEN.format(is_open=is_open(plan)))
    listed = ", ".join(f"{sql} AS {name}" for name, sql in plan.candidates.values.items())
    _create(
        engine,
        snapshot,
        "again",
        f'SELECT "row", {listed} FROM judged WHERE "row" IN (SELECT "row" FROM opened)',  # noqa: S608 - same
        above=asking_what_is_open(engine, plan),
    )
    engine.run(_CANDIDATES.format(answers=answers_of_candidates(plan)))


def _run(engine: Engine, snapshot: Snapshot, select: str) -> list[tuple[Any, ...]]:
    query = snapshot.query(select)
    return engine.run(query.sql, query.parameters)


def _create(
    engine: Engine,
    snapshot: Snapshot,
    table: str,
    select: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    above: tuple[tuple[str, str], ...] = (),
) -> None:
    """Make a table of a query over the events of a store."""
    query = snapshot.query(select, above=above)
    used = {name: value for name, value in (parameters or {}).items() if f"${name}" in query.sql}
    engine.run(f"CREATE OR REPLACE TEMP TABLE {table} AS {query.sql}", {**query.parameters, **used})
