"""Events to ask questions of: logs, read into one table of the engine."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.app.duplicates import find_cut_duplicates
from kubewitness.app.evidence import Evidence
from kubewitness.app.lake.kinds import condition_of
from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.places import LINE, store_places
from kubewitness.app.reading import Target, read_sources
from kubewitness.app.readings import Reading, demand_events
from kubewitness.decode.engine_shapes import Depth
from kubewitness.detect.duplicates import CREATE_DUPLICATES, RECORD_KEY, REQUEST_HASH, TIME_KEY
from kubewitness.facts import BODY_FACTS, macros
from kubewitness.model.event import BY_NAME, COLUMNS
from kubewitness.model.ledger import Ledger
from kubewitness.query.engine import Engine
from kubewitness.query.fields import find_field
from kubewitness.query.lower import lower
from kubewitness.query.predicate import ALWAYS, And, Moment, Order, fields_of
from kubewitness.query.reading import OUTCOME, written_out
from kubewitness.store.files import period_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from kubewitness.app.lake.opening import Snapshot
    from kubewitness.query.predicate import Predicate

_OWN = ("source", "line", "happened_at")
"""Columns that are always there, as is `row`."""

_CREATE_EVENTS = """
-- One row per event that is asked for; no duplicates.
CREATE TABLE events AS
SELECT
    staged.rowid AS row,
    sources.name AS source,
    {line} AS line,
    staged.happened_at{columns}
FROM staged
ASOF LEFT JOIN places ON staged.rowid >= places.first_row
LEFT JOIN sources ON sources.id = coalesce(staged.source_id, places.source_id)
WHERE outcome IN (1, 2) AND holds AND staged.rowid NOT IN (SELECT event FROM duplicates)
"""
_TOTALS = """
SELECT
    count(*) FILTER (outcome = 1 AND NOT is_duplicate),
    count(*) FILTER (outcome = 2 AND NOT is_duplicate),
    count(*) FILTER (outcome IN (1, 2) AND is_duplicate),
    count(*) FILTER (outcome = 3),
    min(happened_at) FILTER (outcome IN (1, 2)),
    max(reached_at) FILTER (outcome IN (1, 2)),
    -- Where most ends are missing, they are not recorded.
    count(*) FILTER (is_end AND outcome IN (1, 2)) > count(*) FILTER (NOT is_end AND outcome IN (1, 2)) / 3
FROM (SELECT *, rowid IN (SELECT event FROM duplicates) AS is_duplicate FROM staged)
"""
_STORED_TOTALS = """
SELECT
    count(*) FILTER (NOT partial),
    count(*) FILTER (partial),
    min(happened_at),
    max(coalesce(stage_at, happened_at)),
    count(*) FILTER (stage IN ('ResponseComplete', 'Panic')) > count(*) FILTER (stage = 'RequestReceived') / 3
FROM events
"""


STORED_EVENTS = "stored_events"
"""View of all columns of those events of a store that were asked for."""


@dataclass(frozen=True, slots=True)
class Logs:
    """Which events to ask.

    Attributes:
        paths: files, directories, globs, `-` for standard input.
        since: no events before (UTC, naive).
        until: no events from here on.
        cluster: name for events whose log does not say; of a store, the only cluster wanted.
        store: a store to read instead of paths.
        selected: those of its events that are to be asked, when they have been selected already.
    """

    paths: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    cluster: str | None = None
    store: str | None = None
    selected: Snapshot | None = field(default=None, repr=False)

    @property
    def period(self) -> Predicate:
        """What holds of an event of these logs' period."""
        happened = find_field("happened_at")
        tests: list[Predicate] = []
        if self.since:
            tests.append(Moment(happened, Order.GREATER_OR_EQUAL, self.since))
        if self.until:
            tests.append(Moment(happened, Order.LESS, self.until))
        return And(tuple(tests)) if tests else ALWAYS


@dataclass(frozen=True, slots=True)
class Events:
    """The table `events` of an engine.

    Its columns are `row` (a number of its own for each event), `source`, `line`, `happened_at` and those that were
    asked for, named and typed as in `kubewitness.model.event`. Texts are as the log had them: redact what is shown.

    Attributes:
        engine: where the table is.
        ledger: what became of every record that was read.
        left_out: files that were not read because their names say they are no logs.
        first_at: time of the earliest event of the logs, also of those that were not asked for (UTC, naive).
        last_at: when the latest stage of any of them was reached.
        has_ends: whether ends of requests are recorded in these logs, and not only here and there.
        evidence: reads events of files again; None of a store.
        folders: that the engine reads from while it is asked: of a store of which no copy was made.
        snapshot: of the store, when they are of one.
    """

    engine: Engine
    ledger: Ledger
    left_out: tuple[str, ...] = ()
    first_at: datetime | None = None
    last_at: datetime | None = None
    has_ends: bool = True
    evidence: Evidence | None = field(default=None, repr=False)
    folders: tuple[str, ...] = ()
    snapshot: Snapshot | None = field(default=None, repr=False)

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a query over `events`, by column name.

        Raises:
            EngineError: the engine could not carry it out.
        """
        return self.engine.rows(sql, parameters)

    def earliest(self, columns: Sequence[str], most: int) -> list[dict[str, Any]]:
        """The first events of the table by time, with columns that need not have been asked for.

        So few events are cheaper to read again than columns are to read of all.

        Args:
            columns: names of columns of the events table.
            most: how many events.

        Returns:
            `row`, `source`, `line` and those of the columns that have a value.
        """
        own = ("row", "source", "line", "happened_at")
        if self.snapshot:
            found = self._earliest_stored(self.snapshot, list(dict.fromkeys((*own, *columns))), most)
        else:
            names = ", ".join(f'"{name}"' for name in own)
            found = self.rows(
                f'SELECT {names} FROM events ORDER BY happened_at, "row" LIMIT $most',  # noqa: S608 - names of columns
                {"most": most},
            )
        if self.evidence:
            known = self.evidence.events([event["row"] for event in found], columns)
            found = [event | known.get(event["row"], {}) for event in found]
        return [{name: value for name, value in event.items() if value is not None} for event in found]

    def _earliest_stored(self, snapshot: Snapshot, columns: Sequence[str], most: int) -> list[dict[str, Any]]:
        names = ", ".join(f'"{name}"' for name in columns)
        if not snapshot.has_facts:
            sql = f'SELECT {names} FROM {STORED_EVENTS} ORDER BY happened_at, "row" LIMIT $most'  # noqa: S608 - same
            return self.rows(sql, {"most": most})
        # Which they are is told by two columns; all others are read of these few alone.
        sql = f'SELECT "row" FROM {STORED_EVENTS} ORDER BY happened_at, "row" LIMIT $most'  # noqa: S608 - a constant
        rows = [row for (row,) in self.engine.run(sql, {"most": most})]
        query = snapshot.query(f'SELECT {names} FROM events ORDER BY happened_at, "row"', rows=rows)  # noqa: S608 - names of columns
        return self.rows(query.sql, query.parameters)

    def seal(self) -> None:
        """From here on, let the engine reach nothing but these events: what others wrote may run."""
        self.engine.seal(self.folders)


@dataclass(frozen=True, slots=True)
class Derived:
    """A column that is made of others while the events are read.

    Attributes:
        name: what to call it.
        type: type in the engine.
        sql: expression over the columns of the events table.
    """

    name: str
    type: str
    sql: str


@contextmanager
def open_events(
    logs: Logs,
    columns: Collection[str],
    where: Predicate = ALWAYS,
    derived: Collection[Derived] = (),
    *,
    is_asked_once: bool = False,
) -> Iterator[Events]:
    """Read logs into a table that lasts as long as the context.

    Args:
        logs: what to read.
        columns: names of columns of the events table; bodies are dear, so name no more than is needed.
        where: only events of which this holds get into the table.
        derived: further columns, such as the length of a body that need not be kept itself.
        is_asked_once: do not copy events of a store: `events` is a view over its files then, and each query reads what
            it needs of them.

    Raises:
        UnreadableError: nothing of the paths could be read.
        StoreError: the store cannot be read.
        UsageError: it has no such cluster.
    """
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        engine = Engine(Path(folder))
        try:
            engine.run(macros())
            others = [name for name in dict.fromkeys(columns) if name not in _OWN]
            if logs.store is None:
                yield _read(engine, logs, others, where, derived, Path(folder))
            else:
                snapshot = logs.selected or open_snapshot(
                    logs.store, since=logs.since, until=logs.until, cluster=logs.cluster
                )
                yield _read_store(
                    engine, snapshot, others, And((where, logs.period)), derived, is_copied=not is_asked_once
                )
        finally:
            engine.close()


def _read(  # noqa: PLR0917 - each is one thing to read by
    engine: Engine,
    logs: Logs,
    columns: list[str],
    where: Predicate,
    derived: Collection[Derived],
    folder: Path,
) -> Events:
    condition = And((where, logs.period))
    asked = {field.column.name for field in fields_of(condition)} | {*columns}
    asked |= {name for name in BODY_FACTS if any(name in each.sql for each in derived)}
    types = "".join(f', "{name}" {BY_NAME[name].type}' for name in columns)
    types += "".join(f', "{each.name}" {each.type}' for each in derived)
    engine.run(
        "CREATE TABLE staged (source_id INTEGER, record_line BIGINT, outcome TINYINT, happened_at TIMESTAMP,"
        f" record_key UBIGINT, time_key UBIGINT, reached_at TIMESTAMP, is_end BOOLEAN, holds BOOLEAN{types})"
    )
    holds = f"coalesce({lower(condition).sql('duckdb')}, FALSE)"
    target = Target(
        "staged",
        _select(columns, derived),
        (("asked", f"SELECT *, {REQUEST_HASH} AS request_hash, {holds} AS holds FROM events"),),  # noqa: S608 - of predicates
        depth=Depth.WHOLE if asked & BODY_FACTS else Depth.HEADS,
    )
    reading = Reading()
    read_sources(engine, logs.paths, target, folder, reading, cluster=logs.cluster)
    reading.demand_sources()
    engine.run(CREATE_DUPLICATES)
    evidence = Evidence(engine, reading, folder)
    find_cut_duplicates(engine, evidence)
    store_places(engine, reading)
    _store_sources(engine, reading)
    listed = "".join(f', staged."{name}"' for name in [*columns, *(each.name for each in derived)])
    engine.run(_CREATE_EVENTS.format(line=LINE, columns=listed))
    ((events, partial, duplicates, other, first_at, last_at, has_ends),) = engine.run(_TOTALS)
    engine.run("DROP TABLE staged")
    ledger = reading.ledger(events=events, partial=partial, duplicates=duplicates, other=other)
    demand_events(ledger)
    return Events(engine, ledger, tuple(reading.left_out), first_at, last_at, has_ends, evidence)


def _read_store(
    engine: Engine,
    snapshot: Snapshot,
    columns: list[str],
    condition: Predicate,
    derived: Collection[Derived],
    *,
    is_copied: bool,
) -> Events:
    # Each query over the view would else read again what stands at the end of each file.
    engine.run("SET parquet_metadata_cache = true")
    row = '"row"' if snapshot.has_facts else "row_number() OVER ()"
    everything = ", ".join(f'"{column.name}"' for column in COLUMNS)
    holds = condition_of(engine, snapshot, condition)
    stored = snapshot.query(f'SELECT {row} AS "row", {everything} FROM events WHERE {holds}')  # noqa: S608 - of predicates
    engine.run(f"CREATE VIEW {STORED_EVENTS} AS {written_out(stored)}")
    listed = "".join(f', "{name}"' for name in columns)
    listed += "".join(f', {each.sql} AS "{each.name}"' for each in derived)
    kind = "TABLE" if is_copied else "VIEW"
    engine.run(f'CREATE {kind} events AS SELECT "row", source, line, happened_at{listed} FROM {STORED_EVENTS}')  # noqa: S608
    return _of_store(engine, snapshot, is_counted=is_copied)


def _of_store(engine: Engine, snapshot: Snapshot, *, is_counted: bool) -> Events:
    """What there is to know of the events of a store: counted, or as the log of its table says."""
    if is_counted:
        totals = snapshot.query(_STORED_TOTALS)
        ((events, partial, first_at, last_at, has_ends),) = engine.run(totals.sql, totals.parameters)
        ledger = Ledger.of(events=events, partial=partial)
        return Events(engine, ledger, (), first_at, last_at, has_ends, None, snapshot.folders, snapshot)
    looked_at = snapshot.events if snapshot.selected_of is None else snapshot.selected_of
    ledger = Ledger.of(events=looked_at)
    return Events(engine, ledger, (), *period_of(snapshot.files), folders=snapshot.folders, snapshot=snapshot)


def _select(columns: list[str], derived: Collection[Derived]) -> str:
    # What does not hold is not kept: every record needs its row, but no more than that.
    kept = "".join(f', CASE WHEN holds THEN "{name}" END AS "{name}"' for name in columns)
    kept += "".join(f', CASE WHEN holds THEN {each.sql} END AS "{each.name}"' for each in derived)
    return (
        f"SELECT source_id, record_line, {OUTCOME} AS outcome, happened_at, {RECORD_KEY} AS record_key,"  # noqa: S608
        f" {TIME_KEY} AS time_key, coalesce(stage_at, happened_at) AS reached_at,"
        " CASE stage WHEN 'ResponseComplete' THEN TRUE WHEN 'Panic' THEN TRUE WHEN 'RequestReceived' THEN FALSE END"
        " AS is_end,"
        f" holds{kept} FROM asked"
    )


def _store_sources(engine: Engine, reading: Reading) -> None:
    engine.run("CREATE TABLE sources (id INTEGER, name VARCHAR)")
    names = [source.name for source in reading.sources]
    engine.run("INSERT INTO sources SELECT unnest($ids), unnest($names)", {"ids": [*range(len(names))], "names": names})
