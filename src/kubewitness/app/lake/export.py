"""Use case: writing the records of a store back as JSON."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kubewitness.app.lake.opening import open_snapshot
from kubewitness.facts import macros
from kubewitness.query.engine import Engine
from kubewitness.query.filters import parse_filter
from kubewitness.query.lower import lower
from kubewitness.query.predicate import ALWAYS, And
from kubewitness.store.original import WRITTEN, written_back

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.app.events import Logs


def export_records(logs: Logs, text: str | None = None) -> Iterator[bytes]:
    """Yield the record of each event of a store, by time, as one line of JSON without newline.

    A record that was cut is given as it was written.

    Args:
        logs: a store, and what of it.
        text: a filter; see docs/reference/filters.md.

    Raises:
        FilterError: the filter cannot be understood.
        StoreError: the store cannot be read.
        UsageError: it has no such cluster.
    """
    where = And((parse_filter(text) if text else ALWAYS, logs.period))
    snapshot = open_snapshot(logs.store or "", since=logs.since, until=logs.until, cluster=logs.cluster)
    listed = ", ".join((*WRITTEN, "remainder", "raw"))
    query = snapshot.query(
        f"SELECT {listed} FROM events WHERE {lower(where).sql('duckdb')} ORDER BY happened_at, source, line"  # noqa: S608 - of predicates
    )
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        engine = Engine(Path(folder))
        try:
            engine.run(macros())
            for row in engine.each_row(query.sql, query.parameters):
                yield written_back(row)
        finally:
            engine.close()
