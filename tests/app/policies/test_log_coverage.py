"""What is recorded in a log is found out from its events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.lake.ingest import ingest
from kubewitness.app.policies.log_coverage import coverage_of_log
from kubewitness.model.errors import UnreadableError, UsageError
from kubewitness.model.rule import RuleClass
from kubewitness.policy.coverage import Verdict

if TYPE_CHECKING:
    from pathlib import Path

RULE = """\
title: Shell
name: shell
logsource: {product: kubernetes, service: audit}
detection:
  s: {action: exec}
  condition: s
---
title: Secret by its value
name: value
logsource: {product: kubernetes, service: audit}
detection:
  s: {objectRef.resource: secrets, verb: create, requestObject.data.x|exists: true}
  condition: s
"""


def event(verb: str, resource: str, level: str, *, group: str = "", stage: str = "ResponseComplete") -> dict[str, Any]:
    path = f"/apis/{group}/v1" if group else "/api/v1"
    return {
        "auditID": f"{verb} {resource} {stage}",
        "level": level,
        "stage": stage,
        "verb": verb,
        "requestURI": f"{path}/namespaces/shop/{resource}/x",
        "user": {"username": "alice", "groups": ["system:authenticated"]},
        "objectRef": {"resource": resource, "namespace": "shop", "name": "x", "apiGroup": group, "apiVersion": "v1"},
        "responseStatus": {"code": 200},
    }


AKS = [
    event("get", "pods", "Request"),
    event("patch", "deployments", "RequestResponse", group="apps"),
    event("get", "secrets", "Metadata"),
    event("update", "leases", "Metadata", group="coordination.k8s.io"),
    event("patch", "serviceaccounts", "Metadata"),
    event("patch", "nodes", "RequestResponse"),
    event("list", "events", "Metadata"),
]


def log(folder: Path, events: list[dict[str, Any]]) -> str:
    file = folder / "audit.log"
    file.write_text("".join(json.dumps(item) + "\n" for item in events), "utf-8")
    (folder / "rules.yml").write_text(RULE, "utf-8")
    return str(file)


def asked(folder: Path, events: list[dict[str, Any]]) -> tuple[str, bool, dict[str, Verdict]]:
    found = coverage_of_log([log(folder, events)], [folder / "rules.yml"], builtin=False, classes=list(RuleClass))
    return found.fits[0].name, found.is_inferred, {item.rule.id: item.coverage.verdict for item in found.rules}


def test_a_log_of_aks_is_known_by_its_levels(tmp_path: Path) -> None:
    name, is_inferred, verdicts = asked(tmp_path, AKS)
    assert (name, is_inferred) == ("aks-kube-audit", False)
    assert verdicts == {"shell": Verdict.PARTLY, "value": Verdict.BLIND}


def test_a_store_is_known_by_what_its_log_is_known_by(tmp_path: Path) -> None:
    path, lake = log(tmp_path, AKS), str(tmp_path / "lake")
    ingest([path], lake)
    rules, classes = [tmp_path / "rules.yml"], list(RuleClass)
    stored = coverage_of_log([], rules, store=lake, builtin=False, classes=classes)
    assert stored == coverage_of_log([path], rules, builtin=False, classes=classes)
    with pytest.raises(UsageError, match="no cluster `elsewhere`"):
        coverage_of_log([], rules, store=lake, cluster="elsewhere", builtin=False, classes=classes)


def test_without_reads_it_is_the_category_that_has_none(tmp_path: Path) -> None:
    name, is_inferred, _ = asked(tmp_path, [item for item in AKS if item["verb"] not in {"get", "list"}])
    assert (name, is_inferred) == ("aks-kube-audit-admin", False)


@pytest.mark.parametrize("stages", [("ResponseComplete",), ("RequestReceived", "ResponseComplete")])
def test_everything_with_bodies_is_known_with_and_without_beginnings(tmp_path: Path, stages: tuple[str, ...]) -> None:
    events = [
        event("get", resource, "RequestResponse", stage=stage) for resource in ("pods", "secrets") for stage in stages
    ]
    name, is_inferred, verdicts = asked(tmp_path, events)
    assert (name, is_inferred) == ("request-response", False)
    assert verdicts == {"shell": Verdict.COVERED, "value": Verdict.COVERED}


def test_where_no_known_policy_fits_what_is_seen_counts(tmp_path: Path) -> None:
    events = [event("get", "pods", "Metadata"), event("create", "secrets", "RequestResponse")]
    _, is_inferred, verdicts = asked(tmp_path, events)
    assert is_inferred
    assert verdicts == {"shell": Verdict.BLIND, "value": Verdict.COVERED}


def test_a_log_that_says_no_level_is_refused(tmp_path: Path) -> None:
    events = [{key: value for key, value in item.items() if key != "level"} for item in AKS]
    with pytest.raises(UnreadableError, match="no event says at which level"):
        asked(tmp_path, events)
