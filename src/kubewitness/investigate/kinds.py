"""What a single request is part of: the kind of action, and which requests of that kind belong together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Mapping


class ActionKind(StrEnum):
    """What somebody did, of one or many requests."""

    DISCOVERY = "discovery"
    HEALTH = "health"
    PATH = "path"
    ASK_OWN_RIGHTS = "ask_own_rights"
    ASK_RIGHTS = "ask_rights"
    LEASE = "lease"
    REPORT = "report"
    GET = "get"
    LIST = "list"
    DESCRIBE = "describe"
    WATCH = "watch"
    PROBE = "probe"
    LOGS = "logs"
    EXEC = "exec"
    ATTACH = "attach"
    PORT_FORWARD = "port_forward"
    PROXY = "proxy"
    DEBUG = "debug"
    TOKEN = "token"  # noqa: S105 - the name of a kind
    EVICT = "evict"
    APPROVE = "approve"
    APPLY = "apply"
    KUBECTL = "kubectl"
    HELM = "helm"
    SCALE = "scale"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    STATUS = "status"
    DELETE = "delete"
    OTHER = "other"


NOISE = frozenset(
    {ActionKind.DISCOVERY, ActionKind.HEALTH, ActionKind.LEASE, ActionKind.REPORT, ActionKind.STATUS, ActionKind.WATCH}
)
"""Kinds that say little each time: all of a session are one action."""

READS = frozenset({ActionKind.GET, ActionKind.LIST})

ENTRIES = frozenset({ActionKind.EXEC, ActionKind.ATTACH, ActionKind.PORT_FORWARD, ActionKind.PROXY})
"""Kinds by which somebody gets into something that runs."""

CHANGES = frozenset(
    {
        *(ActionKind.DEBUG, ActionKind.EVICT, ActionKind.APPROVE, ActionKind.APPLY, ActionKind.KUBECTL),
        *(ActionKind.HELM, ActionKind.SCALE, ActionKind.CREATE, ActionKind.UPDATE, ActionKind.PATCH),
        *(ActionKind.DELETE, ActionKind.TOKEN),
    }
)


@dataclass(frozen=True, slots=True)
class Sort:
    """What a request is part of.

    Attributes:
        kind: the kind of action.
        group: requests of one kind and group that follow each other are one action.
    """

    kind: ActionKind
    group: tuple[str, ...] = ()


_DISCOVERY = re.compile(r"/(?:$|api/?$|apis/?$|apis/[^/]+/?$|apis/[^/]+/[^/]+/?$|api/v1/?$|version/?|openapi/)")
_HEALTH = re.compile(r"/(?:healthz|livez|readyz)(?:/|$)")
_OWN_RIGHTS = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})
_RIGHTS = frozenset({"subjectaccessreviews", "localsubjectaccessreviews", "tokenreviews"})
_WRITES = {
    "create": ActionKind.CREATE,
    "update": ActionKind.UPDATE,
    "patch": ActionKind.PATCH,
    "delete": ActionKind.DELETE,
    "deletecollection": ActionKind.DELETE,
}
_SUBRESOURCES = {
    ("pods", "exec"): ActionKind.EXEC,
    ("pods", "attach"): ActionKind.ATTACH,
    ("pods", "portforward"): ActionKind.PORT_FORWARD,
    ("pods", "log"): ActionKind.LOGS,
    ("pods", "eviction"): ActionKind.EVICT,
    ("pods", "proxy"): ActionKind.PROXY,
    ("services", "proxy"): ActionKind.PROXY,
    ("nodes", "proxy"): ActionKind.PROXY,
    ("serviceaccounts", "token"): ActionKind.TOKEN,
}
_WRITTEN_SUBRESOURCES = {
    "ephemeralcontainers": ActionKind.DEBUG,
    "approval": ActionKind.APPROVE,
    "scale": ActionKind.SCALE,
    "status": ActionKind.STATUS,
}
_RELEASE = re.compile(r"sh\.helm\.release\.v1\.(?P<name>.+)\.v(?P<revision>\d+)")
_MANAGER = re.compile(r"[?&]fieldManager=([^&]*)")
_OF_OBJECT = re.compile(r"[?&]fieldSelector=[^&]*involvedObject\.name(?:=|%3D)", re.IGNORECASE)


@lru_cache(10_000)
def field_manager(uri: str) -> str | None:
    """Who writes, as the request itself says (`fieldManager`)."""
    found = _MANAGER.search(uri)
    return unquote_plus(found[1]) or None if found else None


def _uri(details: Mapping[str, Any]) -> str:
    return str(details.get("request_uri") or "")


def is_dry_run(details: Mapping[str, Any]) -> bool:
    """Whether the URI asks not to carry it out. What a delete says in its body is not looked at."""
    return bool(re.search(r"[?&]dryRun=All(?:&|$)", _uri(details)))


def is_apply(details: Mapping[str, Any]) -> bool:
    """Whether a write applies a manifest: server-side apply (only that may be forced), or what kubectl calls apply."""
    uri = _uri(details)
    manager = field_manager(uri)
    if manager == "kubectl-client-side-apply":
        return True
    return details.get("verb") == "patch" and manager is not None and (manager == "kubectl" or "force=" in uri)


def is_kubectl(details: Mapping[str, Any]) -> bool:
    """Whether the request says that kubectl made it."""
    return str(details.get("user_agent_family") or "").startswith("kubectl")


def release_of(details: Mapping[str, Any]) -> tuple[str, int] | None:
    """Release and revision of Helm that a request is about."""
    found = _RELEASE.fullmatch(str(details.get("name") or ""))
    return (found["name"], int(found["revision"])) if found else None


def sort_of(details: Mapping[str, Any]) -> Sort:
    """What a request is part of, from columns of the events table; absent ones are no reason to fail."""
    resource = details.get("resource")
    if not resource:
        return _sort_of_path(details)
    subresource, verb = details.get("subresource"), str(details.get("verb") or "")
    if subresource:
        return _sort_of_subresource(details, resource, subresource, verb)
    if resource in _OWN_RIGHTS:
        return Sort(ActionKind.ASK_OWN_RIGHTS)
    if resource in _RIGHTS:
        return Sort(ActionKind.ASK_RIGHTS)
    if str(details.get("user_agent_family") or "") == "Helm" or release_of(details):
        return Sort(ActionKind.HELM)
    if verb in _WRITES:
        return _sort_of_write(details, resource, verb)
    match verb:
        case "get" | "head":
            return Sort(ActionKind.LEASE) if resource == "leases" else Sort(ActionKind.GET, (resource,))
        case "list":
            is_of_object = is_kubectl(details) and resource == "events" and _OF_OBJECT.search(_uri(details))
            return Sort(ActionKind.DESCRIBE) if is_of_object else Sort(ActionKind.LIST, (resource,))
        case "watch":
            return Sort(ActionKind.WATCH)
        case _:
            return Sort(ActionKind.OTHER, (verb, resource))


def _sort_of_path(details: Mapping[str, Any]) -> Sort:
    path = _uri(details).partition("?")[0]
    if _HEALTH.match(path):
        return Sort(ActionKind.HEALTH)
    if _DISCOVERY.match(path):
        return Sort(ActionKind.DISCOVERY)
    return Sort(ActionKind.PATH)


def _sort_of_subresource(details: Mapping[str, Any], resource: str, subresource: str, verb: str) -> Sort:
    kind = _SUBRESOURCES.get((resource, subresource))
    if kind is ActionKind.EXEC:
        return Sort(kind, (str(details.get("namespace") or ""), str(details.get("name") or "")))
    if kind is not None:
        return Sort(kind)
    kind = _WRITTEN_SUBRESOURCES.get(subresource)
    if verb not in _WRITES:
        return Sort(ActionKind.GET, (resource, subresource))
    if kind is not None:
        return Sort(kind, () if kind in NOISE else (resource,))
    return Sort(_WRITES[verb], (resource, subresource))


def _sort_of_write(details: Mapping[str, Any], resource: str, verb: str) -> Sort:
    if resource == "leases":
        return Sort(ActionKind.LEASE)
    if resource == "events" and verb in {"create", "patch", "update"}:
        return Sort(ActionKind.REPORT)
    manager = field_manager(_uri(details))
    dry = ("dry run",) if is_dry_run(details) else ()
    if is_apply(details):
        by = "" if manager in {"kubectl", "kubectl-client-side-apply"} else str(manager)
        return Sort(ActionKind.APPLY, (by, *dry))
    if manager and manager.startswith("kubectl-") and is_kubectl(details):
        return Sort(ActionKind.KUBECTL, (manager.removeprefix("kubectl-"), *dry))
    return Sort(_WRITES[verb], (resource, *dry))
