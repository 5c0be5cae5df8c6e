"""Boxes: sets of requests, one set of values for each thing that a policy looks at.

A policy divides all requests into parts that it treats alike. Each part is a few boxes, and there are few of them, so
what holds of every request, not only of those in some log, can be found by looking at each box once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kubewitness.policy.model import GroupResources, Policy, PolicyRule

Value: TypeAlias = "str | None"


@dataclass(frozen=True, slots=True)
class Values:
    """A set of values: some, or all but some. None stands for absent.

    Attributes:
        named: the values, or the excepted ones.
        is_rest: whether `named` are the excepted ones.
    """

    named: frozenset[Value] = frozenset()
    is_rest: bool = True

    def __contains__(self, value: Value) -> bool:
        return (value in self.named) != self.is_rest

    @property
    def is_empty(self) -> bool:
        """Whether no value is in it."""
        return not self.is_rest and not self.named

    @property
    def is_everything(self) -> bool:
        """Whether every value is in it."""
        return self.is_rest and not self.named

    def both(self, other: Values) -> Values:
        """What is in both sets."""
        if other.is_everything:
            return self
        if self.is_everything:
            return other
        if self.is_rest and other.is_rest:
            return Values(self.named | other.named)
        if self.is_rest:
            return Values(other.named - self.named, is_rest=False)
        named = self.named - other.named if other.is_rest else self.named & other.named
        return Values(named, is_rest=False)

    def either(self, other: Values) -> Values:
        """What is in one of the sets."""
        if self.is_rest and other.is_rest:
            return Values(self.named & other.named)
        if self.is_rest or other.is_rest:
            rest, some = (self, other) if self.is_rest else (other, self)
            return Values(rest.named - some.named)
        return Values(self.named | other.named, is_rest=False)

    def without(self, other: Values) -> Values:
        """What is in this set and not in the other."""
        return self.both(Values(other.named, is_rest=not other.is_rest))


@dataclass(frozen=True, slots=True)
class Members:
    """A set of things by what they belong to: to all of some, and to none of others.

    Attributes:
        inside: what each belongs to.
        outside: what none belongs to.
    """

    inside: frozenset[str] = frozenset()
    outside: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be in it."""
        return bool(self.inside & self.outside)

    @property
    def is_everything(self) -> bool:
        """Whether all things are in it."""
        return not self.inside and not self.outside

    def both(self, other: Members) -> Members:
        """What is in both sets."""
        return Members(self.inside | other.inside, self.outside | other.outside)

    def without(self, other: Members) -> Iterator[Members]:
        """What is in this set and not in the other, as sets that share nothing."""
        rest = self
        for name in sorted(other.inside - self.inside):
            yield rest.both(Members(outside=frozenset({name})))
            rest = rest.both(Members(inside=frozenset({name})))
        for name in sorted(other.outside - self.outside):
            yield rest.both(Members(inside=frozenset({name})))
            rest = rest.both(Members(outside=frozenset({name})))


EVERYTHING = Values()
ANY_MEMBERS = Members()
ABSENT = Values(frozenset({None}), is_rest=False)
PRESENT = Values(frozenset({None}))


def only(*values: Value) -> Values:
    """The set of just these values."""
    return Values(frozenset(values), is_rest=False)


@dataclass(frozen=True, slots=True)
class Box:
    """Requests: each of these sets says which values one attribute may have.

    Attributes:
        verb: verb, or the lower-case method of a request for no resource.
        username: who authenticated; None for nobody (a 401).
        groups: groups of who authenticated.
        group: API group; None for a request for no resource.
        resource: resource; None likewise.
        subresource: subresource, the empty text for none.
        namespace: namespace, the empty text for none.
        name: name as the request's path says it, the empty text for none.
        path: patterns of non-resource URLs that the path is among.
    """

    verb: Values = EVERYTHING
    username: Values = EVERYTHING
    groups: Members = ANY_MEMBERS
    group: Values = EVERYTHING
    resource: Values = EVERYTHING
    subresource: Values = EVERYTHING
    namespace: Values = EVERYTHING
    name: Values = EVERYTHING
    path: Members = ANY_MEMBERS

    @property
    def is_empty(self) -> bool:
        """Whether no request is in it."""
        if any(getattr(self, name).is_empty for name in DIMENSIONS):
            return True
        # A request is for a resource or for a path, and nobody is in no group.
        is_resource = None not in self.group or None not in self.resource
        is_path = ABSENT in (self.group, self.resource)
        if is_resource and (is_path or self.path.inside):
            return True
        if self.username == ABSENT and self.groups.inside:
            return True
        return any(_covers(wide, narrow) for wide in self.path.outside for narrow in self.path.inside)

    def both(self, other: Box) -> Box | None:
        """What is in both, None when that is nothing."""
        parts = []
        for name in DIMENSIONS:
            part = getattr(self, name).both(getattr(other, name))
            if part.is_empty:
                return None
            parts.append(part)
        box = Box(*parts)
        return None if box.is_empty else box

    def with_part(self, name: str, part: Values | Members) -> Box:
        """The box with another set for one of its dimensions."""
        parts: Any = {name: part}
        return replace(self, **parts)

    def without(self, other: Box) -> Iterator[Box]:
        """What is in this box and not in the other, as boxes that share nothing."""
        rest = self
        for name in DIMENSIONS:
            own, taken = getattr(rest, name), getattr(other, name)
            outside: Iterable[Values | Members] = (
                [own.without(taken)] if isinstance(own, Values) else own.without(taken)
            )
            for part in outside:
                box = rest.with_part(name, part)
                if not box.is_empty:
                    yield box
            rest = rest.with_part(name, own.both(taken))
            if rest.is_empty:
                return


DIMENSIONS = tuple(field.name for field in fields(Box))
ALL_REQUESTS = Box()
RESOURCE_REQUESTS = Box(group=PRESENT, resource=PRESENT)


@dataclass(frozen=True, slots=True)
class Decided:
    """Requests that one rule decides.

    Attributes:
        box: the requests.
        rule: index of the rule; None where none matches.
    """

    box: Box
    rule: int | None


@lru_cache(maxsize=256)
def divide(policy: Policy, box: Box = ALL_REQUESTS) -> tuple[Decided, ...]:
    """The requests of a box, divided by the rule of the policy that decides them, in the order of the rules."""
    found: list[Decided] = []
    undecided = [box]
    for index, rule in enumerate(policy.rules):
        for taken in rule_boxes(rule):
            left: list[Box] = []
            for each in undecided:
                matched = each.both(taken)
                if matched is None:
                    left.append(each)
                else:
                    found.append(Decided(matched, index))
                    left += each.without(taken)
            undecided = left
    return (*found, *(Decided(each, None) for each in undecided))


def rule_boxes(rule: PolicyRule) -> list[Box]:
    """The requests that a policy rule matches, whatever stands before it. Source: pkg/audit/policy/checker.go."""
    base = Box(
        verb=_among(rule.verbs),
        username=_among(rule.users),
        namespace=_among(rule.namespaces),
    )
    boxes = [base]
    if rule.user_groups:
        boxes = [replace(base, groups=members) for members in _any_member(rule.user_groups)]
    if rule.non_resource_urls:
        urls = [replace(ABSENT_RESOURCE, path=members) for members in _any_member(rule.non_resource_urls)]
        return [box for each in boxes for url in urls if (box := each.both(url))]
    if rule.resources or rule.namespaces:
        resources = [part for each in rule.resources for part in _resource_boxes(each)] or [RESOURCE_REQUESTS]
        return [box for each in boxes for part in resources if (box := each.both(part))]
    return boxes


ABSENT_RESOURCE = Box(group=ABSENT, resource=ABSENT, subresource=only(""), namespace=only(""), name=only(""))


def _covers(wide: str, narrow: str) -> bool:
    """Whether every path of one pattern is among those of another."""
    return narrow == wide or (wide.endswith("*") and narrow.startswith(wide.rstrip("*")))


def _resource_boxes(listed: GroupResources) -> Iterator[Box]:
    group = RESOURCE_REQUESTS if listed.group == "*" else replace(RESOURCE_REQUESTS, group=only(listed.group))
    if not listed.resources:
        yield group
        return
    for resource in listed.resources:
        box = replace(group, name=_among(listed.resource_names))
        name, slash, subresource = resource.partition("/")
        if resource == "*":
            yield box
        elif not slash:
            yield replace(box, resource=only(name), subresource=only(""))
        elif name == "*":
            yield replace(box, subresource=only(subresource))
        elif subresource == "*":
            yield replace(box, resource=only(name))
        else:
            yield replace(box, resource=only(name), subresource=only(subresource))


def _among(values: Sequence[str]) -> Values:
    return only(*values) if values else EVERYTHING


def _any_member(names: Sequence[str]) -> Iterator[Members]:
    """Who belongs to any of these, as sets that share nothing."""
    for index, name in enumerate(names):
        yield Members(frozenset({name}), frozenset(names[:index]))
