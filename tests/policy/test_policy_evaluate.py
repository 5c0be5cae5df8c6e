from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.model.recording import Level
from kubewitness.policy.attributes import Attributes, attributes_of_event, attributes_of_request
from kubewitness.policy.evaluate import Evaluator, decide
from kubewitness.policy.model import Policy, PolicyRule

if TYPE_CHECKING:
    from tests.policy.conftest import Vectors


def test_every_decision_of_a_real_server_comes_out(vectors: Vectors) -> None:
    evaluators = {name: Evaluator(policy) for name, policy in vectors.policies.items()}
    for vector in vectors.vectors:
        decision = evaluators[vector.policy].decide(vector.attributes)
        assert (decision.level, decision.omit_stages, decision.omit_managed_fields) == (
            vector.level,
            vector.omit_stages,
            vector.omit_managed_fields,
        ), vector
    assert len(vectors.vectors) == 10_000


def test_the_index_of_the_deciding_rule_is_known() -> None:
    policy = Policy((PolicyRule(Level.NONE, users=("a",)), PolicyRule(Level.REQUEST, verbs=("get",))))
    assert decide(policy, Attributes("a")).rule == 0
    assert decide(policy, Attributes("b", verb="get")).rule == 1
    assert decide(policy, Attributes("b", verb="list")).rule is None


def test_a_request_without_a_user_matches_no_rule_about_users() -> None:
    policy = Policy((PolicyRule(Level.NONE, users=("",)), PolicyRule(Level.REQUEST, user_groups=("g",))))
    assert decide(policy, Attributes(None, ("g",))).rule is None
    assert decide(policy, Attributes("")).rule == 0


def test_an_event_is_judged_by_its_uri_and_its_real_user() -> None:
    event = {
        "verb": "create",
        "requestURI": "/api/v1/namespaces/shop/pods",
        "user": {"username": "alice", "groups": ["dev"]},
        "impersonatedUser": {"username": "bob", "groups": ["ops"]},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web-0", "apiVersion": "v1"},
    }
    assert attributes_of_event(event) == Attributes(
        "alice",
        ("dev",),
        "create",
        resource="pods",
        namespace="shop",
        path="/api/v1/namespaces/shop/pods",
        is_resource_request=True,
    )


def test_without_a_uri_the_object_has_to_do() -> None:
    event = {"verb": "get", "user": {}, "objectRef": {"resource": "pods", "subresource": "log", "name": "x"}}
    found = attributes_of_event(event)
    assert (found.user, found.combined_resource, found.name) == (None, "pods/log", "x")
    assert found.is_resource_request


def test_a_get_of_no_name_is_a_list_of_what_its_selector_names() -> None:
    found = attributes_of_request("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dx", user="a")
    assert (found.verb, found.name) == ("list", "x")
