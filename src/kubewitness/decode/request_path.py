"""What a request path is about: group, version, resource, subresource, namespace and name.

Source: the API server's RequestInfo (kubernetes/apiserver, pkg/endpoints/request), for ordinary paths.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
_HTTP_VERBS = {
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
    "GET": "get",
    "HEAD": "get",
}
_SELECTING = ("list", "watch")
_FIELD_SELECTOR = re.compile(r"[?&]fieldSelector=([^&]*)")
_NAME_TERM = re.compile(r"metadata\.name==?(?!\.{1,2}\Z)([^/%]+)")


def object_of_path(uri: str, verb: str | None = None) -> dict[str, str] | None:
    """Give the objectRef of a request URI.

    Args:
        uri: path and query.
        verb: the verb, if known: the name may also be in the field selector of a list or watch.

    Returns:
        The fields of objectRef that the path gives, or None where it names no resource (`/readyz`,
        `/apis/apps`).
    """
    parts = unquote(uri.partition("?")[0]).strip("/").split("/")
    match parts:
        case ["api", version, *rest]:
            found = object_of_parts("", version, rest)
        case ["apis", group, version, *rest]:
            found = object_of_parts(group, version, rest)
        case _:
            return None
    if found is not None and "name" not in found and verb in _SELECTING and "/watch/" not in uri:
        selector = next((unquote(text) for text in _FIELD_SELECTOR.findall(uri)), "")
        names = [name for name in map(_NAME_TERM.fullmatch, selector.split(",")) if name]
        if names:
            found["name"] = names[0][1]
    return found


def object_of_parts(group: str, version: str, parts: list[str]) -> dict[str, str] | None:
    """Give the objectRef of the parts of a path after group and version; None when no resource is left."""
    special = parts[0] if parts and parts[0] in ("watch", "proxy") else None  # old verbs before the resource
    if special:
        parts = parts[1:]
    namespace = ""
    match parts:
        case ["namespaces", namespace, part, *_] if part not in _NAMESPACE_SUBRESOURCES:
            parts = parts[2:]
        case ["namespaces", namespace, *_]:
            pass
        case []:
            return None
    resource, name, subresource, *_ = (*parts, "", "")
    found = {
        "resource": resource,
        "namespace": namespace,
        "name": name,
        "apiGroup": group,
        "apiVersion": version,
        "subresource": "" if special == "proxy" else subresource,
    }
    return {key: value for key, value in found.items() if value}


def verb_of_method(method: str, uri: str) -> str:
    """Give the request verb of an HTTP method in capitals; what is a verb already comes back as it is."""
    verb = _HTTP_VERBS.get(method)
    if verb is None:
        return method if method != method.upper() else method.lower()
    target = object_of_path(uri)
    if target is None:
        return method.lower()
    if "name" not in target:
        if verb == "get":
            return "watch" if "watch=true" in uri or "watch=1" in uri else "list"
        if verb == "delete":
            return "deletecollection"
    return verb
