"""What a policy rule means: the one definition, as predicates over the attributes of a request.

`conditions` gives them part by part, for explanations; `predicate_of` their conjunction. The engine evaluates it as
SQL, `holds` evaluates it for one request. Source: k8s.io/apiserver/pkg/audit/policy/checker.go, v1.36.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kubewitness.policy.attributes import (
    API_GROUP,
    COMBINED_RESOURCE,
    GROUPS,
    IS_RESOURCE_REQUEST,
    NAME,
    NAMESPACE,
    PATH,
    RESOURCE,
    SUBRESOURCE,
    USER,
    VERB,
)
from kubewitness.query.predicate import And, Flag, Operator, Or, Predicate, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubewitness.policy.attributes import Attributes
    from kubewitness.policy.model import GroupResources, PolicyRule
    from kubewitness.query.fields import Field


class Part(StrEnum):
    """Which part of a rule a condition comes from."""

    USERS = "users"
    USER_GROUPS = "userGroups"
    VERBS = "verbs"
    NAMESPACES = "namespaces"
    RESOURCES = "resources"
    NON_RESOURCE_URLS = "nonResourceURLs"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a request must fulfil.

    Attributes:
        part: where the rule says so.
        predicate: what, over the fields of `attributes`.
        is_kind: whether it is only about the request being, or not being, for a resource.
    """

    part: Part
    predicate: Predicate
    is_kind: bool = False


def conditions(rule: PolicyRule) -> Iterator[Condition]:
    """What a request must fulfil for the rule to match, in the order in which the server looks at it."""
    if rule.users:
        yield Condition(Part.USERS, _one_of(USER, rule.users))
    if rule.user_groups:
        yield Condition(Part.USER_GROUPS, _one_of(GROUPS, rule.user_groups))
    if rule.verbs:
        yield Condition(Part.VERBS, _one_of(VERB, rule.verbs))
    if rule.namespaces or rule.resources:
        part = Part.NAMESPACES if rule.namespaces else Part.RESOURCES
        yield Condition(part, Flag(IS_RESOURCE_REQUEST, value=True), is_kind=True)
        if rule.namespaces:
            yield Condition(Part.NAMESPACES, _one_of(NAMESPACE, rule.namespaces))
        if rule.resources:
            yield Condition(Part.RESOURCES, Or(tuple(map(_resources, rule.resources))))
    elif rule.non_resource_urls:
        yield Condition(Part.NON_RESOURCE_URLS, Flag(IS_RESOURCE_REQUEST, value=False), is_kind=True)
        yield Condition(Part.NON_RESOURCE_URLS, Or(tuple(map(_url, rule.non_resource_urls))))


def predicate_of(rule: PolicyRule) -> Predicate:
    """The rule as one predicate over the fields of `attributes`."""
    return And(tuple(condition.predicate for condition in conditions(rule)))


def _one_of(field: Field, values: Iterable[str]) -> Predicate:
    return Or(tuple(_is(field, value) for value in dict.fromkeys(values)))


def _is(field: Field, value: str) -> Text:
    return Text(field, Operator.EQUALS, value, cased=True)


def _resources(item: GroupResources) -> Predicate:
    tests: list[Predicate] = [] if item.group == "*" else [_is(API_GROUP, item.group)]
    if not item.resources:
        return And(tuple(tests))
    if "*" not in item.resources:
        tests.append(Or(tuple(test for name in item.resources for test in _resource(name))))
    if item.resource_names:
        tests.append(_one_of(NAME, item.resource_names))
    return And(tuple(tests))


def _resource(name: str) -> Iterator[Predicate]:
    yield _is(COMBINED_RESOURCE, name)
    if name.startswith("*/") and len(name) > len("*/"):
        yield _is(SUBRESOURCE, name.removeprefix("*/"))
    if name.endswith("/*"):
        yield _is(RESOURCE, name.removesuffix("/*"))


def _url(url: str) -> Predicate:
    if url == "*":
        return And(())
    if url.endswith("*"):
        # The pattern itself is also the path that it spells, and that begins with what stands before the star.
        return Text(PATH, Operator.STARTS_WITH, url.rstrip("*"), cased=True)
    return _is(PATH, url)


def holds(predicate: Predicate, attributes: Attributes) -> bool:
    """Whether a predicate over the fields of `attributes` is true of one request."""
    match predicate:
        case And(items):
            return all(holds(item, attributes) for item in items)
        case Or(items):
            return any(holds(item, attributes) for item in items)
        case Flag(field, value):
            return getattr(attributes, field.name) is value
        case Text(field, operator, wanted):
            found = getattr(attributes, field.name)
            if field is GROUPS:
                return wanted in found and attributes.user is not None
            if operator is Operator.STARTS_WITH:
                return bool(found.startswith(wanted))
            return bool(found == wanted)
        case _:
            raise TypeError(f"no policy rule means {type(predicate).__name__}")
