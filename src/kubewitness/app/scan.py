"""Scan: which rules match these logs, and what became of every record."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.alert.build import build_alert, order_alerts
from kubewitness.alert.redact import Redactor
from kubewitness.app.duplicates import find_cut_duplicates
from kubewitness.app.reading import Tally, Target, read_sources
from kubewitness.detect.matching import CREATE_DUPLICATES, GROUPED, hits_sql
from kubewitness.detect.pack import Pack, load_pack
from kubewitness.detect.plan import DETAILS, Plan, build_plan
from kubewitness.facts import macros
from kubewitness.model.alert import Alert, AlertEvent, Match, Report, Severity
from kubewitness.model.errors import UnreadableError
from kubewitness.model.ledger import Ledger
from kubewitness.query.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

_DETAILED_EVENTS = 100


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What to scan for.

    Attributes:
        min_severity: leave out alerts below.
        since: leave out events before (UTC, naive).
        until: leave out events from here on.
        cluster: name for events whose log does not say.
        matches: whether to list every match besides the alerts.
        reveal: whether to show secrets.
    """

    min_severity: Severity = Severity.INFORMATIONAL
    since: datetime | None = None
    until: datetime | None = None
    cluster: str | None = None
    matches: bool = False
    reveal: bool = False


def scan(paths: Sequence[str], pack: Pack | None = None, options: ScanOptions | None = None) -> Report:
    """Read logs, run all rules, group what matched.

    Args:
        paths: files, directories, globs, `-` for standard input.
        pack: rules; the builtin core rules when None.
        options: what to leave out and what to show.

    Raises:
        UnreadableError: nothing of the paths could be read.
        RuleError: the builtin rules cannot be loaded.
    """
    began = time.perf_counter()
    options = options or ScanOptions()
    plan = build_plan(pack or load_pack())
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        engine = Engine(Path(folder))
        try:
            engine.run(macros())
            report = _Scan(engine, plan, options).run(paths, began)
        finally:
            engine.close()
    return report


class _Scan:
    def __init__(self, engine: Engine, plan: Plan, options: ScanOptions) -> None:
        self._engine = engine
        self._plan = plan
        self._options = options
        self._redactor = Redactor(reveal=options.reveal)

    def run(self, paths: Sequence[str], began: float) -> Report:
        columns = ", ".join(f'"{name}" {type_}' for name, type_ in self._plan.staged.items())
        self._engine.run(f"CREATE TABLE staged ({columns})")
        tally = read_sources(self._engine, paths, Target("staged", self._plan.select, self._plan.above))
        if not tally.sources:
            reasons = "; ".join(f"{item.origin}: {item.reason}" for item in tally.unreadable)
            raise UnreadableError(f"nothing to read: {reasons or 'no file found'}", hint="name files or directories of logs")
        self._name_clusters(tally)
        self._engine.run(CREATE_DUPLICATES)
        find_cut_duplicates(self._engine, tally)
        for statement in hits_sql(self._plan):
            self._engine.run(statement)
        self._filter_hits()
        alerts, matches, clusters = self._collect(tally)
        ledger, first_at, last_at = self._ledger(tally)
        return Report(
            ledger=ledger,
            alerts=order_alerts(alerts),
            matches=tuple(sorted(matches, key=lambda match: (match.source, match.line or 0))),
            clusters=tuple(sorted(clusters | set(tally.clusters.values()))),
            first_at=first_at,
            last_at=last_at,
            rules=sum(rule.alerts for rule in self._plan.rules),
            remarks=tuple(_remarks(tally, ledger)),
            duration_s=time.perf_counter() - began,
        )

    def _name_clusters(self, tally: Tally) -> None:
        """Give a cluster to matched events whose record does not name one: the path's, else the user's."""
        for first_row, end_row, cluster in tally.cluster_rows():
            self._engine.run(
                "UPDATE staged SET cluster = $cluster WHERE cluster IS NULL AND rowid >= $first AND rowid < $end",
                {"cluster": cluster, "first": first_row, "end": end_row},
            )
        for source_id, cluster in tally.clusters.items():
            self._engine.run(
                "UPDATE staged SET cluster = $cluster WHERE cluster IS NULL AND source_id = $source",
                {"cluster": cluster, "source": source_id},
            )
        if self._options.cluster:
            self._engine.run(
                "UPDATE staged SET cluster = $cluster WHERE cluster IS NULL", {"cluster": self._options.cluster}
            )

    def _filter_hits(self) -> None:
        for operator, moment in (("<", self._options.since), (">=", self._options.until)):
            if moment:
                self._engine.run(
                    "DELETE FROM hits WHERE event IN"  # noqa: S608 - the operator is one of two constants
                    f" (SELECT rowid FROM staged WHERE happened_at {operator} $moment)",
                    {"moment": moment},
                )
        below = [
            number
            for number, rule in enumerate(self._plan.rules)
            if rule.info.severity.rank < self._options.min_severity.rank
        ]
        if below:
            self._engine.run("DELETE FROM hits WHERE rule IN (SELECT unnest($below))", {"below": below})

    def _collect(self, tally: Tally) -> tuple[list[Alert], list[Match], set[str]]:
        alerts: list[Alert] = []
        matches: list[Match] = []
        clusters: set[str] = set()
        rows = self._engine.rows(GROUPED)
        for (number, _, _), group in groupby(rows, key=lambda row: (row["rule"], row["cause"], row["stretch"])):
            rule = self._plan.rules[number].info
            members = list(group)
            clusters |= {row["cluster"] for row in members if row["cluster"]}
            events = list(self._events(members, tally))
            alerts.append(build_alert(rule, events, count=len({row["request_key"] for row in members})))
            if self._options.matches:
                matches += [
                    Match(rule.id, rule.catalogue, rule.severity, event.audit_id, event.stage, event.source, event.line,
                          event.at, row["actor"])
                    for event, row in zip(events, members, strict=True)
                ]  # fmt: skip
        return alerts, matches, clusters

    def _events(self, rows: Iterable[dict[str, Any]], tally: Tally) -> Iterator[AlertEvent]:
        for number, row in enumerate(rows):
            origin = tally.origin(row["event"], row["source_id"], row["record_line"])
            details: dict[str, Any] = {}
            if number < _DETAILED_EVENTS:
                known = {name: row[name] for name in DETAILS if row[name] is not None}
                details = dict(self._redactor.details(known))
            yield AlertEvent(row["audit_id"], row["stage"], origin.source, origin.line, row["happened_at"], details)

    def _ledger(self, tally: Tally) -> tuple[Ledger, datetime | None, datetime | None]:
        ((events, partial, duplicates, other, first_at, last_at),) = self._engine.run(
            """
            SELECT
                count(*) FILTER (outcome = 1 AND duplicates.event IS NULL),
                count(*) FILTER (outcome = 2 AND duplicates.event IS NULL),
                count(duplicates.event),
                count(*) FILTER (outcome = 3),
                min(happened_at) FILTER (outcome IN (1, 2)),
                max(happened_at) FILTER (outcome IN (1, 2))
            FROM staged LEFT JOIN duplicates ON duplicates.event = staged.rowid
            """
        )
        other += tally.other
        ledger = Ledger(
            read=events + partial + duplicates + other + tally.rejected,
            events=events,
            partial=partial,
            duplicates=duplicates,
            other=other,
            rejected=tally.rejected,
            rejections=tuple(tally.rejections),
            unreadable=tuple(tally.unreadable),
        )
        return ledger, first_at, last_at


def _remarks(tally: Tally, ledger: Ledger) -> Iterator[str]:
    if tally.left_out:
        names = ", ".join(tally.left_out[:3]) + (" ..." if len(tally.left_out) > 3 else "")  # noqa: PLR2004
        yield f"{len(tally.left_out)} files were left out because their names are not those of logs: {names}"
    if ledger.partial:
        yield (
            f"{ledger.partial} records were cut before they got here: what stands behind the cut"
            " (often times, bodies and the authorization decision) is not known"
        )
