"""Use case: a scan of a store, the rules of which Spark asks."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kubewitness.app.judging import Totals
from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.scan import Narrowed, scan
from kubewitness.app.spark.kinds import find_kinds
from kubewitness.app.spark.narrowing import copied
from kubewitness.app.spark.news import find_news, select_news
from kubewitness.app.spark.opening import open_spark
from kubewitness.app.spark.questions import Use, questions_for
from kubewitness.app.spark.selecting import select_events
from kubewitness.model.ledger import Ledger
from kubewitness.query.predicate import ALWAYS
from kubewitness.query.spark_session import MANY_TESTS, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.app.lake.opening import Snapshot
    from kubewitness.app.plans import Loaded
    from kubewitness.app.scan import ScanOptions
    from kubewitness.app.spark.kinds import Kind
    from kubewitness.app.spark.opening import SparkEvents
    from kubewitness.app.spark.questions import Question, Questions
    from kubewitness.detect.plan import Plan
    from kubewitness.model.alert import Report


@dataclass(frozen=True, slots=True)
class Selection:
    """What a scan needs of a store.

    Attributes:
        rows: numbers of the events (see `store.relation`).
        told: what Spark tells of the others.
    """

    rows: list[int]
    told: Narrowed


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
        selection = select(events, snapshot, loaded, plan, options)
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        narrowed = replace(selection.told, snapshot=copied(snapshot, selection.rows, Path(folder)))
        report = scan((), plan, options, narrowed=narrowed)
    return replace(report, duration_s=time.perf_counter() - began)


def select(events: SparkEvents, snapshot: Snapshot, loaded: Loaded, plan: Plan, options: ScanOptions) -> Selection:
    """Find what a scan needs.

    Args:
        events: all events.
        snapshot: of the store that has them.
        loaded: rules, exceptions and platforms.
        plan: the same, planned.
        options: of the scan.
    """
    with settings_of(events.session, MANY_TESTS):
        return _select(events, snapshot, loaded, plan, options)


def _select(events: SparkEvents, snapshot: Snapshot, loaded: Loaded, plan: Plan, options: ScanOptions) -> Selection:
    questions = questions_for(loaded, plan)
    kinds = find_kinds(events, questions.asked)
    found = select_events(events, questions.asked, kinds)
    remembered = sorted((events.place(*kind.first), kind) for kind in _remembered(questions, kinds))
    told = Narrowed(
        snapshot,
        _totals(kinds),
        _platforms(kinds, questions.asked),
        {kind.key: kind.dated for _, kind in remembered if kind.key >= 0},
        sum(kind.lowered for kind in kinds),
    )
    firsts = [row for row, _ in remembered]
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        few = replace(told, snapshot=copied(snapshot, firsts, Path(folder)))
        news = find_news(plan, options, questions.by_kind, few, [kind.key for _, kind in remembered])
    found |= select_news(events, news)
    return Selection(sorted({*firsts, *(events.place(*place) for place in found)}), told)


def _remembered(questions: Questions, kinds: Iterable[Kind]) -> list[Kind]:
    """Kinds that a rule with a memory by kinds matched."""
    numbers = {
        number
        for number, question in enumerate(questions.asked)
        if question.use is Use.REMEMBERED and question.left is None
    }
    return [kind for kind in kinds if not numbers.isdisjoint(kind.answers)]


def _totals(kinds: Sequence[Kind]) -> Totals:
    return Totals(
        Ledger.of(
            events=sum(kind.events for kind in kinds if not kind.partial),
            partial=sum(kind.events for kind in kinds if kind.partial),
        ),
        min((kind.first_at for kind in kinds if kind.first_at), default=None),
        max((kind.last_at for kind in kinds if kind.last_at), default=None),
    )


def _platforms(kinds: Iterable[Kind], questions: Sequence[Question]) -> dict[str | None, str | None]:
    """The platform that most events of a cluster show, by its name."""
    shown = {number: question.name for number, question in enumerate(questions) if question.use is Use.SHOWN}
    counts: dict[str | None, dict[str, int]] = {}
    for kind in kinds:
        own = counts.setdefault(kind.cluster, dict.fromkeys(shown.values(), 0))
        for number in kind.answers & shown.keys():
            own[shown[number]] += kind.events
    return {cluster: max(own, key=own.__getitem__) if any(own.values()) else None for cluster, own in counts.items()}
