"""The resources that a cluster serves: which group they are of, what subresources they have, whether in a namespace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """A resource of the Kubernetes API.

    Attributes:
        group: API group; the empty text is the core group.
        name: in the plural.
        subresources: that it has, without those every request may name.
        is_namespaced: whether its objects are in namespaces.
    """

    group: str
    name: str
    subresources: tuple[str, ...] = ()
    is_namespaced: bool = True


@cache
def known_resources() -> tuple[Resource, ...]:
    """Every resource that this program knows of, by group and name. Source: Kubernetes API reference, 1.36."""
    listed = yaml.safe_load(files("kubewitness.policy").joinpath("resources.yaml").read_text(encoding="utf-8"))
    return tuple(
        Resource(group, name, tuple(about.get("subresources", ())), not about.get("cluster", False))
        for group, names in listed.items()
        for name, about in names.items()
    )


@cache
def resources_named(name: str) -> tuple[Resource, ...]:
    """The known resources of this name; several groups may have one."""
    return tuple(resource for resource in known_resources() if resource.name == name)
