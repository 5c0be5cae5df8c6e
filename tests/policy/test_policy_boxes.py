"""Boxes divide all requests as the evaluator decides about them one by one."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.policy.boxes import ALL_REQUESTS, Box, Members, Values, divide, only
from kubewitness.policy.evaluate import Evaluator

if TYPE_CHECKING:
    from kubewitness.policy.attributes import Attributes

    from .conftest import Vectors


def contains(box: Box, request: Attributes) -> bool:
    is_resource = request.is_resource_request
    groups = frozenset(request.groups if request.user is not None else ())
    return (
        request.verb in box.verb
        and request.user in box.username
        and box.groups.inside <= groups
        and not box.groups.outside & groups
        and (request.api_group if is_resource else None) in box.group
        and (request.resource if is_resource else None) in box.resource
        and (request.subresource if is_resource else "") in box.subresource
        and (request.namespace if is_resource else "") in box.namespace
        and (request.name if is_resource else "") in box.name
        and all(not is_resource and is_among(request.path, pattern) for pattern in box.path.inside)
        and not any(not is_resource and is_among(request.path, pattern) for pattern in box.path.outside)
    )


def is_among(path: str, pattern: str) -> bool:
    return path.startswith(pattern.rstrip("*")) if pattern.endswith("*") else path == pattern


def test_each_request_is_in_one_box_and_its_rule_decides(vectors: Vectors) -> None:
    by_policy: dict[str, list[Attributes]] = defaultdict(list)
    for vector in vectors.vectors:
        by_policy[vector.policy].append(vector.attributes)
    wrong = []
    for name, requests in sorted(by_policy.items())[::4]:
        policy = vectors.policies[name]
        parts, evaluator = divide(policy), Evaluator(policy)
        for request in requests:
            rules = [part.rule for part in parts if contains(part.box, request)]
            if rules != [evaluator.decide(request).rule]:
                wrong.append((name, request, rules))
    assert wrong == []


names = st.sampled_from([None, "", "a", "b", "c"])
values = st.builds(Values, st.frozensets(names, max_size=3), st.booleans())
members = st.builds(
    Members, st.frozensets(st.sampled_from("xyz"), max_size=2), st.frozensets(st.sampled_from("xyz"), max_size=2)
)


@given(values, values, names)
def test_sets_of_values_are_sets(one: Values, other: Values, value: str | None) -> None:
    assert (value in one.both(other)) == (value in one and value in other)
    assert (value in one.without(other)) == (value in one and value not in other)


@given(members, members, st.frozensets(st.sampled_from("xyz")))
def test_sets_of_members_are_sets(one: Members, other: Members, belongs: frozenset[str]) -> None:
    def holds(each: Members) -> bool:
        return each.inside <= belongs and not each.outside & belongs

    assert holds(one.both(other)) == (holds(one) and holds(other))
    assert sum(holds(part) for part in one.without(other)) == (holds(one) and not holds(other))


boxes = st.builds(
    Box, verb=values, username=values, groups=members, namespace=values, name=values
)  # the other dimensions hang together


@given(boxes, boxes, names, names, st.frozensets(st.sampled_from("xyz")))
def test_what_is_left_of_a_box_and_what_is_taken_share_nothing(
    one: Box, other: Box, verb: str | None, user: str | None, belongs: frozenset[str]
) -> None:
    def holds(box: Box | None) -> bool:
        return (
            box is not None
            and verb in box.verb
            and user in box.username
            and box.groups.inside <= belongs
            and not box.groups.outside & belongs
        )

    if user is None:
        belongs = frozenset()
    narrow = Box(verb=one.verb, username=one.username, groups=one.groups)
    taken = Box(verb=other.verb, username=other.username, groups=other.groups)
    assert sum(map(holds, narrow.without(taken))) == (holds(narrow) and not holds(taken))


def test_a_request_for_a_resource_is_for_no_path() -> None:
    assert Box(group=only(""), path=Members(frozenset({"/healthz*"}))).is_empty
    assert Box(path=Members(frozenset({"/healthz"}), frozenset({"/healthz*"}))).is_empty
    assert not ALL_REQUESTS.is_empty
