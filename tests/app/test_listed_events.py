"""Which of its events an alert lists, when there are too many of them, and what it tells of the others."""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.alert.render import FORMATS
from kubewitness.alert.render.chart import bins
from kubewitness.app import accounts
from kubewitness.app.lake.ingest import ingest
from kubewitness.app.plans import plan_rules
from kubewitness.app.scan import ScanOptions, scan

if TYPE_CHECKING:
    from pathlib import Path

    from kubewitness.model.alert import Alert, Report

RULE = """
title: Config map read
name: config-map-read
logsource: {product: kubernetes, service: audit}
detection:
  read: {verb: get, objectRef.resource: configmaps}
  condition: read
explain: "read {object}"
"""
MOST = 5
EVENTS = 40
OTHERS: dict[int, dict[str, Any]] = {
    20: {"sourceIPs": ["203.0.113.9"], "userAgent": "curl/8"},
    30: {"responseStatus": {"code": 403}},
}
"""What is not like the rest, by minute; another one like the first of these comes at the end."""


def _event(minute: int, **own: Any) -> dict[str, Any]:
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "stage": "ResponseComplete",
        "auditID": f"id-{minute}",
        "verb": "get",
        "user": {"username": "system:serviceaccount:shop:worker"},
        "sourceIPs": ["10.0.0.1"],
        "userAgent": "worker/v1",
        "objectRef": {"resource": "configmaps", "namespace": "shop", "name": f"c-{minute % 10}"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": f"2026-11-17T08:{minute:02}:00.000000Z",
    } | own


@pytest.fixture(params=["files", "store"])
def scanned(request: pytest.FixtureRequest, tmp_path: Path) -> Report:
    """A scan of 40 requests, one a minute, of which an alert lists the first five."""
    rule, log, store = tmp_path / "config-map-read.yml", tmp_path / "audit.log", str(tmp_path / "lake")
    rule.write_text(RULE, encoding="utf-8")
    own = OTHERS | {EVENTS - 1: OTHERS[20]}
    log.write_text("".join(json.dumps(_event(n, **own.get(n, {}))) + "\n" for n in range(EVENTS)), encoding="utf-8")
    plan = plan_rules([rule], builtin=False)
    if request.param == "files":
        return scan([str(log)], plan, ScanOptions(listed=MOST))
    ingest([str(log)], store, is_finished=True)
    return scan([], plan, ScanOptions(listed=MOST, store=store))


@pytest.fixture
def alert(scanned: Report) -> Alert:
    (alert,) = scanned.alerts
    return alert


def test_the_first_events_are_listed_and_the_first_of_each_other_kind(alert: Alert) -> None:
    assert [event.line for event in alert.events] == [1, 2, 3, 4, 5, 21, 31]
    assert (alert.count, alert.size) == (EVENTS, EVENTS)


def test_all_addresses_clients_and_times_are_told(alert: Alert) -> None:
    assert alert.source_ips == ("10.0.0.1", "203.0.113.9")
    assert alert.user_agents == ("worker/v1", "curl/8")
    assert (alert.first_at, alert.last_at) == (datetime(2026, 11, 17, 8, 0), datetime(2026, 11, 17, 8, 39))  # noqa: DTZ001
    assert alert.explanation.endswith("from 10.0.0.1 and 203.0.113.9; some requests did not succeed")


def test_events_are_counted_by_time(alert: Alert) -> None:
    assert alert.unlisted is not None
    assert len(alert.unlisted.times) == EVENTS
    assert sum(count for _, count in alert.unlisted.times) == EVENTS
    assert sum(int(row["high"]) - int(row["low"]) for row in bins([alert])) == EVENTS


def test_reports_say_how_many_are_left_out(scanned: Report) -> None:
    out = io.StringIO()
    FORMATS["json"](scanned, out)
    (fields,) = json.loads(out.getvalue())["alerts"]
    assert (len(fields["events"]), fields["events_left_out"]) == (7, EVENTS - 7)
    page = io.StringIO()
    FORMATS["html"](scanned, page)
    assert f"{EVENTS - 7} more events are not shown here." in page.getvalue()


def test_nothing_is_left_out_of_few_events(tmp_path: Path) -> None:
    rule, log = tmp_path / "config-map-read.yml", tmp_path / "audit.log"
    rule.write_text(RULE, encoding="utf-8")
    log.write_text("".join(json.dumps(_event(n)) + "\n" for n in range(MOST)), encoding="utf-8")
    (alert,) = scan([str(log)], plan_rules([rule], builtin=False), ScanOptions(listed=MOST)).alerts
    assert (len(alert.events), alert.unlisted) == (MOST, None)


@pytest.mark.parametrize("at_once", [10, 10_000])
def test_what_a_phrase_names_is_told_of_all_events_however_many_there_are(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "_READ_AT_ONCE", at_once)
    rule, log = tmp_path / "shell.yml", tmp_path / "audit.log"
    rule.write_text(RULE.replace("configmaps", "pods").replace("read {object}", "ran {command} in {objects}"))
    log.write_text("".join(json.dumps(_exec(n)) + "\n" for n in range(120)), encoding="utf-8")
    (alert,) = scan([str(log)], plan_rules([rule], builtin=False)).alerts
    assert "ran run-0, run-60, run-1 and 117 more in pod p-0" in alert.explanation
    assert alert.explanation.endswith("and 117 more from 10.0.0.1")
    assert len(alert.objects) == 120
    assert "request_uri" in alert.events[0].details
    assert "request_uri" not in alert.events[-1].details


def _exec(number: int) -> dict[str, Any]:
    about = {"resource": "pods", "namespace": "shop", "name": f"p-{number}", "subresource": "exec"}
    path = f"/api/v1/namespaces/shop/pods/p-{number}/exec"
    return _event(number % 60, auditID=f"e-{number}", requestURI=f"{path}?command=run-{number}", objectRef=about)
