"""What a policy looks at: attributes of a request, alone or as columns of all requests of a log.

A policy is asked when a request arrives: about its URI and the user who authenticated. It never sees whom the request
impersonates, nor the name that a created object gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubewitness.decode.request_info import RequestInfo, info_of_event, request_info
from kubewitness.model.event import Column, Group
from kubewitness.query.fields import Field

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Attributes:
    """What the server knows of a request when it asks the policy; "" where there is nothing.

    Attributes:
        user: name of who authenticated; None when nobody did (code 401).
        groups: their groups.
        path: of the URI, decoded.
        is_resource_request: whether it is for a resource of an API.
    """

    user: str | None
    groups: tuple[str, ...] = ()
    verb: str = ""
    api_group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    is_resource_request: bool = False

    @property
    def combined_resource(self) -> str:
        """Resource and subresource as a policy writes them: `pods/exec`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def attributes_of_request(method: str, uri: str, *, user: str | None, groups: tuple[str, ...] = ()) -> Attributes:
    """Attributes of a request of this HTTP method, in capitals."""
    return _attributes(request_info(method, uri), user, groups)


def attributes_of_event(event: Mapping[str, Any]) -> Attributes:
    """Attributes of the request of an audit event (v1, as decoded JSON). Without a URI the objectRef has to do."""
    user = _mapping(event.get("user"))
    groups = user.get("groups")
    groups = tuple(map(str, groups)) if isinstance(groups, list) else ()
    name = user.get("username")
    known = str(name) if isinstance(name, str) else "" if groups else None
    verb = _text(event.get("verb"))
    uri = event.get("requestURI")
    if isinstance(uri, str) and uri:
        return _attributes(info_of_event(verb, uri), known, groups)
    ref = _mapping(event.get("objectRef"))
    return Attributes(
        known,
        groups,
        verb,
        _text(ref.get("apiGroup")),
        _text(ref.get("resource")),
        _text(ref.get("subresource")),
        _text(ref.get("namespace")),
        _text(ref.get("name")),
        "",
        is_resource_request=bool(ref.get("resource")),
    )


def _attributes(info: RequestInfo, user: str | None, groups: tuple[str, ...]) -> Attributes:
    return Attributes(
        user,
        groups,
        info.verb,
        info.api_group,
        info.resource,
        info.subresource,
        info.namespace,
        info.name,
        info.path,
        info.is_resource_request,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _field(name: str, column: str, type_: str = "VARCHAR") -> Field:
    return Field(name, Column(column, type_, None, Group.FACT, ""))


# Fields of the floor `asked` (sql/asked.sql): text is never null there, but for the user of a request without one.
USER = _field("user", "asked_user")
GROUPS = _field("groups", "asked_groups", "VARCHAR[]")
VERB = _field("verb", "asked_verb")
API_GROUP = _field("api_group", "asked_api_group")
RESOURCE = _field("resource", "asked_resource")
SUBRESOURCE = _field("subresource", "asked_subresource")
COMBINED_RESOURCE = _field("combined_resource", "asked_combined_resource")
NAMESPACE = _field("namespace", "asked_namespace")
NAME = _field("name", "asked_name")
PATH = _field("path", "asked_path")
IS_RESOURCE_REQUEST = _field("is_resource_request", "is_resource_request", "BOOLEAN")
