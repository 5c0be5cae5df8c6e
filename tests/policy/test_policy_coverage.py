"""What logs could show: known truths about well-known logs, and advice that proves itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubewitness.model.recording import Level
from kubewitness.policy.advise import Noise, advise, noise_of, policy_text
from kubewitness.policy.comparison import compare
from kubewitness.policy.coverage import Recording, Verdict, coverage
from kubewitness.policy.load import load_policy, policy_of
from kubewitness.policy.recordings import find_recording, recordings
from kubewitness.query.filters import parse_filter

CASES = yaml.safe_load(Path(__file__).with_name("coverage.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['filter']} in {case['in']}")
def test_coverage_says_what_is_known_of_these_logs(case: dict[str, Any]) -> None:
    found = coverage(parse_filter(case["filter"]), find_recording(case["in"]))
    assert found.verdict == case["verdict"], found.gaps
    wanted = dict(case.get("not", {}))
    told = [
        {
            "cause": gap.cause.value,
            "needed": gap.needed.value if gap.needed else None,
            "rule": gap.rule,
            **dict(gap.where),
        }
        for gap in found.gaps
    ]
    assert not wanted or any(wanted.items() <= each.items() for each in told), told
    assert bool(told) == bool(wanted)


@pytest.mark.parametrize("name", sorted(recordings()))
def test_builtin_policies_are_what_kube_apiserver_would_load(name: str) -> None:
    recording = recordings()[name]
    assert recording.policy.rules
    assert recording.title
    assert recording.about


DETECTIONS = {
    "shell": "action:exec",
    "privileged": "privileged:true",
    "secrets": "resource:secrets verb:(get list) NOT user:system*",
    "lease": "resource:leases verb:update user:mallory",
    "begins": "stage:RequestReceived resource:pods verb:patch",
    "answer": "resource:configmaps responseObject.data.x:*",
}


def test_an_advised_policy_covers_what_it_was_advised_for() -> None:
    detections = {name: parse_filter(text) for name, text in DETECTIONS.items()}
    advice = advise(detections)
    policy = policy_of(load_policy(policy_text(advice).encode()), "advised")
    assert policy.rules == advice.policy.rules
    verdicts = {name: coverage(predicate, Recording(policy)).verdict for name, predicate in detections.items()}
    assert set(verdicts.values()) == {Verdict.COVERED}
    assert advice.impossible == ()


@pytest.mark.parametrize("name", sorted(DETECTIONS))
def test_an_advised_policy_records_no_more_than_one_detection_needs(name: str) -> None:
    policy = advise({name: parse_filter(DETECTIONS[name])}).policy
    others = {
        other
        for other, text in DETECTIONS.items()
        if coverage(parse_filter(text), Recording(policy)).verdict is Verdict.COVERED
    }
    assert others == {name}
    assert policy.rules[-1].level is Level.NONE


def test_noise_that_a_detection_is_about_is_kept() -> None:
    noise = (Noise(users=("mallory",), group="coordination.k8s.io", resources=("leases",)),)
    wanted = {"lease": parse_filter(DETECTIONS["lease"])}
    assert advise(wanted, noise).policy.rules[0].level is Level.METADATA
    other = (Noise(users=("alice",), group="coordination.k8s.io", resources=("leases",)),)
    assert advise(wanted, other).policy.rules[0].users == ("alice",)


def test_clients_of_a_log_are_left_out_together_where_nothing_is_about_them() -> None:
    clients = [
        ("alice", "leases.coordination.k8s.io"),
        ("bob", "leases.coordination.k8s.io"),
        ("mallory", "leases.coordination.k8s.io"),
        ("bob", "pods/exec"),
        ("bob", "(paths)"),
        ("carol", "deployments/scale.apps"),
    ]
    first, *rest = advise({"lease": parse_filter(DETECTIONS["lease"])}, noise_of(clients)).policy.rules
    assert (first.level, first.users) == (Level.NONE, ("alice", "bob"))
    assert [(item.group, item.resources) for item in first.resources] == [("coordination.k8s.io", ("leases",))]
    assert all(not rule.users for rule in rest)
    assert noise_of(clients[-1:])[0].resources == ("deployments/scale",)
    assert noise_of(clients[-1:])[0].group == "apps"


def test_what_no_policy_could_show_is_named() -> None:
    assert advise({"never": parse_filter("verb:get AND verb:list")}).impossible == ("never",)


def test_a_policy_is_no_different_from_itself() -> None:
    policy = find_recording("kubernetes-example").policy
    assert compare(policy, policy) == []


def test_a_comparison_names_the_requests_that_change() -> None:
    changes = compare(find_recording("metadata").policy, find_recording("kubernetes-example").policy)
    told = [(change.old.level, change.new.level, dict(change.where)) for change in changes]
    assert (Level.METADATA, Level.REQUEST_RESPONSE, {
        "group": "core", "resource": "pods", "subresource": "(none)",
    }) in told  # fmt: skip
    assert (Level.METADATA, Level.NONE, {"groups": "system:authenticated", "path": "/api*, /version"}) in told
