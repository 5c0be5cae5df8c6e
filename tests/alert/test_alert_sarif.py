"""SARIF: valid, located, harmless."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from sarif_kit.validate import validation_errors

from kubewitness.alert.render import FORMATS
from kubewitness.model.alert import Report, Severity
from kubewitness.model.ledger import Ledger, Origin, Rejection

if TYPE_CHECKING:
    from kubewitness.model.alert import Alert


def log_of(report: Report) -> dict[str, Any]:
    out = io.StringIO()
    FORMATS["sarif"](report, out)
    log: dict[str, Any] = json.loads(out.getvalue())
    assert validation_errors(log) == []
    return log


def run_of(report: Report) -> dict[str, Any]:
    (run,) = log_of(report)["runs"]
    found: dict[str, Any] = run
    return found


def test_the_validator_can_say_no() -> None:
    assert validation_errors({"version": "2.1.0", "runs": [{"tool": {}}]})


def test_a_report_is_a_valid_log(report: Report) -> None:
    run = run_of(report)
    assert len(run["results"]) == len(report.alerts)
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [alert.rule_id for alert in report.alerts]
    assert run["properties"]["ledger"]["read"] == report.ledger.read


def test_a_report_without_alerts_is_a_valid_log(report: Report) -> None:
    assert run_of(dataclasses.replace(report, alerts=(), remarks=(), ledger=Ledger()))["results"] == []


def test_severities_become_levels_and_scores(report: Report) -> None:
    alerts = tuple(
        dataclasses.replace(report.alerts[0], severity=severity, rule_id=severity.value) for severity in Severity
    )
    run = run_of(dataclasses.replace(report, alerts=alerts))
    assert [result["level"] for result in run["results"]] == ["note", "note", "warning", "error", "error"]
    scores = [float(rule["properties"]["security-severity"]) for rule in run["tool"]["driver"]["rules"]]
    assert scores == sorted(scores)
    assert [score >= 7 for score in scores] == [False, False, False, True, True]


def test_events_are_places(report: Report) -> None:
    event = report.alerts[0].events[0]
    events = tuple(dataclasses.replace(event, line=line) for line in range(1, 251))
    alert = dataclasses.replace(report.alerts[0], events=events, count=250)
    (result,) = run_of(_report_of(alert))["results"]
    first = result["locations"][0]["physicalLocation"]
    assert first == {"artifactLocation": {"uri": "logs/PT1H.json"}, "region": {"startLine": 1}}
    assert len(result["relatedLocations"]) == 100
    assert (result["occurrenceCount"], result["properties"]["events"]) == (250, 250)


@pytest.mark.parametrize(
    ("source", "uri"),
    [
        ("logs/a b.json", "logs/a%20b.json"),
        ("/var/log/audit.log", "file:///var/log/audit.log"),
        ("resourceId=/X/y=2026/PT1H.json", "resourceId%3D/X/y%3D2026/PT1H.json"),
        ("c:evil?x#y.log", "c%3Aevil%3Fx%23y.log"),
        ("-", "stdin"),
        ("bad\udcff.log", "bad%FF.log"),
    ],
)
def test_a_source_is_a_uri(report: Report, source: str, uri: str) -> None:
    event = dataclasses.replace(report.alerts[0].events[0], source=source)
    alert = dataclasses.replace(report.alerts[0], events=(event,))
    (result,) = run_of(_report_of(alert))["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_text_of_the_log_makes_no_link_placeholder_or_hidden_character(report: Report) -> None:
    text = "ran `{0}` [here](http://evil.example) a[0] \x1b[2J\u202e"
    alert = dataclasses.replace(report.alerts[0], explanation=text)
    (result,) = run_of(_report_of(alert))["results"]
    assert result["message"]["text"] == r"ran `{{0}}` \[here](http://evil.example) a[0] \x1b[2J\u202e"


def test_the_same_cause_has_the_same_fingerprint_at_another_time(report: Report) -> None:
    first = report.alerts[0]
    later = dataclasses.replace(first, first_at=None, count=9)
    other = dataclasses.replace(first, actor="eve")
    prints = [
        result["partialFingerprints"]["cause/v1"]
        for alert in (first, later, other)
        for result in run_of(_report_of(alert))["results"]
    ]
    assert prints[0] == prints[1] != prints[2]


def test_what_could_not_be_read_is_a_notification(report: Report) -> None:
    ledger = Ledger(
        read=1,
        rejected=1,
        rejections=(Rejection("no JSON", Origin("a.log", 7)),),
        unreadable=(Rejection("permission denied", Origin("b.log")),),
    )
    (invocation,) = run_of(dataclasses.replace(report, alerts=(), remarks=("cut",), ledger=ledger))["invocations"]
    assert invocation["executionSuccessful"] is False
    notes = [(each["level"], each["message"]["text"]) for each in invocation["toolExecutionNotifications"]]
    assert notes == [("note", "cut"), ("warning", "permission denied"), ("warning", "no JSON")]


def _report_of(*alerts: Alert) -> Report:
    return Report(
        ledger=Ledger(), alerts=alerts, matches=(), clusters=(), first_at=None, last_at=None, rules=1, remarks=(),
        duration_s=0.0,
    )  # fmt: skip
