"""Lists whose items have a name: by which fields items of the API's lists are told apart.

Source: the tags `patchMergeKey` and `listMapKeys` of the Kubernetes API types. Lists that are not here are replaced
as a whole.
"""

from __future__ import annotations

from typing import Any

_BY_FIELD: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "schedulingGates": ("name",),
    "resourceClaims": ("name",),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "webhooks": ("name",),
    "matchConditions": ("name",),
    "secrets": ("name",),
    "addresses": ("type",),
    "podIPs": ("ip",),
    "hostIPs": ("ip",),
    "taints": ("key",),
}
_CONTAINERS = frozenset({"containers", "initContainers", "ephemeralContainers"})
_SETS = frozenset({"finalizers", "podCIDRs"})
# In server-side apply these are replaced as a whole, or told apart by more than one field.
_OF_APPLY: dict[str, tuple[str, ...] | None] = {
    "taints": None,
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
_PROTOCOL = "TCP"

Path = tuple[str, ...]


def keys_of(path: Path, *, applied: bool = False) -> tuple[str, ...] | None:
    """Fields that tell apart the items of the list at a path; None for a list that is replaced as a whole.

    Args:
        path: names of fields that lead to the list, without places in lists.
        applied: whether for server-side apply instead of a strategic merge.
    """
    if not path:
        return None
    name = path[-1]
    if name == "ports":
        return _keys_of_ports(path, applied=applied)
    if name == "addresses" and path[0] != "status":
        return None
    if applied and name in _OF_APPLY:
        return _OF_APPLY[name]
    return _BY_FIELD.get(name)


def _keys_of_ports(path: Path, *, applied: bool) -> tuple[str, ...] | None:
    if path[-2:-1] and path[-2] in _CONTAINERS:
        return ("containerPort", "protocol") if applied else ("containerPort",)
    if path == ("spec", "ports"):
        return ("port", "protocol") if applied else ("port",)
    return None


def is_set(path: Path) -> bool:
    """Whether the list at a path is a set of single values, to which a strategic merge adds."""
    return bool(path) and path[-1] in _SETS


def identity(item: Any, keys: tuple[str, ...]) -> tuple[Any, ...] | None:
    """What tells an item apart; None where it does not say."""
    if not isinstance(item, dict):
        return None
    values = tuple(item.get(key, _PROTOCOL if key == "protocol" else None) for key in keys)
    return None if values[0] is None or any(isinstance(value, dict | list) for value in values) else values
