from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubewitness.model.recording import Level, Stage
from kubewitness.policy.attributes import Attributes
from kubewitness.policy.evaluate import decide
from kubewitness.policy.explain import explain
from kubewitness.policy.load import load_policy, policy_of
from kubewitness.policy.model import GroupResources, Policy, PolicyRule

if TYPE_CHECKING:
    from tests.policy.conftest import Vectors

EXEC = Attributes(
    "alice", ("dev",), "create", "", "pods", "exec", "shop", "web-0", "/api/v1/x", is_resource_request=True
)


def test_an_explanation_decides_as_the_evaluator_does(vectors: Vectors) -> None:
    for vector in vectors.vectors[::20]:
        policy = vectors.policies[vector.policy]
        explanation = explain(policy, vector.attributes)
        assert explanation.decision == decide(policy, vector.attributes)
        matching = [step.rule for step in explanation.steps if step.is_match and step.is_reached]
        assert matching == ([] if explanation.decision.rule is None else [explanation.decision.rule])


@pytest.mark.parametrize(
    ("rule", "reasons"),
    [
        (PolicyRule(Level.NONE, users=("bob", "eve")), ["users: alice is not any of bob, eve"]),
        (PolicyRule(Level.NONE, user_groups=("ops",)), ["userGroups: none of the groups dev is ops"]),
        (PolicyRule(Level.NONE, verbs=("get",)), ["verbs: create is not get"]),
        (PolicyRule(Level.NONE, namespaces=("",)), ['namespaces: shop is not ""']),
        (
            PolicyRule(Level.NONE, non_resource_urls=("/x",)),
            ["nonResourceURLs: the request is for a resource, the rule for other URLs"],
        ),
        (
            PolicyRule(Level.NONE, resources=(GroupResources("apps"), GroupResources("batch"))),
            ['resources: API group "" is not any of apps, batch'],
        ),
        (
            PolicyRule(Level.NONE, resources=(GroupResources("", ("pods",)),)),
            ['resources: pods/exec of API group "" is not pods (pods does not cover its subresources)'],
        ),
        (
            PolicyRule(Level.NONE, resources=(GroupResources("", ("pods/exec",), ("db-0",)),)),
            ["resources: the object web-0 is not db-0"],
        ),
        (
            PolicyRule(Level.NONE, users=("bob",), verbs=("get",)),
            ["users: alice is not bob", "verbs: create is not get"],
        ),
        (PolicyRule(Level.NONE, user_groups=("dev",)), []),
    ],
)
def test_a_rule_says_why_it_does_not_match(rule: PolicyRule, reasons: list[str]) -> None:
    (step,) = explain(Policy((rule,)), EXEC).steps
    assert [f"{reason.part}: {reason.message}" for reason in step.reasons] == reasons


def test_rules_behind_the_deciding_one_are_not_reached() -> None:
    policy = Policy((PolicyRule(Level.NONE, verbs=("get",)), PolicyRule(Level.REQUEST), PolicyRule(Level.METADATA)))
    steps = explain(policy, EXEC).steps
    assert [(step.is_match, step.is_reached) for step in steps] == [(False, True), (True, True), (True, False)]


def test_rules_know_their_line() -> None:
    text = b"apiVersion: audit.k8s.io/v1\nrules:\n- level: None\n  verbs: [get]\n- level: Request\n"
    steps = explain(policy_of(load_policy(text), "x"), EXEC).steps
    assert [step.mark and step.mark.line for step in steps] == [3, 5]


def policy_for(level: Level, *omitted: Stage) -> Policy:
    return Policy((PolicyRule(level, omit_stages=omitted),))


def pod(verb: str, subresource: str = "") -> Attributes:
    return Attributes("alice", (), verb, "", "pods", subresource, "shop", "", "", is_resource_request=True)


@pytest.mark.parametrize(
    ("policy", "asked", "stages", "request_object", "response_object"),
    [
        (policy_for(Level.NONE), pod("create"), [], False, False),
        (policy_for(Level.METADATA), pod("create"), ["RequestReceived", "ResponseComplete"], False, False),
        (policy_for(Level.REQUEST), pod("create"), ["RequestReceived", "ResponseComplete"], True, False),
        (policy_for(Level.REQUEST_RESPONSE), pod("create"), ["RequestReceived", "ResponseComplete"], True, True),
        (policy_for(Level.REQUEST_RESPONSE), pod("list"), ["RequestReceived", "ResponseComplete"], False, True),
        (
            policy_for(Level.REQUEST_RESPONSE, Stage.REQUEST_RECEIVED),
            pod("watch"),
            ["ResponseStarted", "ResponseComplete"],
            False,
            False,
        ),
        (policy_for(Level.REQUEST_RESPONSE, Stage.RESPONSE_COMPLETE), pod("update"), ["RequestReceived"], False, False),
        (
            policy_for(Level.REQUEST_RESPONSE),
            pod("create", "exec"),
            ["RequestReceived", "ResponseStarted", "ResponseComplete"],
            False,
            False,
        ),
        (policy_for(Level.METADATA), Attributes(None, (), "get"), ["ResponseStarted"], False, False),
        (policy_for(Level.METADATA, Stage.RESPONSE_STARTED), Attributes(None, (), "get"), [], False, False),
    ],
)
def test_what_will_be_in_the_log_is_known(
    policy: Policy, asked: Attributes, stages: list[str], request_object: bool, response_object: bool
) -> None:
    recorded = explain(policy, asked).recorded
    assert list(recorded.stages) == stages
    assert (recorded.request_object, recorded.response_object) == (request_object, response_object)
