"""Why a policy decides as it does about one request, and what will stand in its events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.model.recording import Level, Stage
from kubewitness.policy.evaluate import Decision, decision_of
from kubewitness.policy.meaning import Condition, Part, conditions, holds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubewitness.policy.attributes import Attributes
    from kubewitness.policy.document import Mark
    from kubewitness.policy.model import GroupResources, Policy, PolicyRule

_SHOWN = 6
_LONG_RUNNING = frozenset({"exec", "attach", "portforward", "log", "proxy"})
_WITHOUT_BODY = frozenset({"get", "list", "watch"})


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a rule does not match.

    Attributes:
        part: the part of the rule that says otherwise.
        message: how the request differs from it.
    """

    part: Part
    message: str


@dataclass(frozen=True, slots=True)
class Step:
    """One rule, held against the request.

    Attributes:
        rule: its index, from 0.
        level: what it would record.
        mark: where it stands in the policy's text, or None.
        reasons: why it does not match; empty when it does.
        is_reached: whether the server looks at it: no rule before it matches.
    """

    rule: int
    level: Level
    mark: Mark | None
    reasons: tuple[Reason, ...]
    is_reached: bool

    @property
    def is_match(self) -> bool:
        """Whether it matches the request, reached or not."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the log will hold of the request.

    Attributes:
        stages: at which an event is written, for a request that goes its normal way.
        request_object: whether the body of the request is in it, if there is one.
        response_object: whether the body of the response is in it, if there is one.
        managed_fields: whether bodies keep their managedFields.
        notes: what else there is to know.
    """

    stages: tuple[Stage, ...]
    request_object: bool
    response_object: bool
    managed_fields: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A policy's decision about one request, with all that led to it."""

    attributes: Attributes
    steps: tuple[Step, ...]
    decision: Decision
    recorded: Recorded


def explain(policy: Policy, attributes: Attributes) -> Explanation:
    """Hold every rule against a request."""
    steps: list[Step] = []
    decided: int | None = None
    for index, rule in enumerate(policy.rules):
        reasons = tuple(_reasons(rule, attributes))
        mark = policy.places.find(f"rules[{index}]")
        steps.append(Step(index, rule.level, mark, reasons, is_reached=decided is None))
        if decided is None and not reasons:
            decided = index
    decision = decision_of(policy, decided)
    return Explanation(attributes, tuple(steps), decision, _recorded(decision, attributes))


def _reasons(rule: PolicyRule, attributes: Attributes) -> Iterator[Reason]:
    wrong_kind = False
    for condition in conditions(rule):
        if wrong_kind or holds(condition.predicate, attributes):
            continue
        wrong_kind = condition.is_kind
        yield Reason(condition.part, _message(condition, rule, attributes))


def _message(condition: Condition, rule: PolicyRule, attributes: Attributes) -> str:
    if condition.is_kind:
        if attributes.is_resource_request:
            return "the request is for a resource, the rule for other URLs"
        return "the request is for no resource, the rule for resources"
    match condition.part:
        case Part.USERS:
            if attributes.user is None:
                return "nobody was authenticated, and the rule is about users"
            return f"{_word(attributes.user)} is not {_any_of(rule.users)}"
        case Part.USER_GROUPS:
            if attributes.user is None:
                return "nobody was authenticated, and the rule is about groups"
            if not attributes.groups:
                return f"the user is in no group, so not in {_any_of(rule.user_groups)}"
            return f"none of the groups {_list(attributes.groups)} is {_any_of(rule.user_groups)}"
        case Part.VERBS:
            return f"{_word(attributes.verb)} is not {_any_of(rule.verbs)}"
        case Part.NAMESPACES:
            if not attributes.namespace:
                return f"the request is in no namespace, so not in {_any_of(rule.namespaces)}"
            return f"{_word(attributes.namespace)} is not {_any_of(rule.namespaces)}"
        case Part.RESOURCES:
            return _resource_message(rule.resources, attributes)
        case Part.NON_RESOURCE_URLS:
            return f"{_word(attributes.path)} is not {_any_of(rule.non_resource_urls)}"


def _resource_message(items: tuple[GroupResources, ...], attributes: Attributes) -> str:
    asked = attributes.combined_resource
    groups = {item.group for item in items}
    if not groups & {attributes.api_group, "*"}:
        return f"API group {_word(attributes.api_group)} is not {_any_of(_groups(items))}"
    of_group = [item for item in items if item.group in {attributes.api_group, "*"}]
    names = [name for item in of_group if item.resource_names for name in item.resource_names]
    resources = [name for item in of_group for name in item.resources]
    if names and asked in resources:
        if not attributes.name:
            return f"the request names no object, so none of {_list(names)}"
        return f"the object {_word(attributes.name)} is not {_any_of(names)}"
    message = f"{asked} of API group {_word(attributes.api_group)} is not {_any_of(resources)}"
    if attributes.subresource and attributes.resource in resources:
        message += f" ({attributes.resource} does not cover its subresources)"
    return message


def _groups(items: Iterable[GroupResources]) -> list[str]:
    return list(dict.fromkeys(item.group for item in items))


def _recorded(decision: Decision, attributes: Attributes) -> Recorded:
    level = decision.level
    notes: list[str] = []
    if decision.rule is None:
        notes.append("no rule matches, so nothing is recorded")
    if attributes.user is None:
        usual: tuple[Stage, ...] = (Stage.RESPONSE_STARTED,)
        notes.append("a request that is not authenticated (401) has one event only, at ResponseStarted")
    else:
        is_long = attributes.verb == "watch" or attributes.subresource in _LONG_RUNNING
        middle = (Stage.RESPONSE_STARTED,) if is_long else ()
        usual = (Stage.REQUEST_RECEIVED, *middle, Stage.RESPONSE_COMPLETE)
    stages = tuple(stage for stage in usual if stage not in decision.omit_stages) if level is not Level.NONE else ()
    if level is not Level.NONE and not stages:
        notes.append("all stages of this request are omitted, so nothing is recorded")
    if Stage.PANIC not in decision.omit_stages and level is not Level.NONE:
        notes.append("an event at stage Panic is written if the server fails")
    has_request = attributes.is_resource_request and attributes.verb not in _WITHOUT_BODY
    has_response = attributes.is_resource_request and attributes.verb != "watch"
    if attributes.subresource in _LONG_RUNNING:
        has_request = has_response = False
    is_after = any(stage is not Stage.REQUEST_RECEIVED for stage in stages) and attributes.user is not None
    has_bodies = level.rank >= Level.REQUEST.rank
    if has_bodies and attributes.verb == "patch" and Stage.REQUEST_RECEIVED in decision.omit_stages:
        notes.append("the server loses the event of a patch whose body is not JSON, and RequestReceived is omitted")
    return Recorded(
        stages,
        request_object=has_bodies and has_request and is_after,
        response_object=level is Level.REQUEST_RESPONSE and has_response and Stage.RESPONSE_COMPLETE in stages,
        managed_fields=not decision.omit_managed_fields,
        notes=tuple(notes),
    )


def _any_of(values: Iterable[str]) -> str:
    known = list(values)
    return _list(known) if len(known) == 1 else f"any of {_list(known)}"


def _list(values: Iterable[str]) -> str:
    known = [_word(value) for value in values]
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return ", ".join(known[:_SHOWN]) + more


def _word(value: str) -> str:
    return value or '""'
