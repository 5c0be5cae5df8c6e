"""What AKS records: the level of each request under the audit policy that AKS applies to every cluster.

Source: the policy published in the AKS documentation (Monitor AKS, section "AKS audit policy"), restated here
for the resources that occur in the example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

KNOWN_GROUPS = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "extensions",
        "metrics.k8s.io",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "scheduling.k8s.io",
        "settings.k8s.io",
        "storage.k8s.io",
    }
)
SENSITIVE = frozenset({"secrets", "configmaps", "serviceaccounts", "serviceaccounts/token"})
UNLOGGED_PATHS = ("/healthz", "/swagger")


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is for.

    Attributes:
        resource: in the plural.
        namespace: None for a cluster-wide request.
        name: None for list, watch, create and the like.
        subresource: such as exec or status.
        group: API group, empty for the core group.
        version: API version.
        rest: path after the subresource, for proxy requests.
    """

    resource: str
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None
    group: str = ""
    version: str = "v1"
    rest: str = ""

    def path_of(self, verb: str) -> str:
        """Path of the request, without a query; a create names its object in the body only."""
        name = None if verb == "create" and not self.subresource else self.name
        parts = [f"/apis/{self.group}" if self.group else "/api", self.version]
        parts += [f"namespaces/{self.namespace}"] if self.namespace else []
        parts += [part for part in (self.resource, name, self.subresource) if part]
        return "/".join(parts) + self.rest

    @property
    def kind_of_resource(self) -> str:
        """Resource with its subresource, as policies and roles name it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Recording(NamedTuple):
    """How a request is recorded.

    Attributes:
        level: Metadata, Request, RequestResponse, or None for not at all.
        has_received: whether the stage RequestReceived is recorded too.
    """

    level: str | None
    has_received: bool = False


NOTHING = Recording(None)
METADATA = Recording("Metadata")
REQUEST = Recording("Request")
READS = frozenset({"get", "list", "watch"})


class Asked(NamedTuple):
    """What the policy looks at.

    Attributes:
        username: who authenticated.
        groups: their groups.
        verb: request verb.
        resource: resource with its subresource.
        target: the resource.
    """

    username: str
    groups: tuple[str, ...]
    verb: str
    resource: str
    target: Target

    @property
    def is_kube_event(self) -> bool:
        """Whether it is about Kubernetes events, the objects."""
        return self.resource == "events" and self.target.group in {"", "events.k8s.io"}

    @property
    def is_by_node(self) -> bool:
        """Whether a kubelet asks for something of the core group."""
        return "system:nodes" in self.groups and not self.target.group


RULES: tuple[tuple[Callable[[Asked], bool], Recording], ...] = (
    (lambda it: it.username == "aksService" and it.verb in {"get", "list"}, NOTHING),
    (lambda it: it.is_by_node and it.verb == "get" and it.resource in {"nodes", "nodes/status"}, NOTHING),
    (
        lambda it: it.username == "system:apiserver" and it.verb == "get" and it.resource == "namespaces",
        NOTHING,
    ),
    (
        lambda it: (
            it.is_kube_event
            and it.verb in {"create", "update", "patch"}
            and it.target.namespace in {"default", "kube-system"}
        ),
        Recording("Metadata", has_received=True),
    ),
    (
        lambda it: it.is_kube_event and it.verb in {"delete", "list"},
        Recording("Metadata", has_received=True),
    ),
    (lambda it: it.is_kube_event, NOTHING),
    (
        lambda it: it.is_by_node and it.verb in {"update", "patch"} and it.resource in {"nodes/status", "pods/status"},
        REQUEST,
    ),
    (
        lambda it: it.verb == "deletecollection" and it.username.endswith(":kube-system:namespace-controller"),
        REQUEST,
    ),
    (lambda it: not it.target.group and it.resource in SENSITIVE, METADATA),
    (lambda it: it.resource == "tokenreviews", METADATA),
    (lambda it: it.target.group not in KNOWN_GROUPS, METADATA),
    (lambda it: it.verb in READS, REQUEST),
)


def recording_of(username: str, groups: tuple[str, ...], verb: str, target: Target | str) -> Recording:
    """Say how AKS records a request; the first rule that matches decides.

    Args:
        username: who authenticated.
        groups: their groups.
        verb: request verb.
        target: a resource, or the path of a non-resource request.
    """
    if isinstance(target, str):
        is_quiet = username == "aksService" or target == "/version" or target.startswith(UNLOGGED_PATHS)
        return NOTHING if is_quiet else METADATA
    asked = Asked(username, groups, verb, target.kind_of_resource, target)
    matching = (recording for is_met, recording in RULES if is_met(asked))
    return next(matching, Recording("RequestResponse"))
