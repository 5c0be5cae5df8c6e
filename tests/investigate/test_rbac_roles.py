"""Tests of what roles and bindings allow, and of reading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubewitness.investigate.rbac.access import Access
from kubewitness.investigate.rbac.manifests import ManifestError, read_manifests
from kubewitness.investigate.rbac.roles import Grant, everybodys_grants, is_allowed

CASES = yaml.safe_load((Path(__file__).parent / "rbac.yaml").read_text("utf-8"))
HEAD = "apiVersion: rbac.authorization.k8s.io/v1\n"
ROLE = (
    HEAD
    + "kind: Role\nmetadata: {name: r, namespace: shop}\nrules: [{apiGroups: [''], resources: [pods], verbs: [get]}]\n"
)
CLUSTER_ROLE = ROLE.replace("kind: Role", "kind: ClusterRole").replace(", namespace: shop", "")
GET_POD = Access("get", "", "pods", "", "shop", "web")


def access_of(text: str, namespace: str = "") -> Access:
    verb, what, *name = text.split(" ")
    if what.startswith("/"):
        return Access(verb, path=what)
    resource, _, subresource = what.partition("/")
    resource, _, group = resource.partition(".")
    return Access(verb, group, resource, subresource, namespace, name[0] if name else "")


def _grants(*documents: str, user: str = "alice", groups: tuple[str, ...] = ()) -> list[Grant]:
    return list(read_manifests("---\n".join(documents), "role.yaml").grants(user, groups))


def _binding(role: str, subject: str, kind: str = "RoleBinding", namespace: str = "shop") -> str:
    place = f", namespace: {namespace}" if kind == "RoleBinding" else ""
    return f"{HEAD}kind: {kind}\nmetadata: {{name: b{place}}}\nroleRef: {{{role}}}\nsubjects: [{{{subject}}}]\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["case"]))
def test_a_rule_allows_what_rbac_says(case: dict[str, Any]) -> None:
    document = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r"},
        "rules": [case["rule"]],
    }  # fmt: skip
    grants = _grants(yaml.safe_dump(document))
    decided = {
        text: is_allowed(grants, access_of(text, "shop")) for text in [*case.get("allows", []), *case.get("denies", [])]
    }
    assert decided == dict.fromkeys(case.get("allows", []), True) | dict.fromkeys(case.get("denies", []), False)


@pytest.mark.parametrize(
    ("subject", "user", "groups", "expected"),
    [
        ("kind: User, name: alice", "alice", (), True),
        ("kind: User, name: alice", "bob", ("alice",), False),
        ("kind: Group, name: ops", "bob", ("ops", "dev"), True),
        ("kind: Group, name: ops", "ops", (), False),
        ("kind: ServiceAccount, name: web, namespace: shop", "system:serviceaccount:shop:web", (), True),
        ("kind: ServiceAccount, name: web", "system:serviceaccount:shop:web", (), True),
        ("kind: ServiceAccount, name: web, namespace: other", "system:serviceaccount:shop:web", (), False),
        ("kind: ServiceAccount, name: web, namespace: shop", "web", (), False),
    ],
)
def test_a_binding_is_for_its_subjects(subject: str, user: str, groups: tuple[str, ...], *, expected: bool) -> None:
    binding = _binding("kind: Role, name: r", subject)
    assert is_allowed(_grants(ROLE, binding, user=user, groups=groups), GET_POD) is expected


@pytest.mark.parametrize(
    ("documents", "elsewhere", "everywhere", "path"),
    [
        ((ROLE, _binding("kind: Role, name: r", "kind: User, name: alice")), False, False, False),
        ((CLUSTER_ROLE, _binding("kind: ClusterRole, name: r", "kind: User, name: alice")), False, False, False),
        (
            (CLUSTER_ROLE, _binding("kind: ClusterRole, name: r", "kind: User, name: alice", "ClusterRoleBinding")),
            True, True, False,
        ),
        (
            (_binding("kind: ClusterRole, name: cluster-admin", "kind: User, name: alice", "ClusterRoleBinding"),),
            True, True, True,
        ),
        ((_binding("kind: ClusterRole, name: cluster-admin", "kind: User, name: alice"),), False, False, False),
        ((ROLE,), False, False, False),
        ((CLUSTER_ROLE,), True, True, False),
    ],
)  # fmt: skip
def test_a_role_holds_where_it_is_bound(
    documents: tuple[str, ...], *, elsewhere: bool, everywhere: bool, path: bool
) -> None:
    grants = _grants(*documents)
    asked = [
        GET_POD,
        Access("get", "", "pods", "", "other", "web"),
        Access("get", "", "pods"),
        Access("get", path="/x"),
    ]
    assert [is_allowed(grants, access) for access in asked] == [True, elsewhere, everywhere, path]


def test_members_of_system_masters_may_do_everything() -> None:
    assert is_allowed([], GET_POD, ["system:masters"])


def test_a_bound_role_that_is_not_in_the_file_is_said() -> None:
    read = read_manifests(_binding("kind: ClusterRole, name: view", "kind: User, name: alice"), "role.yaml")
    assert [binding.role for binding in read.unresolved("alice", [])] == ["view"]
    assert not list(read.unresolved("bob", []))


def test_lists_are_unpacked_and_other_kinds_passed_over() -> None:
    items = [yaml.safe_load(ROLE), {"kind": "ConfigMap", "metadata": {"name": "c"}}]
    read = read_manifests(yaml.safe_dump({"kind": "List", "items": items}), "all.yaml")
    assert [role.name for role in read.roles] == ["r"]
    named = [{"metadata": {"name": "a"}, "rules": []}, {"metadata": {"name": "b"}}]
    text = yaml.safe_dump({"kind": "ClusterRoleList", "items": named})
    assert [role.kind for role in read_manifests(text, "x").roles] == ["ClusterRole", "ClusterRole"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: [", r"role.yaml:\d: is no YAML"),
        ("", "holds no role"),
        ("- a\n", "is no object"),
        (ROLE.replace("[get]", "[]"), r"rules\[0\]: has no verbs"),
        (ROLE.replace("[get]", "[yes]"), r"rules\[0\], verbs: `True` is no text"),
        (ROLE.replace("[get]", "get"), r"rules\[0\], verbs: is no list"),
        (ROLE.replace("rbac.authorization.k8s.io/v1", "iam.example.com/v1"), "is not RBAC"),
        (_binding("kind: User, name: r", "kind: User, name: a"), "roleRef: names no role"),
        (_binding("kind: Role, name: r", "kind: Robot, name: a"), r"subjects\[0\]: is no subject"),
        (ROLE + "---\n" + ROLE.replace("[get]", "[1]"), r"document 2, rules\[0\], verbs"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message) as caught:
        read_manifests(text, "role.yaml")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("user", "expected"), [("alice", [True, True, True]), ("system:anonymous", [True, False, False])]
)
def test_every_user_may_what_the_default_roles_say(user: str, expected: list[bool]) -> None:
    grants = everybodys_grants(user)
    asked = ["get /version", "get /apis/apps/v1", "create selfsubjectreviews.authentication.k8s.io"]
    assert [is_allowed(grants, access_of(text)) for text in asked] == expected
    assert not is_allowed(grants, GET_POD)
