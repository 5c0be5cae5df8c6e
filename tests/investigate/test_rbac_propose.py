"""Tests of proposed roles: they allow what was used, and without folding nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.investigate.rbac.access import Access, Inference, Use, impersonation, joined, with_stream_pairs
from kubewitness.investigate.rbac.manifests import read_manifests
from kubewitness.investigate.rbac.propose import EXACT, Folding, Proposal, propose, role_name
from kubewitness.investigate.rbac.roles import Subject, SubjectKind, is_allowed
from kubewitness.investigate.rbac.write import to_yaml

ALICE = Subject(SubjectKind.USER, "alice")
NOON = datetime(2026, 11, 17, 12)  # noqa: DTZ001 - times of events are naive and UTC
TEXTS = st.one_of(
    st.sampled_from(
        ["", "*", "*/scale", "y", "on", "1.0", "0x1", "a: b", "# no", "é", "\u2028x", "'", '"', "a\nb", "-"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)
NAMES = st.one_of(st.sampled_from(["", "a", "b", "c", "*", "db-0"]), TEXTS)
RESOURCE_ACCESSES = st.builds(
    Access,
    verb=st.sampled_from(["get", "list", "create", "deletecollection", "*", ""]),
    group=st.sampled_from(["", "apps", "*"]),
    resource=st.sampled_from(["pods", "secrets", "namespaces", "widgets", "*"]),
    subresource=st.sampled_from(["", "log", "scale", "*"]),
    namespace=st.sampled_from(["", "shop", "web", "data"]),
    name=NAMES,
)
PATHS = st.one_of(
    st.sampled_from(["/", "/apis", "/apis/a", "/apis/b", "/apis/a/*", "/x*", "*"]), TEXTS.map("/{}".format)
)
ACCESSES = st.one_of(RESOURCE_ACCESSES, st.builds(Access, verb=st.sampled_from(["get", "post", "*"]), path=PATHS))
USES = st.lists(ACCESSES.map(Use), max_size=25)
FOLDINGS = st.builds(
    Folding,
    *(st.none() | st.integers(1, 4) for _ in range(4)),
    generated=st.booleans(),
)


def _allowed(proposal: Proposal, access: Access) -> bool:
    return is_allowed(list(proposal.manifests.grants("alice", [])), access)


def _rules(proposal: Proposal) -> list[tuple[str | None, tuple[str, ...], tuple[str, ...], tuple[str, ...]]]:
    return [
        (role.namespace, each.rule.verbs, each.rule.resources or each.rule.urls, each.rule.names)
        for role in proposal.roles
        for each in role.rules
    ]


@given(USES, FOLDINGS)
def test_every_use_is_allowed_but_those_that_are_said_to_be_left_out(uses: list[Use], folding: Folding) -> None:
    proposal = propose(uses, ALICE, folding)
    left_out = {use.access for use in proposal.left_out}
    for use in uses:
        assert use.access in left_out or _allowed(proposal, use.access)


@given(USES, ACCESSES)
def test_without_folding_nothing_is_allowed_that_was_not_used(uses: list[Use], other: Access) -> None:
    proposal = propose(uses, ALICE, EXACT)
    used = {use.access for use in uses} - {use.access for use in proposal.left_out}
    if not _allowed(proposal, other):
        return
    # Rights do not know more than this: of namespaces the name counts; who may without a name may with any name;
    # who may in the cluster may in every namespace.
    as_cluster = replace(other, namespace="")
    places = {other, as_cluster}
    if (other.group, other.resource) == ("", "namespaces"):
        places |= {replace(other, namespace=each.namespace) for each in used}
    assert places & used or {replace(each, name="") for each in places} & used


@given(USES, FOLDINGS)
def test_what_is_written_reads_back_as_what_was_proposed(uses: list[Use], folding: Folding) -> None:
    proposal = propose(uses, ALICE, folding)
    text = to_yaml(proposal)
    if not proposal.roles:
        return
    read = read_manifests(text, "role.yaml")
    assert [replace(role, where="") for role in read.roles] == list(proposal.manifests.roles)
    assert [replace(binding, where="") for binding in read.bindings] == list(proposal.manifests.bindings)
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        assert len(list(yaml.load_all(text, Loader=loader))) >= 2 * len(proposal.roles)


@given(st.text(max_size=80), st.text(max_size=80))
def test_different_subjects_have_roles_of_different_names(first: str, second: str) -> None:
    names = [role_name(Subject(SubjectKind.USER, each)) for each in (first, second)]
    assert (names[0] == names[1]) == (first == second)
    assert all(len(name) <= 63 and name == name.lower() for name in names)


def test_names_limit_a_verb_unless_it_was_used_without() -> None:
    uses = [
        Use(Access("get", "", "secrets", "", "shop", "db")), Use(Access("list", "", "secrets", "", "shop")),
        Use(Access("watch", "", "secrets", "", "shop", "db")),
    ]  # fmt: skip
    assert _rules(propose(uses, ALICE)) == [
        ("shop", ("get", "watch"), ("secrets",), ("db",)),
        ("shop", ("list",), ("secrets",), ()),
    ]


def test_what_is_used_in_many_namespaces_is_granted_in_all_from_the_threshold_on() -> None:
    uses = [Use(Access("list", "", "secrets", "", f"ns-{number}")) for number in range(4)]
    assert [role.namespace for role in propose(uses, ALICE, Folding(namespaces=5)).roles] == [
        "ns-0",
        "ns-1",
        "ns-2",
        "ns-3",
    ]
    (role,) = propose(uses, ALICE, Folding(namespaces=4)).roles
    assert role.namespace is None
    assert "every namespace: it was used in 4 of them" in role.rules[0].folded


def test_many_names_become_any_name_from_the_threshold_on() -> None:
    uses = [Use(Access("get", "", "secrets", "", "shop", f"s-{number}")) for number in range(3)]
    assert _rules(propose(uses, ALICE, Folding(names=4)))[0][3] == ("s-0", "s-1", "s-2")
    assert _rules(propose(uses, ALICE, Folding(names=3)))[0][3] == ()


def test_pods_are_granted_by_any_name_because_controllers_name_them() -> None:
    uses = [Use(Access("get", "", "pods", "log", "shop", "web-5f7b-x2x"))]
    assert _rules(propose(uses, ALICE))[0][3] == ()
    assert _rules(propose(uses, ALICE, EXACT))[0][3] == ("web-5f7b-x2x",)


def test_many_paths_below_one_become_a_wildcard_that_the_one_itself_is_not_in() -> None:
    uses = [Use(Access("get", path=path)) for path in ("/apis", "/apis/a", "/apis/b/v1", "/healthz")]
    assert _rules(propose(uses, ALICE, Folding(urls=2))) == [(None, ("get",), ("/apis", "/apis/*", "/healthz"), ())]
    assert _rules(propose(uses, ALICE, Folding(urls=3))) == [
        (None, ("get",), ("/apis", "/apis/a", "/apis/b/v1", "/healthz"), ())
    ]


def test_verbs_become_a_wildcard_only_when_asked() -> None:
    uses = [
        Use(Access(verb, "", "configmaps", "", "shop"))
        for verb in ("get", "list", "watch", "create", "update", "patch")
    ]
    assert "*" not in _rules(propose(uses, ALICE))[0][1]
    assert _rules(propose(uses, ALICE, Folding(verbs=6)))[0][1] == ("*",)


@pytest.mark.parametrize(
    "access",
    [
        Access("get", "", "*"), Access("get", "*", "pods"), Access("*", "", "pods"), Access("", "", "pods"),
        Access("get", path="/*"), Access("get", path="*"), Access("get", "", "*", "scale"),
    ],
)  # fmt: skip
def test_a_text_of_a_client_that_is_a_wildcard_in_a_rule_is_left_out(access: Access) -> None:
    proposal = propose([Use(access)], ALICE, EXACT)
    assert (proposal.roles, [use.access for use in proposal.left_out]) == ((), [access])


def test_comments_say_how_often_and_when_last_and_end_with_their_line() -> None:
    uses = [
        Use(Access("get", "", "secrets", "", "shop", "db"), 1_200, NOON, NOON.replace(hour=14)),
        Use(
            Access("bind", "rbac.authorization.k8s.io", "roles", "", "shop", "x\nrules: []"),
            1,
            NOON,
            NOON,
            Inference.BIND,
        ),
    ]
    text = to_yaml(propose(uses, ALICE), ["head"])
    assert "# used: get 1,200, last 2026-11-17 14:00" in text
    assert "# inferred: bind (bound the role), last 2026-11-17 12:00" in text
    assert text.startswith("# head\n---\n")


@pytest.mark.parametrize("verb", ["create", "get"])
def test_a_stream_needs_both_of_its_verbs(verb: str) -> None:
    uses = joined(with_stream_pairs([Use(Access(verb, "", "pods", "exec", "shop", "web"))]))
    assert [(use.access.verb, use.inferred is None) for use in uses] == [
        ("create", verb == "create"),
        ("get", verb == "get"),
    ]


@pytest.mark.parametrize(
    ("user", "groups", "constraint", "expected"),
    [
        ("bob", ["ops", "system:authenticated"], "", ["impersonate users bob", "impersonate groups ops"]),
        (
            "system:serviceaccount:shop:web", ["system:serviceaccounts", "system:serviceaccounts:shop"], "",
            ["impersonate serviceaccounts web in shop"],
        ),
        ("bob", [], "impersonate:user-info", ["impersonate:user-info users.authentication.k8s.io bob"]),
        (
            "system:node:n1", ["system:nodes"], "impersonate:arbitrary-node",
            ["impersonate:arbitrary-node nodes.authentication.k8s.io n1"],
        ),
    ],
)  # fmt: skip
def test_impersonation_needs_a_right_on_whom_and_on_each_group_that_was_asked_for(
    user: str, groups: list[str], constraint: str, expected: list[str]
) -> None:
    assert [str(access) for access in impersonation(user, groups, constraint=constraint)] == expected
