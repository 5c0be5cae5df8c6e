"""Pods of controllers are attributed to whoever wrote the workload, where the log shows it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.app.scan import scan
from kubewitness.detect.makers import with_makers
from kubewitness.detect.pack import Pack
from kubewitness.detect.planning import build_plan
from kubewitness.detect.sigma import parse_rules

if TYPE_CHECKING:
    from pathlib import Path

    from kubewitness.model.alert import Alert

RULES = """
title: Privileged
name: privileged
logsource: {product: kubernetes, service: audit}
detection: {pod: {privileged: true}, condition: pod}
explain: "made {object}"
"""
CONTROLLER = "system:serviceaccount:kube-system:{}-controller"
SPEC = {"containers": [{"name": "c", "image": "i", "securityContext": {"privileged": True}}]}
TEMPLATE = {"template": {"spec": SPEC}}
CRON = {"jobTemplate": {"spec": TEMPLATE}}


def write(minute: int, actor: str, resource: str, name: str, spec: Any, **own: Any) -> dict[str, Any]:
    owner = own.pop("owner", None)
    references = [dict(zip(("kind", "name"), owner.split("/"), strict=True))] if owner else []
    return {
        "auditID": f"{minute}-{name}",
        "stage": "ResponseComplete",
        "verb": "create",
        "requestReceivedTimestamp": f"2026-11-23T08:{minute:02}:00Z",
        "requestURI": f"/apis/apps/v1/namespaces/shop/{resource}",
        "user": {"username": actor},
        "objectRef": {"resource": resource, "namespace": "shop", "name": name},
        "responseStatus": {"code": 201},
        "requestObject": {"metadata": {"name": name, "ownerReferences": references}, "spec": spec},
    } | own


def alerts(folder: Path, *events: dict[str, Any]) -> dict[str, Alert]:
    """Alerts by the actor of their events."""
    file = folder / "audit.log"
    file.write_text("\n".join(map(json.dumps, events)), encoding="utf-8")
    plan = with_makers(build_plan(Pack(tuple(parse_rules(yaml.safe_dump(yaml.safe_load(RULES)), "r.yml")))))
    return {alert.actor or "": alert for alert in scan([str(file)], plan).alerts}


DEPLOYMENT = write(1, "alice", "deployments", "web", TEMPLATE)
REPLICA_SET = write(2, CONTROLLER.format("deployment"), "replicasets", "web-1", TEMPLATE, owner="Deployment/web")
POD = write(3, CONTROLLER.format("replicaset"), "pods", "web-1-x", SPEC, owner="ReplicaSet/web-1")


def test_a_pod_of_a_deployment_is_attributed_to_who_wrote_the_deployment(tmp_path: Path) -> None:
    found = alerts(tmp_path, DEPLOYMENT, REPLICA_SET, POD)
    pod = found[CONTROLLER.format("replicaset")]
    assert pod.attributed_to == ("alice",)
    assert "made for deployment web (namespace shop), which alice wrote at 08:01:00" in pod.explanation
    assert found[CONTROLLER.format("deployment")].attributed_to == ("alice",)
    assert found["alice"].attributed_to == ()


def test_a_pod_of_a_cron_job_is_attributed_to_who_changed_it_last_before(tmp_path: Path) -> None:
    job = write(3, CONTROLLER.format("cronjob"), "jobs", "night-1", TEMPLATE, owner="CronJob/night")
    found = alerts(
        tmp_path,
        write(1, "alice", "cronjobs", "night", CRON),
        write(2, "bob", "cronjobs", "night", CRON, verb="update", responseStatus={"code": 200}),
        job,
        write(4, CONTROLLER.format("job"), "pods", "night-1-x", SPEC, owner="Job/night-1"),
        write(5, "carol", "cronjobs", "night", CRON, verb="patch", responseStatus={"code": 200}),
    )
    assert found[CONTROLLER.format("job")].attributed_to == ("bob",)


def test_a_pod_of_a_daemon_set_needs_one_step(tmp_path: Path) -> None:
    pod = write(2, CONTROLLER.format("daemon-set"), "pods", "agent-x", SPEC, owner="DaemonSet/agent")
    found = alerts(tmp_path, write(1, "alice", "daemonsets", "agent", TEMPLATE), pod)
    assert found[CONTROLLER.format("daemon-set")].attributed_to == ("alice",)


def test_what_a_controller_was_refused_is_attributed_too(tmp_path: Path) -> None:
    refused = POD | {"responseStatus": {"code": 403}, "auditID": "refused"}
    found = alerts(tmp_path, DEPLOYMENT, REPLICA_SET, refused)
    assert found[CONTROLLER.format("replicaset")].attributed_to == ("alice",)


def test_bookkeeping_of_controllers_and_refused_changes_are_nobodys_doing(tmp_path: Path) -> None:
    update: dict[str, Any] = {"verb": "update", "responseStatus": {"code": 200}}
    found = alerts(
        tmp_path,
        DEPLOYMENT,
        write(2, CONTROLLER.format("deployment"), "deployments", "web", TEMPLATE, **update),
        write(2, "mallory", "deployments", "web", TEMPLATE, verb="update", responseStatus={"code": 403}),
        REPLICA_SET,
        POD,
    )
    assert found[CONTROLLER.format("replicaset")].attributed_to == ("alice",)


def test_a_log_that_begins_too_late_attributes_nothing(tmp_path: Path) -> None:
    found = alerts(tmp_path, POD, write(4, "alice", "deployments", "web", TEMPLATE))
    assert found[CONTROLLER.format("replicaset")].attributed_to == ()


def test_a_workload_of_the_same_name_elsewhere_is_another_one(tmp_path: Path) -> None:
    elsewhere = write(1, "alice", "daemonsets", "agent", TEMPLATE)
    elsewhere["objectRef"] |= {"namespace": "test"}
    pod = write(2, CONTROLLER.format("daemon-set"), "pods", "agent-x", SPEC, owner="DaemonSet/agent")
    assert alerts(tmp_path, elsewhere, pod)[CONTROLLER.format("daemon-set")].attributed_to == ()
