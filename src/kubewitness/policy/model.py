"""An audit policy. Source: audit.k8s.io/v1, Policy, PolicyRule and GroupResources."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubewitness.model.recording import Level, Stage
    from kubewitness.policy.document import Mark

_LAST_STEP = re.compile(r"(\.?[^.\[\]]+|\[\d+\])\Z")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the values of a policy stand in its text; empty for a policy that was never a text.

    Attributes:
        values: by path, such as `rules[0].users[1]`.
        names: of members, by the path of their values; those of unknown names too.
    """

    values: Mapping[str, Mark] = field(default_factory=dict)
    names: Mapping[str, Mark] = field(default_factory=dict)

    def find(self, path: str) -> Mark | None:
        """Where a value stands, or the nearest one around it that stands anywhere."""
        while path and path not in self.values:
            path = _LAST_STEP.sub("", path)
        return self.values.get(path)


@dataclass(frozen=True, slots=True)
class GroupResources:
    """Resources of one API group.

    Attributes:
        group: "" is the core group, `*` every group.
        resources: `pods`, `pods/log`, `pods/*`, `*/scale`, `*`; every one of the group when empty.
        resource_names: names of objects; every one when empty.
    """

    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """What to record of the requests that it matches; an empty list matches all.

    Attributes:
        omit_managed_fields: None means what the policy says.
    """

    level: Level
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """An audit policy: the first rule that matches a request decides.

    Attributes:
        rules: in their order, at least one.
        omit_stages: left out for every request, besides what its rule leaves out.
        omit_managed_fields: for rules that do not say themselves.
        places: where all this stands in the text; not part of what makes two policies equal.
    """

    rules: tuple[PolicyRule, ...]
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False
    places: Places = field(default_factory=Places, compare=False, repr=False)
