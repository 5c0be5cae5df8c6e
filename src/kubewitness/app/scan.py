"""Scan: which rules match these logs, and what became of every record."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kubewitness.alert.build import order_alerts
from kubewitness.alert.redact import Redactor
from kubewitness.app.accounts import Accounts
from kubewitness.app.baselines import load_baseline
from kubewitness.app.exceptions import AUTO, exception_uses, find_clusters, platforms_of, take_out
from kubewitness.app.judging import judge
from kubewitness.app.plans import plan_rules
from kubewitness.detect.hits import find_hits
from kubewitness.facts import macros
from kubewitness.model.alert import Report, Severity
from kubewitness.query.engine import Engine
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from kubewitness.app.exceptions import Cluster
    from kubewitness.app.judging import Judged, Totals
    from kubewitness.app.lake.opening import Snapshot
    from kubewitness.app.readings import Reading
    from kubewitness.detect.plan import Plan
    from kubewitness.model.ledger import Ledger

LISTED_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What to scan for.

    Attributes:
        min_severity: leave out alerts below.
        since: leave out events before (UTC, naive).
        until: leave out events from here on.
        cluster: name for events whose log does not say.
        matches: whether to list every match besides the alerts.
        alerts: whether to make alerts; without them a match tells its rule, time and origin only.
        detailed: whether to say of every match what its event was about.
        reveal: whether to show secrets.
        baseline: file of what is known already.
        store: a store to read instead of paths; `cluster` is then the only one wanted.
        listed: how many of its events an alert lists from the first one on, besides one of each kind.
        platform: name of the platform of all clusters; `auto` finds out, `none` is none that is known.
    """

    min_severity: Severity = Severity.INFORMATIONAL
    since: datetime | None = None
    until: datetime | None = None
    cluster: str | None = None
    matches: bool = False
    alerts: bool = True
    detailed: bool = False
    reveal: bool = False
    platform: str = AUTO
    baseline: Path | None = None
    store: str | None = None
    listed: int = LISTED_EVENTS


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Those events of a store that a scan needs to come to the same alerts as one over all of them.

    Attributes:
        snapshot: of these events.
        totals: of all events.
        platforms: name of the platform that most events of a cluster show, or None, by the cluster's name.
        counts: how many events there are of each kind that a rule with a memory matched, by the stored kind.
        lowered: of how many of all events a policy has taken something since they were taken into the store.
    """

    snapshot: Snapshot
    totals: Totals
    platforms: Mapping[str | None, str | None]
    counts: Mapping[int, int]
    lowered: int = 0


def scan(
    paths: Sequence[str],
    plan: Plan | None = None,
    options: ScanOptions | None = None,
    *,
    narrowed: Narrowed | None = None,
) -> Report:
    """Read logs, run all rules, group what matched.

    Args:
        paths: files, directories, globs, `-` for standard input.
        plan: rules to run; the builtin core rules when None.
        options: what to leave out and what to show.
        narrowed: what to judge instead of paths or a store.

    Raises:
        UnreadableError: nothing of the paths could be read.
        RuleError: the builtin rules cannot be loaded.
    """
    began = time.perf_counter()
    with _started(plan or plan_rules(), options or ScanOptions(), narrowed) as started:
        return started.run(paths, began)


@contextmanager
def answered(plan: Plan, options: ScanOptions, narrowed: Narrowed) -> Iterator[Engine]:
    """An engine with the answers of the rules of single events, as a scan has them before it looks for hits.

    Args:
        plan: rules to run.
        options: as of a scan.
        narrowed: what to judge.
    """
    with _started(plan, options, narrowed) as started:
        started.answer(())
        yield started.engine


@contextmanager
def _started(plan: Plan, options: ScanOptions, narrowed: Narrowed | None) -> Iterator[_Scan]:
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        engine = Engine(Path(folder))
        try:
            engine.run(macros())
            yield _Scan(engine, plan, options, Path(folder), narrowed)
        finally:
            engine.close()


class _Scan:
    def __init__(
        self, engine: Engine, plan: Plan, options: ScanOptions, folder: Path, narrowed: Narrowed | None
    ) -> None:
        self.engine = engine
        self._narrowed = narrowed
        self._plan = plan
        self._options = options
        self._folder = folder
        self._redactor = Redactor(reveal=options.reveal)

    def answer(self, paths: Sequence[str]) -> tuple[Judged, list[Cluster]]:
        """Ask the rules of single events, and take out of the answers what exceptions say."""
        judged = self._judge(paths)
        clusters = find_clusters(self.engine, self._plan, judged.evidence, self._options.platform)
        if self._narrowed and self._options.platform == AUTO:
            clusters = [replace(each, platform=self._narrowed.platforms.get(each.name)) for each in clusters]
        take_out(self.engine, self._plan, clusters, self._options.platform)
        if self._options.baseline:
            load_baseline(self.engine, self._plan, self._options.baseline)
        return judged, clusters

    def run(self, paths: Sequence[str], began: float) -> Report:
        """Scan, from which on it took as long as is said in the report."""
        options = self._options
        judged, clusters = self.answer(paths)
        find_hits(self.engine.run, self._plan)
        below = self._below()
        self._filter_hits(below)
        accounts = Accounts(self.engine, self._plan, judged, self._redactor)
        alerts = accounts.alerts(options.listed) if options.alerts else []
        matches = accounts.matches(described=options.detailed, bare=not options.alerts) if options.matches else []
        ledger, first_at, last_at = self._ledger(judged.reading, judged.totals)
        return Report(
            ledger=ledger,
            alerts=order_alerts(alerts),
            matches=tuple(sorted(matches, key=lambda match: (match.source, match.line or 0))),
            clusters=tuple(sorted(each.name for each in clusters if each.name)),
            first_at=first_at,
            last_at=last_at,
            rules=sum(rule.alerts for rule in self._plan.rules),
            remarks=tuple(_remarks(judged, ledger)),
            duration_s=time.perf_counter() - began,
            platforms=platforms_of(clusters, self._options.platform),
            exceptions=exception_uses(
                self.engine,
                self._plan,
                below=below,
                since=self._options.since,
                until=self._options.until,
            ),
        )

    def _judge(self, paths: Sequence[str]) -> Judged:
        options = self._options
        if self._narrowed:
            return self._judge_narrowed(self._narrowed)
        if options.store is None:
            return judge(self.engine, self._plan, paths, self._folder, cluster=options.cluster)
        from kubewitness.app.lake.opening import open_snapshot  # noqa: PLC0415 - it takes long to import

        snapshot = open_snapshot(options.store, since=options.since, until=options.until, cluster=options.cluster)
        return replace(self._judge_stored(snapshot), lowered=snapshot.count_lowered(self.engine))

    def _judge_narrowed(self, narrowed: Narrowed) -> Judged:
        from kubewitness.app.lake.judging import note_unread  # noqa: PLC0415 - only stores need it

        judged = self._judge_stored(narrowed.snapshot)
        note_unread(self.engine, narrowed.snapshot, narrowed.counts)
        return replace(judged, totals=narrowed.totals, lowered=narrowed.lowered)

    def _judge_stored(self, snapshot: Snapshot) -> Judged:
        from kubewitness.app.lake.judging import judge_store  # noqa: PLC0415 - only stores need it

        return judge_store(self.engine, self._plan, snapshot, self._folder)

    def _below(self) -> list[int]:
        """Numbers of rules whose alerts are not wanted."""
        least = self._options.min_severity.rank
        return [number for number, rule in enumerate(self._plan.rules) if rule.info.severity.rank < least]

    def _filter_hits(self, below: list[int]) -> None:
        for operator, moment in (("<", self._options.since), (">=", self._options.until)):
            if moment:
                self.engine.run(
                    "DELETE FROM hits WHERE event IN"  # noqa: S608 - the operator is one of two constants
                    f" (SELECT rowid FROM staged WHERE happened_at {operator} $moment)",
                    {"moment": moment},
                )
        if below:
            self.engine.run("DELETE FROM hits WHERE rule IN (SELECT unnest($below))", {"below": below})

    def _ledger(self, reading: Reading, totals: Totals | None) -> tuple[Ledger, datetime | None, datetime | None]:
        if totals is not None:
            return totals.ledger, totals.first_at, totals.last_at
        ((events, partial, duplicates, other, first_at, last_at),) = self.engine.run(
            """
            SELECT
                count(*) FILTER (outcome = 1),
                count(*) FILTER (outcome = 2),
                count(*) FILTER (outcome = 4),
                count(*) FILTER (outcome = 3),
                min(happened_at) FILTER (outcome IN (1, 2, 4)),
                max(happened_at) FILTER (outcome IN (1, 2, 4))
            FROM staged
            """
        )
        ledger = reading.ledger(events=events, partial=partial, duplicates=duplicates, other=other)
        return ledger, first_at, last_at


def _remarks(judged: Judged, ledger: Ledger) -> Iterator[str]:
    reading = judged.reading
    if judged.lowered:
        yield (
            f"{judged.lowered:,} events are not as they were taken: a policy has lowered them since"
            " (kubewitness store info), and rules do not see what it took away"
        )
    if judged.unjudged:
        yield f"{counted(judged.unjudged, 'event')} could not be read a second time, so most rules did not see them"
    if reading.left_out:
        names = ", ".join(reading.left_out[:3]) + (" ..." if len(reading.left_out) > 3 else "")  # noqa: PLR2004
        yield f"left out {counted(len(reading.left_out), 'file')} by name, as no logs: {names}"
    if ledger.partial:
        yield (
            f"{counted(ledger.partial, 'record was', 'records were')} cut before they got here:"
            " what stands behind the cut (often times, bodies and the authorization decision) is not known"
        )
