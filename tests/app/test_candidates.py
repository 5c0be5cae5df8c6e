"""Kinds and candidates: what cannot be read again is told; a log without two events alike is judged like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app import candidates
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.detect.kinds import seen_columns
from kubewitness.detect.pack import Pack
from kubewitness.detect.planning import build_plan
from kubewitness.detect.sigma import parse_rules
from kubewitness.query.engine import Engine, EngineError

if TYPE_CHECKING:
    from kubewitness.detect.plan import Plan

RULES = """
title: A secret read
name: secret-read-by-anybody
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: get, objectRef.resource: secrets}, condition: s}
level: low
---
title: A privileged pod
name: privileged-pod-made
logsource: {product: kubernetes, service: audit}
detection: {s: {privileged: true}, condition: s}
level: high
"""
POD = {"kind": "Pod", "spec": {"containers": [{"name": "a", "securityContext": {"privileged": True}}]}}


def plan() -> Plan:
    return build_plan(Pack(tuple(parse_rules(RULES, "rules.yml"))))


def event(number: int, **more: Any) -> dict[str, Any]:
    at = f"2026-11-24T10:{number // 60:02}:{number % 60:02}.000000Z"
    own = {"auditID": f"a-{number}", "stage": "ResponseComplete", "requestReceivedTimestamp": at, "requestURI": "/x"}
    return own | {"user": {"username": "alice"}, "responseStatus": {"code": 200}} | more


def written(folder: Path, events: list[dict[str, Any]]) -> str:
    file = folder / "audit.log"
    file.write_text("".join(json.dumps(each) + "\n" for each in events), encoding="utf-8")
    return str(file)


def mixed(number: int, agent: str) -> dict[str, Any]:
    if number % 3:
        return event(number, verb="get", userAgent=agent, objectRef={"resource": "secrets", "name": f"s-{number}"})
    body = POD if number % 2 else POD | {"spec": {"containers": [{"name": "a"}]}}
    reference = {"resource": "pods", "name": f"p-{number}"}
    return event(number, verb="create", userAgent=agent, objectRef=reference, requestObject=body)


def test_it_does_not_matter_how_many_kinds_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alike = [mixed(number, "kubectl") for number in range(60)]
    expected = {(match.rule_id, match.line) for match in scan([written(tmp_path, alike)], plan(), ALL).matches}
    assert len(expected) == 40 + 10
    monkeypatch.setattr(candidates, "_BATCH_ROWS", 7)
    different = [mixed(number, f"kubectl/{number}") for number in range(60)]
    found = {(match.rule_id, match.line) for match in scan([written(tmp_path, different)], plan(), ALL).matches}
    assert found == expected


ALL = ScanOptions(matches=True)


def test_what_most_rules_ask_has_one_answer_for_a_kind() -> None:
    # A rule that asks anything else reads all events again that could match.
    assert {"verb", "resource", "subresource", "namespace", "actor", "actor_kind", "action", "carried_out", "code"} <= (
        seen_columns()
    )


NAMED = """
title: Labels of a well-known configuration
name: configuration-labelled
logsource: {product: kubernetes, service: audit}
detection:
  s: {verb: update, objectRef.resource: configmaps, objectRef.name: argocd-cm, object_labels|exists: true}
  condition: s
level: low
---
title: Labels of a widget of the same name
name: widget-labelled
logsource: {product: kubernetes, service: audit}
detection:
  s: {verb: update, objectRef.resource: widgets, objectRef.name: argocd-cm, object_labels|exists: true}
  condition: s
level: low
"""


def test_of_what_is_written_often_only_events_with_the_right_name_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def update(number: int, resource: str) -> dict[str, Any]:
        reference = {"resource": resource, "name": "argocd-cm" if number % 10 == 5 else f"n-{number}"}
        return event(number, verb="update", objectRef=reference, requestObject={"metadata": {"labels": {"a": "b"}}})

    read_again: list[int] = []
    judge = candidates.Candidates._judge_candidates

    def counting(self: candidates.Candidates, rows: list[int]) -> None:
        read_again.extend(rows)
        judge(self, rows)

    monkeypatch.setattr(candidates.Candidates, "_judge_candidates", counting)
    log = written(tmp_path, [update(number, "widgets" if number // 20 else "configmaps") for number in range(40)])
    rules = build_plan(Pack(tuple(parse_rules(NAMED, "rules.yml"))))
    found = {(match.rule_id, match.line) for match in scan([log], rules, ALL).matches}
    assert found == {
        ("configuration-labelled", 6),
        ("configuration-labelled", 16),
        ("widget-labelled", 26),
        ("widget-labelled", 36),
    }
    # Nobody writes widgets often: all of them are read again.
    assert len(read_again) == 2 + 20


def test_events_that_are_gone_when_they_are_read_again_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, [mixed(number, "kubectl") for number in range(30)])
    original = candidates.Candidates.add

    def add(self: candidates.Candidates, spans: Any) -> None:
        Path(spans[0].part.path).write_bytes(b"")
        original(self, spans)

    monkeypatch.setattr(candidates.Candidates, "add", add)
    report = scan([file], plan(), ALL)
    assert report.ledger.events == 30
    assert not report.matches
    assert any("30 events could not be read a second time" in remark for remark in report.remarks)


def in_an_envelope(each: dict[str, Any], cluster: str) -> str:
    resource = f"/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/{cluster}"
    return json.dumps({"category": "kube-audit", "resourceId": resource, "properties": {"log": json.dumps(each)}})


@pytest.mark.parametrize("refused", [False, True], ids=["at once", "each apart, when the engine refuses"])
def test_parts_of_several_shapes_and_clusters_are_asked_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, refused: bool
) -> None:
    events = [mixed(number, f"kubectl/{number % 5}") for number in range(60)]
    whole = {(match.rule_id, match.line) for match in scan([written(tmp_path, events)], plan(), ALL).matches}
    for number, each in enumerate(events):
        folder = tmp_path / "logs" / f"{number:02}"
        folder.mkdir(parents=True)
        text = json.dumps(each) if number % 2 else in_an_envelope(each, f"c{number % 3}")
        (folder / "a.json").write_text(f"{text}\n", encoding="utf-8")
    asked: list[str] = []
    original = Engine.run

    def run(self: Engine, sql: str, parameters: Any = None) -> Any:
        if "gathered" in sql and "again AS" in sql:
            asked.append(sql)
            if refused:
                raise EngineError("refused")
        return original(self, sql, parameters)

    monkeypatch.setattr(Engine, "run", run)
    found = scan([str(tmp_path / "logs")], plan(), ALL)
    assert {(match.rule_id, int(Path(match.source).parent.name) + 1) for match in found.matches} == whole
    assert len(asked) == 1
    assert not found.remarks


def test_parts_wait_until_there_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [mixed(number, "kubectl") for number in range(60)]
    expected = {(match.rule_id, match.line) for match in scan([written(tmp_path, events)], plan(), ALL).matches}
    monkeypatch.setattr(candidates, "_FEW_ROWS", 1)
    found = {(match.rule_id, match.line) for match in scan([written(tmp_path, events)], plan(), ALL).matches}
    assert found == expected
