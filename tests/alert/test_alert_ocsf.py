"""OCSF: valid findings and activities, nothing invented."""

from __future__ import annotations

import dataclasses
import io
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from py_ocsf_models.events.findings.detection_finding import DetectionFinding

from kubewitness.alert.render import FORMATS
from kubewitness.alert.render.ocsf import VERSION
from kubewitness.app.plans import plan_rules
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.model.alert import Match, Severity

if TYPE_CHECKING:
    from pathlib import Path

    from kubewitness.model.alert import Report

SHELL = {
    "actor": "alice@contoso.com", "actor_kind": "user", "username": "root", "groups": ["system:authenticated"],
    "cluster": "aks-shop", "verb": "get", "resource": "pods", "subresource": "exec", "namespace": "shop",
    "name": "web-0", "code": 101, "source_ip": "203.0.113.7", "user_agent": "kubectl/v1.34",
    "request_uri": "/api/v1/namespaces/shop/pods/web-0/exec?command=sh", "exec_command": "sh",
}  # fmt: skip


@cache
def validator(class_uid: int) -> Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
    name = schema.lookup_class_name_from_uid(class_uid=class_uid)
    return Draft202012Validator(schema.get_class_schema(class_name=name, profiles=[]))


def objects_of(report: Report) -> list[dict[str, Any]]:
    out = io.StringIO()
    FORMATS["ocsf"](report, out)
    objects = [json.loads(line) for line in out.getvalue().splitlines()]
    for each in objects:
        assert [error.message for error in validator(each["class_uid"]).iter_errors(each)] == []
        if each["class_uid"] == 2004:
            DetectionFinding(**each)
    return objects


def activity_of(report: Report, details: dict[str, Any], *, rule_id: str = "r") -> dict[str, Any]:
    at = report.alerts[0].first_at
    match = Match(rule_id, ("B01",), Severity.HIGH, "id-1", "ResponseStarted", "a.log", 3, at, None, details)
    (activity,) = objects_of(dataclasses.replace(report, alerts=(), matches=(match,)))
    return activity


@pytest.mark.parametrize("class_uid", [2004, 6003])
def test_the_validators_can_say_no(class_uid: int) -> None:
    assert list(validator(class_uid).iter_errors({"class_uid": class_uid}))


def test_every_alert_is_a_detection_finding(report: Report) -> None:
    findings = objects_of(dataclasses.replace(report, matches=()))
    assert {each["class_uid"] for each in findings} == {2004}
    assert [each["message"] for each in findings] == [alert.explanation for alert in report.alerts]
    assert [each["severity_id"] for each in findings] == [alert.severity.rank + 1 for alert in report.alerts]
    assert len({each["finding_info"]["uid"] for each in findings}) == len(findings)
    assert findings == objects_of(dataclasses.replace(report, matches=()))


def test_a_sub_technique_names_its_technique(report: Report) -> None:
    alert = dataclasses.replace(report.alerts[0], techniques=("T1098.006",))
    (finding,) = objects_of(dataclasses.replace(report, alerts=(alert,), matches=()))
    (attack,) = finding["finding_info"]["attacks"]
    assert (attack["technique"]["uid"], attack["sub_technique"]["uid"]) == ("T1098", "T1098.006")


def test_evidence_is_bounded_and_counted(report: Report) -> None:
    event = report.alerts[0].events[0]
    events = tuple(dataclasses.replace(event, line=line) for line in range(1, 301))
    alert = dataclasses.replace(report.alerts[0], events=events, count=300)
    (finding,) = objects_of(dataclasses.replace(report, alerts=(alert,), matches=()))
    assert (len(finding["evidences"]), finding["count"]) == (100, 300)


def test_an_alert_that_knows_nothing_is_still_valid(report: Report) -> None:
    event = dataclasses.replace(report.alerts[0].events[0], details={}, audit_id=None, at=None, line=None)
    bare = dataclasses.replace(
        report.alerts[0], events=(event,), cluster=None, actor=None, objects=(), source_ips=(), techniques=(),
        first_at=None, last_at=None, next_steps="",
    )  # fmt: skip
    (finding,) = objects_of(dataclasses.replace(report, alerts=(bare,), matches=()))
    assert "start_time" not in finding


def test_a_matched_event_is_an_api_activity(report: Report) -> None:
    activity = activity_of(report, SHELL)
    assert (activity["type_uid"], activity["status"], activity["status_code"]) == (600302, "Success", "101")
    assert activity["actor"]["user"]["name"] == "alice@contoso.com"
    assert activity["unmapped"]["username"] == "root"
    assert activity["api"] == {
        "operation": "get pods/exec",
        "request": {"uid": "id-1"},
        "response": {"code": 101},
    }
    assert activity["src_endpoint"] == {"ip": "203.0.113.7"}
    assert activity["http_request"]["url"] == {
        "path": "/api/v1/namespaces/shop/pods/web-0/exec",
        "query_string": "command=sh",
    }
    assert activity["resources"] == [{"uid": "pods/shop/web-0", "type": "pods", "name": "web-0", "namespace": "shop"}]


@pytest.mark.parametrize(
    ("verb", "activity"),
    [("create", 1), ("watch", 2), ("patch", 3), ("deletecollection", 4), ("options", 99), (None, 0)],
)
def test_verbs_become_activities(report: Report, verb: str | None, activity: int) -> None:
    assert activity_of(report, {"verb": verb} if verb else {})["activity_id"] == activity


def test_a_refused_request_failed(report: Report) -> None:
    details = SHELL | {"code": 403, "status_reason": "Forbidden", "status_message": "no"}
    activity = activity_of(report, details)
    assert (activity["status_id"], activity["status_detail"]) == (2, "no")
    assert activity["api"]["response"] == {"code": 403, "error": "Forbidden", "message": "no"}


def test_an_empty_group_is_no_group(report: Report) -> None:
    activity = activity_of(report, SHELL | {"groups": ["", "devs"]})
    assert activity["actor"]["user"]["groups"] == [{"name": "devs"}]


def test_an_event_that_several_rules_match_is_one_activity_of_the_worst_severity(report: Report) -> None:
    match = Match("a", (), Severity.LOW, "id", None, "a.log", 1, None, None, SHELL)
    worse = dataclasses.replace(match, rule_id="b", severity=Severity.CRITICAL)
    other = dataclasses.replace(match, line=2)
    activities = objects_of(dataclasses.replace(report, alerts=(), matches=(match, worse, other)))
    assert [[rule["value"] for rule in each["enrichments"]] for each in activities] == [["a", "b"], ["a"]]
    assert [each["severity"] for each in activities] == ["Critical", "Low"]


def test_a_scan_describes_every_match_and_redacts_it(tmp_path: Path) -> None:
    event = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "verb": "get", "auditID": "1",
        "stage": "ResponseStarted", "requestReceivedTimestamp": "2026-11-17T08:00:00.000000Z",
        "requestURI": "/api/v1/namespaces/shop/pods/web-0/exec?command=mysql&command=-psecret-word-9",
        "user": {"username": "alice"}, "responseStatus": {"code": 101}, "sourceIPs": ["203.0.113.7"],
        "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "shop", "name": "web-0"},
    }  # fmt: skip
    log = tmp_path / "audit.log"
    log.write_text(json.dumps(event) + "\n", encoding="utf-8")
    report = scan([str(log)], plan_rules(), ScanOptions(matches=True, detailed=True))
    out = io.StringIO()
    FORMATS["ocsf"](report, out)
    activity = json.loads(out.getvalue().splitlines()[-1])
    assert activity["api"]["operation"] == "get pods/exec"
    assert "secret-word-9" not in out.getvalue()
    FORMATS["sarif"](report, out)
    assert "secret-word-9" not in out.getvalue()
