"""Use case: a scan of a store, the rules of which Spark asks."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.app.judging import Totals
from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.scan import Narrowed, scan
from kubewitness.app.spark.narrowing import copied
from kubewitness.app.spark.opening import open_spark
from kubewitness.app.spark.selecting import select_for
from kubewitness.model.ledger import Ledger
from kubewitness.query.predicate import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.app.plans import Loaded
    from kubewitness.app.scan import ScanOptions
    from kubewitness.detect.plan import Plan
    from kubewitness.model.alert import Report


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
    began = time.perf_counter()
    snapshot = open_snapshot(options.store or "", since=options.since, until=options.until, cluster=options.cluster)
    with open_spark(snapshot, ALWAYS, master) as events:
        selection = select_for(loaded, datetime.now(UTC).date())
        totals = events.rows(selection.totals)
        events.keep("judged", selection.judged)
        needed = [events.place(row.file_path, row.file_row) for row in events.rows(selection.needed)]
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        narrowed = Narrowed(
            copied(snapshot, needed, Path(folder)),
            _totals(totals),
            {row.cluster: _platform(row.shown, selection.platforms) for row in totals},
        )
        report = scan((), plan, options, narrowed=narrowed)
    return replace(report, duration_s=time.perf_counter() - began)


def _totals(rows: Sequence[Any]) -> Totals:
    events, partial = sum(row.events for row in rows), sum(row.partial for row in rows)
    return Totals(
        Ledger.of(events=events, partial=partial),
        min((row.first_at for row in rows if row.first_at), default=None),
        max((row.last_at for row in rows if row.last_at), default=None),
    )


def _platform(shown: Sequence[int], names: Sequence[str]) -> str | None:
    """The platform that most events show."""
    most = max(shown, default=0)
    return names[list(shown).index(most)] if most else None
