"""Use case: a scan of a store, the rules of which Spark asks."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.app.judging import Totals
from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.scan import Narrowed, ScanOptions, scan
from kubewitness.app.spark.opening import open_spark
from kubewitness.app.spark.selecting import select_for
from kubewitness.facts import macros
from kubewitness.model.ledger import Ledger
from kubewitness.query.engine import Engine
from kubewitness.query.predicate import ALWAYS
from kubewitness.store.files import DataFile
from kubewitness.store.places import Place
from kubewitness.store.table import STORED, facts_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.app.lake.opening import Snapshot
    from kubewitness.app.plans import Loaded
    from kubewitness.detect.plan import Plan
    from kubewitness.model.alert import Report

_PAGE = 100_000
_LISTED = ", ".join(f'"{column.name}"' for column in STORED)
_NEEDED = f"""
SELECT {_LISTED} FROM events WHERE "row" IN (SELECT event FROM needed) ORDER BY "row"
"""  # noqa: S608 - our own columns


def scan_on_spark(loaded: Loaded, plan: Plan, options: ScanOptions, *, master: str | None = None) -> Report:
    """Scan a store: Spark asks the rules of all events; those that the scan needs are judged here.

    Args:
        loaded: rules, exceptions and platforms.
        plan: the same, planned.
        options: what to leave out and what to show; they name the store.
        master: URL of the cluster; None for what the environment says.

    Raises:
        UsageError: PySpark or Java is missing, no store is named, or it has no such cluster.
        StoreError: the store cannot be read.
        SparkError: Spark cannot be reached, or refused.
    """
    snapshot = open_snapshot(options.store or "", since=options.since, until=options.until, cluster=options.cluster)
    with open_spark(snapshot, ALWAYS, master) as events:
        selection = select_for(loaded, datetime.now(UTC).date())
        totals = events.rows(selection.totals)
        events.keep("judged", selection.judged)
        needed = [events.place(row.file_path, row.file_row) for row in events.rows(selection.needed)]
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        narrowed = Narrowed(
            _copied(snapshot, needed, Path(folder)),
            _totals(totals),
            {row.cluster: _platform(row.shown, selection.platforms) for row in totals},
        )
        return scan((), plan, options, narrowed=narrowed)


def _copied(snapshot: Snapshot, needed: Sequence[int], folder: Path) -> Snapshot:
    """A snapshot of these events alone, copied into a data file in a folder."""
    name = f"{facts_version()}-needed.parquet"
    engine = Engine(folder)
    try:
        engine.run(macros())
        engine.run("CREATE TABLE needed (event BIGINT)")
        for start in range(0, len(needed), _PAGE):
            engine.run("INSERT INTO needed SELECT unnest($rows)", {"rows": list(needed[start : start + _PAGE])})
        query = snapshot.query(_NEEDED)
        target = str(folder / name).replace("'", "''")
        engine.run(f"COPY ({query.sql}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)", query.parameters)
    finally:
        engine.close()
    file = DataFile(name, (folder / name).stat().st_size, len(needed), None, None)
    return replace(snapshot, files=(file,), place=Place(str(folder)))


def _totals(rows: Sequence[Any]) -> Totals:
    events, partial = sum(row.events for row in rows), sum(row.partial for row in rows)
    return Totals(
        Ledger(read=events + partial, events=events, partial=partial),
        min((row.first_at for row in rows if row.first_at), default=None),
        max((row.last_at for row in rows if row.last_at), default=None),
    )


def _platform(shown: Sequence[int], names: Sequence[str]) -> str | None:
    """The platform that most events show."""
    most = max(shown, default=0)
    return names[list(shown).index(most)] if most else None
