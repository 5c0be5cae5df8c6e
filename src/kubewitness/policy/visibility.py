"""Visibility: whether a predicate can hold of events that a policy lets be recorded.

A request of a box is recorded at some level and some stages; from that follows which columns its events have. A
predicate is then asked in three-valued logic: true, false, or open where the box leaves a value open. What is not false
can be seen. A test of a column that is not recorded is false, as it is when a scan reads such a log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from kubewitness.model.event import CONTROL_PLANE_NAMES, ActorKind
from kubewitness.model.recording import Level, Stage
from kubewitness.policy.boxes import ABSENT, Box, only
from kubewitness.policy.recorded_columns import BODIES, NOT_YET, RESPONSE_ONLY
from kubewitness.policy.resources import resources_named
from kubewitness.query.identity import by_identity
from kubewitness.query.needs import NOTHING, Needs, needs
from kubewitness.query.predicate import (
    And,
    Exists,
    Keyword,
    Not,
    Number,
    Operator,
    Or,
    Same,
    Text,
    fields_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.policy.boxes import Values
    from kubewitness.query.predicate import Leaf, Predicate

LONG_RUNNING = frozenset({"exec", "attach", "portforward", "log", "proxy"})
"""Subresources whose requests go on: they have the stage ResponseStarted, as watches do."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Events of some requests, by what is recorded of them.

    Attributes:
        box: the requests.
        level: how much is recorded.
        stage: at which stage.
        absent: columns that the log does not have whatever is recorded: its table leaves them out.
        is_impersonated: whether the requests act as somebody else: then the actor can be anybody.
    """

    box: Box
    level: Level
    stage: Stage
    absent: frozenset[str] = frozenset()
    is_impersonated: bool = False

    def has(self, column: str) -> bool:
        """Whether events can have a value in this column."""
        if column in self.absent or (column.startswith("impersonated_") and not self.is_impersonated):
            return False
        if self.stage is Stage.REQUEST_RECEIVED and column in NOT_YET:
            return False
        if self.box.username == ABSENT and column in _WITHOUT_USER:
            return False
        if column in RESPONSE_ONLY:
            return self.level is Level.REQUEST_RESPONSE
        return column not in BODIES or self.level.rank >= Level.REQUEST.rank


# A 401 has neither a user nor annotations.
_WITHOUT_USER = frozenset(
    "username user_uid groups user_extra impersonated_username impersonated_groups annotations authorized_by"
    " authorized_binding authorized_role".split()
)


def stages_of(box: Box) -> tuple[Stage, ...]:
    """The stages that requests of a box go through, but for a panic. Source: k8s.io/apiserver, WithAudit."""
    if box.username == ABSENT:
        return (Stage.RESPONSE_STARTED,)
    may_go_on = "watch" in box.verb or any(name in box.subresource for name in LONG_RUNNING)
    started = (Stage.RESPONSE_STARTED,) if may_go_on else ()
    return (Stage.REQUEST_RECEIVED, *started, Stage.RESPONSE_COMPLETE)


def possible(predicate: Predicate, recorded: Recorded) -> bool:
    """Whether the predicate can be true of some of these events; never false when it can."""
    match predicate:
        case And(items):
            return all(possible(item, recorded) for item in items)
        case Or(items):
            return any(possible(item, recorded) for item in items)
        case Not(item):
            return not _is_certain(item, recorded)
        case _:
            return _truth(predicate, recorded) is not False


def _is_certain(predicate: Predicate, recorded: Recorded) -> bool:
    """Whether the predicate is true of all of these events; never true when it is open."""
    match predicate:
        case And(items):
            return all(_is_certain(item, recorded) for item in items)
        case Or(items):
            return any(_is_certain(item, recorded) for item in items)
        case Not(item):
            return not possible(item, recorded)
        case _:
            return _truth(predicate, recorded) is True


def whole_level(predicate: Predicate, recorded: Recorded) -> Level:
    """The level at which none of the ways in which the predicate can be true of these events is lost.

    What is looked for counts, what is excepted does not: without bodies an exception merely does not hold.
    """
    match predicate:
        case And(items):
            return _highest(whole_level(item, recorded) for item in items)
        case Or(items):
            return _highest(whole_level(item, recorded) for item in items if possible(item, recorded))
        case Not() | Keyword():
            return Level.METADATA
        case _:
            columns = {field.column.name for field in fields_of(predicate)}
            if columns & RESPONSE_ONLY:
                return Level.REQUEST_RESPONSE
            return Level.REQUEST if columns & BODIES else Level.METADATA


def _highest(levels: Iterable[Level]) -> Level:
    return max(levels, key=lambda level: level.rank, default=Level.METADATA)


def _truth(test: Leaf, recorded: Recorded) -> bool | None:
    """Whether a single test holds of these events; None where the box leaves that open."""
    match test:
        case Keyword():
            return None
        case Same(field, other):
            return None if recorded.has(field.column.name) and recorded.has(other.column.name) else False
        case _:
            return _leaf(test, recorded)


def _looks_at(leaf: Predicate) -> tuple[str, Needs]:
    return next(fields_of(leaf)).column.name, needs(leaf)


_about = by_identity(_looks_at, most=20_000)
"""Column of a test, and what it needs."""


def _leaf(predicate: Predicate, recorded: Recorded) -> bool | None:
    name, need = _about(predicate)
    if not recorded.has(name):
        return False
    box = recorded.box
    if not _is_met(need, box):
        return False
    if recorded.is_impersonated and name in {"actor", "actor_kind"}:
        return None
    if not _kind_fits(need.actor_kinds, box):
        return False
    if name == "level":
        return _compared(predicate, only(recorded.level.value))
    if name == "stage":
        return _compared(predicate, only(recorded.stage.value))
    values = _values(name, box)
    if values is not None:
        return _compared(predicate, values)
    if name in {"username", "actor"} and box.username.is_rest:
        return _name_by_group(predicate, box)
    if name == "groups":
        return _group(predicate, box)
    if name == "code" and box.username == ABSENT:
        return predicate.value == 401 if isinstance(predicate, Number) else None  # noqa: PLR2004 - that is a 401
    return None


def _values(name: str, box: Box) -> Values | None:
    match name:
        case "verb":
            return box.verb
        case "resource":
            return box.resource
        case "api_group":
            return box.group
        case "subresource":
            return box.subresource
        case "namespace":
            return box.namespace
        case "name" | "object_name":
            # The name of an object that is created is not in the path that the policy sees.
            is_in_path = "create" not in box.verb or (not box.name.is_rest and "" not in box.name.named)
            return box.name if is_in_path else None
        case "username" | "actor" if not box.username.is_rest:
            return box.username
        case _:
            return None


def _compared(predicate: Predicate, values: Values) -> bool | None:
    """The test of a column that has one of these values; empty text and None are absent."""
    if values.is_rest:
        match predicate:
            case Text(_, Operator.EQUALS, value):
                return None if _fits(value, values) else False
            case Exists():
                return True if values.named >= {None, ""} else None
            case _:
                return None
    answers = {_one(predicate, value) for value in values.named}
    return answers.pop() if len(answers) == 1 else None


def _fits(value: str, rest: Values) -> bool:
    return value.lower() not in {excepted.lower() for excepted in rest.named if excepted is not None}


def _one(predicate: Predicate, value: str | None) -> bool | None:
    match predicate:
        case Exists():
            return value not in {None, ""}
        case Text(_, operator, wanted, cased):
            if value is None or value == "":
                return False
            return _text(value, operator, wanted, cased=cased)
        case _:
            return None


def _text(value: str, operator: Operator, wanted: str, *, cased: bool) -> bool | None:
    one, two = (value, wanted) if cased else (value.lower(), wanted.lower())
    match operator:
        case Operator.EQUALS:
            return one == two
        case Operator.CONTAINS:
            return two in one
        case Operator.STARTS_WITH:
            return one.startswith(two)
        case Operator.ENDS_WITH:
            return one.endswith(two)
        case _:
            return None


# Groups that say how a member's name begins. Source: kube-apiserver authenticators.
_GROUP_PREFIXES = {
    "system:nodes": "system:node:",
    "system:serviceaccounts": "system:serviceaccount:",
    "system:unauthenticated": "system:anonymous",
}
_KIND_PREFIXES = {
    ActorKind.NODE: "system:node:",
    ActorKind.SERVICE_ACCOUNT: "system:serviceaccount:",
    ActorKind.ANONYMOUS: "system:anonymous",
}


def _prefix(box: Box) -> str:
    """How every name of the box begins, as far as its groups say."""
    for group in box.groups.inside:
        if group in _GROUP_PREFIXES:
            return _GROUP_PREFIXES[group]
        if group.startswith("system:serviceaccounts:"):
            return f"system:serviceaccount:{group.removeprefix('system:serviceaccounts:')}:"
    return ""


def _name_by_group(predicate: Predicate, box: Box) -> bool | None:
    prefix = _prefix(box)
    match predicate:
        case Text(_, Operator.EQUALS, value):
            lowered = value.lower()
            if not _fits(value, box.username) or not lowered.startswith(prefix):
                return False
            left_out = {name for group, name in _GROUP_PREFIXES.items() if group in box.groups.outside}
            return False if any(lowered.startswith(name) for name in left_out) else None
        case Text(_, Operator.STARTS_WITH, value):
            lowered = value.lower()
            if prefix.startswith(lowered):
                return True if prefix else None
            return None if lowered.startswith(prefix) else False
        case Exists():
            return None if None in box.username else True
        case _:
            return None


def _group(predicate: Predicate, box: Box) -> bool | None:
    match predicate:
        case Text(_, Operator.EQUALS, value):
            if value in box.groups.inside:
                return True
            return False if value in box.groups.outside else None
        case _:
            return None


def _kind_fits(kinds: frozenset[str] | None, box: Box) -> bool:
    """Whether somebody of these kinds of actor can be among who sends the requests."""
    if kinds is None:
        return True
    if box.username == ABSENT:
        return "" in kinds
    return any(_may_be(kind, box) for kind in kinds if kind)


def _may_be(kind: str, box: Box) -> bool:
    prefix = _KIND_PREFIXES.get(ActorKind(kind), "")
    if not box.username.is_rest:
        return any(kind_of(name) == kind for name in box.username.named if name)
    known = _prefix(box)
    if known:
        return known.startswith(prefix) and bool(prefix)
    return not any(_GROUP_PREFIXES[group] == prefix for group in box.groups.outside if group in _GROUP_PREFIXES)


def kind_of(username: str) -> ActorKind:
    """The fact `actor_kind` of a name; a test holds that the engine says the same."""
    if username in CONTROL_PLANE_NAMES:
        return ActorKind.CONTROL_PLANE
    for kind, prefix in _KIND_PREFIXES.items():
        if username == prefix or (prefix.endswith(":") and username.startswith(prefix)):
            return kind
    return ActorKind.USER


def _is_met(need: Needs, box: Box) -> bool:
    """Whether some request of the box can have the verb, resource and subresource that are needed."""
    return (
        (need.verbs is None or any(verb in box.verb for verb in need.verbs))
        and (need.resources is None or any((name or None) in box.resource for name in need.resources))
        and (need.subresources is None or any(name in box.subresource for name in need.subresources))
    )


@cache
def needs_of(predicate: Predicate) -> Needs:
    """What an event must have before the predicate can hold."""
    return needs(predicate)


@cache
def box_of(need: Needs) -> Box:
    """The requests that can have what a predicate needs, as far as verb, resource and subresource tell."""
    if need == NOTHING:
        return Box(verb=only())
    box = Box()
    if need.verbs is not None:
        box = replace(box, verb=only(*need.verbs))
    if need.resources is not None:
        box = replace(box, resource=only(*(name or None for name in need.resources)))
    if need.subresources is not None:
        box = replace(box, subresource=only(*need.subresources))
    return box


@cache
def boxes_about(predicate: Predicate) -> tuple[Box, ...]:
    """The requests that a predicate can be about: well-known resources in their own groups, with what they have."""
    box = box_of(needs_of(predicate))
    if box.resource.is_rest:
        return (box,)
    alike: dict[tuple[Values, Values], list[str | None]] = {}
    for name in sorted(box.resource.named, key=str):
        known = [resource for resource in resources_named(name or "") if resource.group not in _READ_ONLY_GROUPS]
        groups = only(*(resource.group for resource in known)) if known else box.group
        parts = only("", *(part for resource in known for part in resource.subresources)) if known else box.subresource
        alike.setdefault((groups, parts.both(box.subresource)), []).append(name)
    return tuple(
        replace(box, resource=only(*names), group=groups, subresource=parts)
        for (groups, parts), names in alike.items()
        if not parts.is_empty
    )


_READ_ONLY_GROUPS = frozenset({"metrics.k8s.io"})  # has resources of the same names as others
