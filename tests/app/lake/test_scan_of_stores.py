"""A scan of a store finds what a scan of its files finds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kubewitness.app.lake import ingest as ingesting
from kubewitness.app.lake import judging
from kubewitness.app.lake.ingest import ingest
from kubewitness.app.lake.upkeep import compact
from kubewitness.app.plans import plan_rules
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.model.rule import RuleClass

if TYPE_CHECKING:
    from kubewitness.model.alert import Report

ROOT = Path(__file__).resolve().parents[3]
LOGS = {
    "examples": ROOT / "examples" / "aks-attack",
    "shapes": ROOT / "tests" / "fixtures" / "shapes",
    "cluster": ROOT / "tests" / "fixtures" / "cluster" / "cluster.ndjson.zst",
}


def _matches(report: Report) -> Counter[tuple[object, ...]]:
    return Counter(
        (each.rule_id, each.audit_id, each.stage, each.source, each.line, each.at, each.actor)
        for each in report.matches
    )


def _alerts(report: Report) -> Counter[tuple[object, ...]]:
    return Counter((each.rule_id, each.explanation, each.count, each.first_at, each.last_at) for each in report.alerts)


@pytest.mark.parametrize("log", LOGS)
def test_the_same_matches_and_alerts_come_out_of_a_store(
    log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingesting, "_BATCH_BYTES", 50 << 20)  # several files
    plan = plan_rules(classes=tuple(RuleClass))
    options = ScanOptions(matches=True)
    store = str(tmp_path / "lake")
    ingest([str(LOGS[log])], store, is_finished=True, piece_bytes=25 << 20)
    of_logs = scan([str(LOGS[log])], plan, options)
    of_store = scan([], plan, ScanOptions(matches=True, store=store))
    assert of_logs.matches
    assert _matches(of_store) == _matches(of_logs)
    assert _alerts(of_store) == _alerts(of_logs)
    assert of_store.clusters == of_logs.clusters
    assert of_store.platforms == of_logs.platforms
    assert (of_store.ledger.events, of_store.ledger.partial) == (of_logs.ledger.events, of_logs.ledger.partial)
    assert (of_store.first_at, of_store.last_at) == (of_logs.first_at, of_logs.last_at)
    if log == "cluster":
        compact(store)
        assert _alerts(scan([], plan, ScanOptions(matches=True, store=store))) == _alerts(of_logs)


def test_how_events_are_looked_up_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_rules(classes=tuple(RuleClass))
    store = str(tmp_path / "lake")
    ingest([str(LOGS["examples"]), str(LOGS["shapes"])], store, is_finished=True)
    options = ScanOptions(matches=True, store=store)
    expected = scan([], plan, options)
    assert expected.matches
    monkeypatch.setattr(judging, "_FEW_ROWS", 0)
    monkeypatch.setattr(judging, "_MOST_RESOURCES", 1)
    assert _matches(scan([], plan, options)) == _matches(expected)
