"""Alerts of a store are looked for once, as long as the store stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.events import Logs
from kubewitness.app.investigate import alerts
from kubewitness.app.investigate.alerts import builtin_alerts
from kubewitness.app.lake.ingest import ingest
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.model.alert import Severity

if TYPE_CHECKING:
    from kubewitness.model.alert import Report

ATTACK = Path(__file__).resolve().parents[3] / "examples" / "aks-attack"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = str(tmp_path / "lake")
    ingest([str(ATTACK)], folder, is_finished=True)
    return folder


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[Severity]:
    """The least severity of each scan that is made."""
    found: list[Severity] = []

    def spy(paths: Any, plan: Any, options: ScanOptions) -> Report:
        found.append(options.min_severity)
        return scan(paths, plan, options)

    monkeypatch.setattr(alerts, "scan", spy)
    return found


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "cache" / "kubewitness").glob("alerts-*.json"))


def test_alerts_of_a_store_are_looked_for_once(store: str, scans: list[Severity], tmp_path: Path) -> None:
    logs = Logs(store=store)
    first = builtin_alerts(logs, Severity.LOW)
    assert first == scan((), None, ScanOptions(store=store, min_severity=Severity.LOW)).alerts
    assert first
    assert builtin_alerts(logs, Severity.LOW) == first
    assert scans == [Severity.LOW]
    assert [file.stat().st_mode & 0o077 for file in kept(tmp_path)] == [0]
    assert len(builtin_alerts(logs, Severity.HIGH)) < len(first)
    assert scans == [Severity.LOW, Severity.HIGH]


def test_a_store_that_has_changed_is_scanned_again(store: str, scans: list[Severity], tmp_path: Path) -> None:
    before = builtin_alerts(Logs(store=store), Severity.LOW)
    log = tmp_path / "more.log"
    log.write_text(
        '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"new","stage":"ResponseComplete",'
        '"requestURI":"/api/v1/secrets","verb":"list","user":{"username":"mallory"},"objectRef":{"resource":"secrets"},'
        '"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-11-24T10:00:00.000000Z"}\n'
    )
    ingest([str(log)], store)
    after = builtin_alerts(Logs(store=store), Severity.LOW)
    assert len(scans) == 2
    assert {alert.actor for alert in after} - {alert.actor for alert in before} == {"mallory"}


def test_what_a_scan_missed_because_somebody_wrote_is_not_kept(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scan_and_write(paths: Any, plan: Any, options: ScanOptions) -> Report:
        report = scan(paths, plan, options)
        (tmp_path / "x.log").write_text('{"kind":"Event","auditID":"x","stage":"ResponseComplete","verb":"get"}\n')
        ingest([str(tmp_path / "x.log")], store)
        return report

    monkeypatch.setattr(alerts, "scan", scan_and_write)
    assert builtin_alerts(Logs(store=store), Severity.LOW)
    assert not kept(tmp_path)


def test_secrets_that_are_shown_are_not_kept(store: str, scans: list[Severity], tmp_path: Path) -> None:
    for _ in range(2):
        assert builtin_alerts(Logs(store=store), Severity.LOW, reveal=True)
    assert len(scans) == 2
    assert not kept(tmp_path)


def test_a_broken_cache_is_no_error(store: str, scans: list[Severity], tmp_path: Path) -> None:
    first = builtin_alerts(Logs(store=store), Severity.LOW)
    for file in kept(tmp_path):
        file.write_text("[{}]")
    assert builtin_alerts(Logs(store=store), Severity.LOW) == first
    assert len(scans) == 2
