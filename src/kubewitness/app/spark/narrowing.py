"""Those events of a store that Spark found, as a store of their own: what is asked of them next is asked here."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.spark.opening import open_spark
from kubewitness.facts import macros
from kubewitness.query.engine import Engine, quoted
from kubewitness.query.predicate import And
from kubewitness.store.files import DataFile, period_of
from kubewitness.store.places import place_of
from kubewitness.store.relation import place_of_row, row_of
from kubewitness.store.table import LISTED, facts_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubewitness.app.events import Logs
    from kubewitness.app.lake.opening import Snapshot
    from kubewitness.query.predicate import Predicate

_PAGE = 100_000
_SELECTED = f"""
SELECT {LISTED} FROM events WHERE "row" IN (SELECT event FROM selected) ORDER BY "row"
"""  # noqa: S608 - our own columns


@contextmanager
def narrowed(logs: Logs, where: Predicate, master: str | None) -> Iterator[Logs]:
    """The events of a store of which a predicate holds, found by Spark; they can be asked as long as the context lasts.

    Args:
        logs: a store, and what of it.
        where: what must hold.
        master: URL of the cluster; None for what the environment says.

    Raises:
        UsageError: PySpark or Java is missing, or the store has no such cluster.
        StoreError: the store cannot be read.
        SparkError: Spark cannot be reached, or refused.
    """
    snapshot = open_snapshot(logs.store or "", since=logs.since, until=logs.until, cluster=logs.cluster)
    with open_spark(snapshot, And((where, logs.period)), master) as events:
        rows = [
            events.place(row.file_path, row.file_row) for row in events.rows("SELECT file_path, file_row FROM events")
        ]
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        yield replace(logs, selected=copied(snapshot, rows, Path(folder)))


def copied(snapshot: Snapshot, rows: Sequence[int], folder: Path) -> Snapshot:
    """A snapshot of some events alone, copied into a data file.

    Args:
        snapshot: of all events.
        rows: numbers of those that are wanted (see `store.relation`).
        folder: where to put the file.
    """
    name = f"{facts_version()}-selected.parquet"
    # Of a store elsewhere only the files are fetched that have one of them.
    placed = [place_of_row(row) for row in rows]
    places = {old: new for new, old in enumerate(sorted({file for file, _ in placed}))}
    few = replace(snapshot, files=tuple(snapshot.files[old] for old in places))
    rows = [row_of(places[file], place) for file, place in placed]
    engine = Engine(folder)
    try:
        engine.run(macros())
        engine.run("CREATE TABLE selected (event BIGINT)")
        for start in range(0, len(rows), _PAGE):
            engine.run("INSERT INTO selected SELECT unnest($rows)", {"rows": list(rows[start : start + _PAGE])})
        query = few.query(_SELECTED)
        target = quoted(str(folder / name))
        engine.run(f"COPY ({query.sql}) TO {target} (FORMAT parquet, COMPRESSION zstd)", query.parameters)
    finally:
        engine.close()
    # The period is that of all events: whether nothing was found because there was nothing is told by it.
    least, greatest = ({"happened_at": at} if at else {} for at in period_of(snapshot.files))
    file = DataFile(name, (folder / name).stat().st_size, len(rows), None, None, least, greatest)
    return replace(snapshot, files=(file,), place=place_of(str(folder)), selected_of=snapshot.events)
