"""What authorization is asked about, and how often it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

RBAC_GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
_SERVICE_ACCOUNT = "system:serviceaccount:"
_STREAMS = frozenset({"exec", "attach", "portforward"})
_AUTHENTICATION_GROUP = "authentication.k8s.io"
_GIVEN_GROUPS = frozenset({"system:authenticated", "system:unauthenticated", "system:serviceaccounts"})


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """What a request asked authorization for; "" where it does not say.

    Attributes:
        verb: of the API; for other requests the method in lower case.
        group: API group; empty for the core group.
        resource: in the plural; empty for a request that is not for a resource.
        subresource: such as `exec`.
        namespace: empty for the whole cluster.
        name: of the object, as the URI names it: a create has none, a list may have one in its field selector.
        path: of a request that is not for a resource.
    """

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def is_for_resource(self) -> bool:
        """Whether it is about a resource of the API, not about a path."""
        return bool(self.resource)

    @property
    def combined(self) -> str:
        """Resource and subresource as roles write them, such as `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    def __str__(self) -> str:
        if not self.is_for_resource:
            return f"{self.verb} {self.path}"
        group = f".{self.group}" if self.group else ""
        name = f" {self.name}" if self.name else ""
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{group}{'/' + self.subresource if self.subresource else ''}{name}{place}"


class Inference(StrEnum):
    """Why a right is known to have been needed that no request of the log asked for by itself."""

    BIND = "bound the role"
    APPROVE = "approved a certificate of the signer"
    CREATE_BY_WRITE = "wrote an object that was not there"
    STREAM = "newer servers and clients ask for both verbs of a stream"
    IMPERSONATE = "acted as them"


@dataclass(frozen=True, slots=True)
class Use:
    """An access that was used.

    Attributes:
        access: what it was.
        count: number of requests.
        first_at: time of the first one (UTC, naive); None where no event says its time.
        last_at: time of the last one.
        inferred: why it is known, where no request asked for it by itself.
        example: origin of one of its events, as `source:line`.
    """

    access: Access
    count: int = 1
    first_at: datetime | None = None
    last_at: datetime | None = None
    inferred: Inference | None = None
    example: str = ""


def joined(uses: Iterable[Use]) -> list[Use]:
    """Uses of the same access as one; one that was asked for by itself is not called inferred."""
    found: dict[Access, Use] = {}
    for use in uses:
        known = found.get(use.access)
        if known is None:
            found[use.access] = use
            continue
        found[use.access] = replace(
            known,
            count=known.count + use.count,
            first_at=min(filter(None, (known.first_at, use.first_at)), default=None),
            last_at=max(filter(None, (known.last_at, use.last_at)), default=None),
            inferred=known.inferred and use.inferred,
            example=known.example or use.example,
        )
    return [found[access] for access in sorted(found)]


def with_stream_pairs(uses: Iterable[Use]) -> Iterator[Use]:
    """Uses, and for each stream its other verb.

    `exec`, `attach` and `portforward` are `create` by SPDY and `get` by WebSocket, as the client chooses; from
    Kubernetes 1.35 on the server asks for `create` in both cases.
    """
    for use in uses:
        yield use
        access = use.access
        if access.resource == "pods" and access.subresource in _STREAMS and access.verb in {"create", "get"}:
            other = "get" if access.verb == "create" else "create"
            yield replace(use, access=replace(access, verb=other), inferred=Inference.STREAM)


def impersonation(user: str, groups: Iterable[str], uid: str = "", constraint: str = "") -> Iterator[Access]:
    """The rights that acting as somebody needs.

    Groups that the server adds by itself are left out: whether they were asked for too does not show.

    Args:
        user: whom.
        groups: with these groups.
        uid: with this uid; empty where none was given.
        constraint: the verb of constrained impersonation (Kubernetes 1.35 and newer) that allowed it, such as
            `impersonate:user-info`; empty for the plain `impersonate`.

    Source: kubernetes/apiserver, pkg/endpoints/filters/impersonation; KEP-5284.
    """
    verb = constraint or "impersonate"
    group = _AUTHENTICATION_GROUP if constraint else ""
    account = service_account_of(user)
    if account:
        yield Access(verb, group, "serviceaccounts", namespace=account[0], name=account[1])
        given = {*_GIVEN_GROUPS, f"system:serviceaccounts:{account[0]}"}
    elif constraint.endswith("-node") and user.startswith("system:node:"):
        yield Access(verb, group, "nodes", name=user.removeprefix("system:node:"))
        given = {*_GIVEN_GROUPS, "system:nodes"}
    else:
        yield Access(verb, group, "users", name=user)
        given = {*_GIVEN_GROUPS}
    for each in sorted(set(groups) - given):
        yield Access(verb, group, "groups", name=each)
    if uid:
        yield Access(verb, _AUTHENTICATION_GROUP, "uids", name=uid)


def impersonated_access(access: Access, constraint: str) -> Access:
    """The right, besides impersonation itself, that a constrained impersonator needs for a request."""
    return replace(access, verb=f"impersonate-on:{constraint.removeprefix('impersonate:')}:{access.verb}")


def service_account_of(user: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user name stands for."""
    parts = user.removeprefix(_SERVICE_ACCOUNT).split(":")
    if not user.startswith(_SERVICE_ACCOUNT) or len(parts) != 2 or not all(parts):  # noqa: PLR2004 - namespace, name
        return None
    return parts[0], parts[1]


def service_account_user(namespace: str, name: str) -> str:
    """The user name of a service account."""
    return f"{_SERVICE_ACCOUNT}{namespace}:{name}"
