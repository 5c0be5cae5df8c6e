"""Tests of what somebody used of their rights in a log, and of what another role would have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.app.investigate.sent import resource

from kubewitness.app.events import Logs
from kubewitness.app.investigate.rbac import propose_roles, replay_role
from kubewitness.investigate.actor_names import UnknownActorError
from kubewitness.investigate.rbac.manifests import read_manifests
from kubewitness.investigate.rbac.propose import EXACT
from kubewitness.investigate.rbac.replay import StepState
from kubewitness.investigate.rbac.write import to_yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kubewitness.investigate.rbac.answers import Observed

    LineOf = Callable[..., bytes]

FORBID = {"authorization.k8s.io/decision": "forbid"}


@pytest.fixture
def observe(tmp_path: Path, line_of: LineOf) -> Callable[..., Observed]:
    """A function that observes an actor in a log of events with these fields."""

    def seen(name: str, *events: dict[str, Any]) -> Observed:
        log = tmp_path / "audit.log"
        log.write_bytes(b"\n".join(line_of(number, **fields) for number, fields in enumerate(events)) + b"\n")
        return propose_roles(Logs((str(log),)), name)[0]

    return seen


def _texts(observed: Observed) -> list[str]:
    return [str(use.access) for use in observed.allowed]


def test_only_allowed_requests_count_each_once_whatever_its_stages(observe: Callable[..., Observed]) -> None:
    secret = resource("/api/v1/namespaces/shop/secrets/db")
    seen = observe(
        "alice",
        {**secret, "auditID": "one", "stage": "RequestReceived", "annotations": None, "responseStatus": None},
        {**secret, "auditID": "one", "stage": "ResponseComplete"},
        {**secret, "auditID": "two"},
        resource("/api/v1/namespaces/shop/pods/x", annotations=FORBID, responseStatus={"code": 403}),
        resource("/api/v1/nodes", "list", user={"username": "bob"}),
        resource("/api/v1/nodes", "list", stage="RequestReceived", annotations=None, responseStatus=None),
    )
    assert [(str(use.access), use.count) for use in seen.allowed] == [("get secrets db in shop", 2)]
    assert [str(use.access) for use in seen.denied] == ["get pods x in shop"]
    assert seen.undecided == 1


def test_sparse_events_are_understood_by_their_uri(observe: Callable[..., Observed]) -> None:
    seen = observe(
        "alice",
        {"requestURI": "/apis/apps/v1/namespaces/shop/deployments/web/scale", "verb": "patch", "objectRef": None},
        {"requestURI": "/healthz", "verb": "get", "objectRef": None},
        {"requestURI": "/api/v1/namespaces/shop/secrets?fieldSelector=metadata.name%3Ddb", "verb": "list"},
    )
    assert _texts(seen) == ["get /healthz", "list secrets db in shop", "patch deployments.apps/scale web in shop"]


def test_who_acts_as_another_needs_that_right_and_the_other_the_rest(observe: Callable[..., Observed]) -> None:
    acting = resource(
        "/api/v1/nodes", "list", user={"username": "alice", "groups": ["ops"]},
        impersonatedUser={"username": "system:admin", "groups": ["system:masters", "system:authenticated"]},
    )  # fmt: skip
    assert _texts(observe("alice", acting)) == ["impersonate groups system:masters", "impersonate users system:admin"]
    admin = observe("system:admin", acting)
    assert _texts(admin) == ["list nodes"]
    assert any("system:masters" in remark for remark in admin.remarks)
    constrained = acting | {"authenticationMetadata": {"impersonationConstraint": "impersonate:user-info"}}
    assert _texts(observe("alice", constrained)) == [
        "impersonate-on:user-info:list nodes",
        "impersonate:user-info groups.authentication.k8s.io system:masters",
        "impersonate:user-info users.authentication.k8s.io system:admin",
    ]


def test_who_was_refused_to_act_as_another_asked_for_nothing_else(observe: Callable[..., Observed]) -> None:
    refused = resource(
        "/api/v1/nodes", "list", annotations=None,
        responseStatus={"code": 403, "message": 'users "bob" is forbidden: User "alice" cannot impersonate'},
    )  # fmt: skip
    seen = observe("alice", refused)
    assert (seen.allowed, seen.denied) == ((), ())


def test_binding_a_role_needs_bind_and_applying_what_is_not_there_needs_create(
    observe: Callable[..., Observed],
) -> None:
    seen = observe(
        "alice",
        resource(
            "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings", "create", responseStatus={"code": 201},
            requestObject={"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "edit"}},
        ),
        resource("/apis/apps/v1/namespaces/shop/deployments/web", "patch", responseStatus={"code": 201}),
    )  # fmt: skip
    assert {str(use.access): use.inferred for use in seen.allowed if use.inferred} == {
        "bind clusterroles.rbac.authorization.k8s.io edit in shop": "bound the role",
        "create deployments.apps web in shop": "wrote an object that was not there",
    }


def test_a_group_is_all_who_have_it_also_by_acting_with_it(observe: Callable[..., Observed]) -> None:
    seen = observe(
        "ops",
        resource("/api/v1/nodes", "list"),
        resource("/api/v1/pods", "list", user={"username": "bob", "groups": ["dev"]}),
        resource("/api/v1/events", "list", impersonatedUser={"username": "x", "groups": ["dev"]}),
        resource(
            "/api/v1/secrets", "list", user={"username": "bob", "groups": ["dev"]},
            impersonatedUser={"username": "x", "groups": ["ops"]},
        ),
    )  # fmt: skip
    assert seen.subject.kind == "Group"
    assert _texts(seen) == ["impersonate groups dev", "impersonate users x", "list nodes", "list secrets"]


@pytest.mark.parametrize("name", ["shop/web", "system:serviceaccount:shop:web", "shop/w*", "*:web"])
def test_a_service_account_has_a_short_name_and_wildcards_mean_the_only_one(
    name: str, observe: Callable[..., Observed]
) -> None:
    account = {"user": {"username": "system:serviceaccount:shop:web"}}
    seen = observe(name, resource("/api/v1/nodes", "list", **account), resource("/api/v1/nodes"))
    assert (seen.subject.kind, seen.subject.namespace, seen.subject.name) == ("ServiceAccount", "shop", "web")


@pytest.mark.parametrize(
    ("name", "message"),
    [("alcie", "did you mean alice"), ("zzz", "it knows alice"), ("*a*", "name one of them: alice, carla")],
)
def test_a_name_that_is_nobodys_or_of_several_comes_with_names(
    name: str, message: str, observe: Callable[..., Observed]
) -> None:
    with pytest.raises(UnknownActorError) as caught:
        observe(name, resource("/api/v1/nodes"), resource("/api/v1/nodes", user={"username": "carla"}))
    assert message in str(caught.value)


def test_what_every_user_may_can_be_left_out(tmp_path: Path, line_of: LineOf) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(
        line_of(1, requestURI="/apis/apps", objectRef=None) + b"\n" + line_of(2, **resource("/api/v1/nodes"))
    )
    _, proposal = propose_roles(Logs((str(log),)), "alice", EXACT, everybodys=False)
    assert [each.rule.urls for role in proposal.roles for each in role.rules] == [()]


def test_a_name_that_is_a_credential_is_redacted(tmp_path: Path, line_of: LineOf) -> None:
    log = tmp_path / "audit.log"
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"  # noqa: S105
    log.write_bytes(line_of(1, **resource(f"/api/v1/namespaces/shop/secrets/{token}")))
    observed, proposal = propose_roles(Logs((str(log),)), "alice")
    assert token not in to_yaml(proposal, observed.remarks)
    assert token in to_yaml(propose_roles(Logs((str(log),)), "alice", reveal=True)[1])


def test_a_replay_says_what_a_role_would_have_denied_stopped_and_what_it_never_needed(
    tmp_path: Path, line_of: LineOf
) -> None:
    log = tmp_path / "audit.log"
    account = {"user": {"username": "system:serviceaccount:shop:web"}, "userAgent": "curl/8"}
    log.write_bytes(
        b"\n".join(
            (
                line_of(1, **resource("/api/v1/secrets", "list", **account)),
                line_of(2, **resource("/api/v1/namespaces/shop/pods", "list", **account)),
                line_of(
                    3, **resource("/api/v1/nodes", "list", annotations=FORBID, responseStatus={"code": 403}, **account)
                ),
                line_of(4, requestURI="/version", objectRef=None, **account),
            )
        )
    )
    manifests = read_manifests(
        "kind: ClusterRole\nmetadata: {name: r}\nrules:\n"
        "- {apiGroups: [''], resources: [pods, nodes], verbs: [list, get]}\n",
        "r.yaml",
    )
    found = replay_role(Logs((str(log),)), "shop/web", manifests)
    assert [(str(each.access), each.count, each.examples) for each in found.denied] == [
        ("list secrets", 1, (f"{log}:1",))
    ]
    assert [str(use.access) for use in found.gained] == ["list nodes"]
    assert [(each.verb, each.what, each.count) for each in found.permissions] == [
        ("list", "pods", 1), ("list", "nodes", 0), ("get", "pods", 0), ("get", "nodes", 0),
    ]  # fmt: skip
    states = {step.rule_id: step.state for step in found.steps}
    assert StepState.STOPPED in states.values()
    assert any("no bindings" in remark for remark in found.remarks)


def test_an_entra_user_is_found_by_the_object_id_and_what_azure_allowed_is_said(
    observe: Callable[..., Observed],
) -> None:
    identity = "1c9d7a52-0f43-4e7b-8a55-6b3f0e1d2c47"
    azure = resource(
        "/api/v1/nodes", "list", user={"username": "ann@example.com", "extra": {"oid": [identity]}},
        annotations={
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": "Access allowed by Azure RBAC Role Assignment a1 of Role b2 to user c3",
        },
    )  # fmt: skip
    seen = observe(identity, azure, resource("/api/v1/nodes"))
    assert (seen.user, _texts(seen), seen.by_azure) == ("ann@example.com", ["list nodes"], 1)
    assert any("Azure RBAC" in remark for remark in seen.remarks)


def test_of_a_kubelet_it_is_said_that_no_role_decides_alone(observe: Callable[..., Observed]) -> None:
    seen = observe("system:node:n1", resource("/api/v1/nodes/n1", user={"username": "system:node:n1"}))
    assert any("node authorizer" in remark for remark in seen.remarks)


def test_a_group_with_the_name_of_a_user_is_named_as_one(observe: Callable[..., Observed]) -> None:
    events = (resource("/api/v1/nodes", "list"), resource("/api/v1/pods", "list", user={"username": "ops"}))
    assert _texts(observe("ops", *events)) == ["list pods"]
    assert _texts(observe("group:ops", *events)) == ["list nodes"]
    with pytest.raises(UnknownActorError, match="nobody called `oops`"):
        observe("group:oops", *events)
