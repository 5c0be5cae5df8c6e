"""What the API server takes a request to be about, from its method and URI: what it authorises and audits by.

Source: kubernetes/apiserver v1.36, pkg/endpoints/request/requestinfo.go. One thing is left out: parameters of a list
that the server cannot parse (`limit=x`) make it ignore the field selector too; such a request is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote

_SPECIAL = frozenset({"proxy", "watch"})
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_FALSE = frozenset({"false", "0"})
_SELECTORS = re.compile(
    r"(?s)[^,=\\]*?(?:!=|==?)(?:[^\\,=]|\\[\\,=])*(?:,(?:[^,=\\]*?(?:!=|==?)(?:[^\\,=]|\\[\\,=])*)?)*"
)
_NAME_TERM = re.compile(r"(?s)(?:(?:[^\\,]|\\.)*?,)*?metadata\.name==?((?:[^\\,=]|\\[\\,=])*)(?:,|\Z)")


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What a request is about; "" where it does not say.

    Attributes:
        verb: of the API; for other requests the method in lower case.
        path: of the URI, decoded.
        is_resource_request: whether it is for a resource of an API.
    """

    verb: str
    path: str
    is_resource_request: bool = False
    api_group: str = ""
    api_version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""


def request_info(method: str, uri: str) -> RequestInfo:
    """What a request of this HTTP method, in capitals, is about."""
    path = _path(uri)
    parts = _resource_parts(path)
    if parts is None:
        return RequestInfo(method.lower(), path)
    group, version, rest = parts
    special = rest[0] if rest[0] in _SPECIAL else None
    if special and len(rest) == 1:  # The server refuses it before anything else.
        return RequestInfo(method.lower(), path, is_resource_request=True, api_group=group, api_version=version)
    info = _of_resource(special or _VERBS.get(method, ""), path, parts, special)
    if not info.name and info.verb == "get":
        watch = _parameter(uri, "watch")
        verb = "list" if watch is None or watch.lower() in _FALSE else "watch"
        return replace(info, verb=verb, name=_selected_name(uri))
    return replace(info, verb="deletecollection") if not info.name and info.verb == "delete" else info


def info_of_event(verb: str, uri: str) -> RequestInfo:
    """What the request of an audit event is about: the event knows the verb, but not the method."""
    path = _path(uri)
    parts = _resource_parts(path)
    if parts is None:
        return RequestInfo(verb, path)
    rest = parts[2]
    special = rest[0] if rest[0] in _SPECIAL and len(rest) > 1 else None
    info = _of_resource(verb, path, parts, special)
    is_list = not info.name and special is None and verb in {"list", "watch"}
    return replace(info, name=_selected_name(uri)) if is_list else info


def _of_resource(verb: str, path: str, parts: tuple[str, str, list[str]], special: str | None) -> RequestInfo:
    """What a request for a resource is about, as far as its path says."""
    group, version, rest = parts
    namespace, resource, name, subresource = _object(rest, special)
    return RequestInfo(
        verb,
        path,
        is_resource_request=True,
        api_group=group,
        api_version=version,
        namespace=namespace,
        resource=resource,
        subresource=subresource,
        name=name,
    )


def _path(uri: str) -> str:
    path = uri.partition("?")[0]
    return unquote(path) if "%" in path else path


def _resource_parts(path: str) -> tuple[str, str, list[str]] | None:
    """Group, version, and what comes after; None for a request that is not for a resource."""
    match path.strip("/").split("/"):
        case ["api", version, *rest] if rest:
            return "", version, rest
        case ["apis", group, version, *rest] if rest:
            return group, version, rest
        case _:
            return None


def _object(parts: list[str], special: str | None) -> tuple[str, str, str, str]:
    """Namespace, resource, name, subresource."""
    if special:
        parts = parts[1:]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = parts[1]
        if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:  # noqa: PLR2004 - namespaces, name, part
            parts = parts[2:]
    resource, name, subresource, *_ = (*parts, "", "")
    return namespace, resource, name, "" if special == "proxy" else subresource


def _selected_name(uri: str) -> str:
    """The name that the field selector of a list or watch demands."""
    selector = _parameter(uri, "fieldSelector")
    if not selector or "metadata.name" not in selector or not _SELECTORS.fullmatch(selector):
        return ""
    found = _NAME_TERM.match(selector)
    if not found:
        return ""
    name = re.sub(r"\\(.)", r"\1", found[1])
    return "" if name in {".", ".."} or "/" in name or "%" in name else name


def _parameter(uri: str, name: str) -> str | None:
    """The first value of a parameter of the query; what holds a semicolon or a wrong escape is no parameter."""
    query = uri.partition("?")[2]
    if name not in query and "%" not in query:
        return None
    for part in query.split("&"):
        if ";" in part or re.search(r"%(?![0-9a-fA-F]{2})", part):
            continue
        key, _, value = part.partition("=")
        if unquote(key.replace("+", " ")) == name:
            return unquote(value.replace("+", " "))
    return None
