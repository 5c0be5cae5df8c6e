"""What a given role would have allowed of what was asked, and what of it was never used."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from kubewitness.investigate.rbac.access import Access, joined
from kubewitness.investigate.rbac.roles import ALL, covers_resource, covers_url, is_allowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from kubewitness.investigate.rbac.access import Use
    from kubewitness.investigate.rbac.roles import Grant

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Denied:
    """Past requests of one kind that a role would have denied.

    Attributes:
        access: what they asked for, without the names of objects.
        uses: each of them.
    """

    access: Access
    uses: tuple[Use, ...]

    @property
    def count(self) -> int:
        """Number of requests."""
        return sum(use.count for use in self.uses)

    @property
    def last_at(self) -> datetime | None:
        """Time of the last one (UTC, naive)."""
        return max((use.last_at for use in self.uses if use.last_at), default=None)

    @property
    def names(self) -> tuple[str, ...]:
        """A few names of objects."""
        return tuple(sorted({use.access.name for use in self.uses if use.access.name})[:_EXAMPLES])

    @property
    def examples(self) -> tuple[str, ...]:
        """Where a few of the events stand."""
        return tuple(use.example for use in self.uses[:_EXAMPLES] if use.example)


class StepState(StrEnum):
    """What a role would have done to what an alert is about."""

    STOPPED = "stopped"
    PARTLY = "partly stopped"
    NOT_STOPPED = "not stopped"
    WAS_DENIED = "was denied anyway"


@dataclass(frozen=True, slots=True)
class Step:
    """An alert about the actor, as a step of an attack.

    Attributes:
        rule_id: id of its rule.
        title: its title.
        severity: its severity.
        first_at: when it began (UTC, naive).
        state: what the role would have done.
        denied: number of its requests that the role would have denied, of those that were allowed.
        requests: number of its requests that were allowed.
    """

    rule_id: str
    title: str
    severity: str
    first_at: datetime | None
    state: StepState
    denied: int
    requests: int


@dataclass(frozen=True, slots=True)
class Permission:
    """One part of a rule: a verb on a resource or path.

    Attributes:
        role: kind, namespace and name of the role, for people.
        rule: index of the rule, from 0.
        verb: or `*`.
        what: resource with its group, or path, as the rule has it.
        namespace: where it holds; None for the whole cluster.
        names: names of objects that it is limited to.
        count: requests that it allowed.
        last_at: time of the last of them.
        used_as: where it is a wildcard, what it was used for.
    """

    role: str
    rule: int
    verb: str
    what: str
    namespace: str | None
    names: tuple[str, ...]
    count: int
    last_at: datetime | None
    used_as: tuple[str, ...]

    @property
    def is_used(self) -> bool:
        """Whether any request needed it."""
        return self.count > 0


def alike(uses: Iterable[Use]) -> list[Denied]:
    """Denied uses by what they asked for, whatever the object's name, the most frequent first."""
    groups: dict[Access, list[Use]] = defaultdict(list)
    for use in joined(uses):
        groups[replace(use.access, name="")].append(use)
    found = [Denied(access, tuple(sorted(each, key=lambda use: -use.count))) for access, each in groups.items()]
    return sorted(found, key=lambda each: (-each.count, each.access))


def step_state(accesses: Iterable[tuple[Access, bool | None]], grants: Sequence[Grant]) -> tuple[StepState, int, int]:
    """What grants would have done to requests.

    Args:
        accesses: each request and whether it was allowed; None where the log does not say.
        grants: of the role.

    Returns:
        State, requests that would have been denied, and requests that were not denied at the time.
    """
    passed = [access for access, allowed in accesses if allowed is not False]
    denied = sum(not is_allowed(grants, access) for access in passed)
    if not passed:
        return StepState.WAS_DENIED, 0, 0
    state = StepState.STOPPED if denied == len(passed) else StepState.PARTLY if denied else StepState.NOT_STOPPED
    return state, denied, len(passed)


def permissions(grants: Iterable[Grant], uses: Iterable[Use]) -> list[Permission]:
    """Each verb on each resource or path that is granted, and how often it was used."""
    known = joined(uses)
    return [permission for grant in grants for permission in _permissions(grant, known)]


def _permissions(grant: Grant, uses: Sequence[Use]) -> Iterator[Permission]:
    rule = grant.rule
    by_grant = [use for use in uses if grant.allows(use.access)]
    place = grant.role.namespace
    role = f"{grant.role.kind} {f'{place}/' if place else ''}{grant.role.name}"
    parts: list[tuple[str, str, Mapping[str, str]]] = [
        *((verb, f"{resource}.{group}" if group else resource, {"group": group, "resource": resource})
          for verb in rule.verbs for group in rule.groups for resource in rule.resources),
        *((verb, url, {"url": url}) for verb in rule.verbs for url in rule.urls),
    ]  # fmt: skip
    for verb, what, part in parts:
        found = [use for use in by_grant if _is_of(use.access, verb, part)]
        is_wide = ALL in (verb, part.get("group"), part.get("resource")) or what.endswith("*") or what.startswith("*/")
        yield Permission(
            role=role,
            rule=grant.index,
            verb=verb,
            what=what,
            namespace=grant.namespace,
            names=rule.names,
            count=sum(use.count for use in found if use.inferred is None) or len(found),
            last_at=max((use.last_at for use in found if use.last_at), default=None),
            used_as=tuple(dict.fromkeys(_without_object(use.access) for use in found)) if is_wide else (),
        )


def _is_of(access: Access, verb: str, part: Mapping[str, str]) -> bool:
    if verb not in (ALL, access.verb):
        return False
    if "url" in part:
        return not access.is_for_resource and covers_url(part["url"], access.path)
    return part["group"] in (ALL, access.group) and access.is_for_resource and covers_resource(part["resource"], access)


def _without_object(access: Access) -> str:
    return str(Access(access.verb, access.group, access.resource, access.subresource, path=access.path))
