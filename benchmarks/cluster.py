"""The cluster that the generated log is from: who acts in it, and how one event of it is written."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.objects import ID, RECEIVED, STAGED, SUFFIX, VERSION, Json, Workload

NAMESPACES = ("shop", "payments", "orders", "search", "identity", "reports", "media", "ml", "staging", "ci")
SERVICES = ("api", "web", "worker", "cache", "gateway", "importer", "scheduler", "notifier")
PEOPLE = (
    "amira",
    "bjorn",
    "chen",
    "dana",
    "emeka",
    "farah",
    "goran",
    "hana",
    "ines",
    "jonas",
    "kofi",
    "lena",
)
ADDONS = ("metrics-server", "ama-logs", "azure-policy", "coredns-autoscaler", "konnectivity-agent")
LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # of generated names
ROLE = "b1ff04bb8a4e4dc48eb57693f20a0f4b"
MASTERS = "system:masters"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who sends a request.

    Attributes:
        username: as authenticated.
        groups: without system:authenticated.
        uid: as authenticated, where there is one.
        extra: user.extra of the event.
        address: the one source address.
        agent: user agent.
        reason: what authorised the request, as the authorizer words it; empty for system:masters and nodes.
    """

    username: str
    groups: tuple[str, ...] = ()
    uid: str | None = None
    extra: Json | None = None
    address: str = "20.103.84.11"
    agent: str = "Go-http-client/2.0"
    reason: str = ""

    def user(self) -> Json:
        """The event's `user`."""
        made: Json = {"username": self.username}
        if self.uid is not None:
            made["uid"] = self.uid
        is_known = self.username != "system:anonymous"
        made["groups"] = [*self.groups, "system:authenticated"] if is_known else ["system:unauthenticated"]
        if self.extra is not None:
            made["extra"] = self.extra
        return made

    def with_agent(self, agent: str) -> Actor:
        """The same actor with another client."""
        return replace(self, agent=agent)


ANONYMOUS = Actor("system:anonymous", address="192.0.2.66", agent="curl/8.5.0")
READINESS = Actor(
    "readinessChecker",
    uid="1",
    address="10.200.0.38",
    agent="kube-probe/1.33",
    reason='RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole "system:discovery" to Group'
    ' "system:authenticated"',
)
HCP = Actor("hcpService", (MASTERS,), address="172.31.42.20", agent="Prometheus/2.54.1")
SCHEDULER = Actor(
    "system:kube-scheduler",
    address="172.31.16.64",
    agent="kube-scheduler/v1.33.5 (linux/amd64) kubernetes/9d37f7b/scheduler",
    reason='RBAC: allowed by ClusterRoleBinding "system:kube-scheduler" of ClusterRole'
    ' "system:kube-scheduler" to User "system:kube-scheduler"',
)


class Cluster:
    """Everything there is to choose from; each call of a method draws from the seeded randomness.

    Args:
        seed: of the randomness; the same seed gives the same cluster and the same draws.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        pools = ("system-18204417", "apps-40938851", "spot-77120936")
        self.nodes = [f"aks-{pool}-vmss0000{index:02x}" for pool in pools for index in range(16)]
        self.workloads = [
            Workload(
                namespace,
                f"{namespace}-{service}",
                self.word(10),
                self.uid(),
                f"{self.random.randint(1, 9)}.{self.random.randint(0, 40)}.0",
                self.random.choice((1, 1, 1, 2, 2, 3)),
                self.random.choice((2, 4, 6, 8, 20, 56)),
                self.random.choice((1, 2, 3, 6)),
            )
            for namespace in NAMESPACES
            for service in SERVICES
        ]
        self.people = [self._person(index, name) for index, name in enumerate(PEOPLE)]
        self.pipelines = [self._pipeline(index) for index in range(3)]
        self.token_ids = {name: self.uid() for name in ("gitops", *ADDONS)}

    def uid(self) -> str:
        """A random uid."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def word(self, length: int) -> str:
        """A name as the API server generates it (no vowels)."""
        return "".join(self.random.choices(LETTERS, k=length))

    def workload(self) -> Workload:
        """One of the workloads."""
        return self.random.choice(self.workloads)

    def node_name(self) -> str:
        """One of the nodes."""
        return self.random.choice(self.nodes)

    def node(self, name: str) -> Actor:
        """The kubelet of a node."""
        return Actor(
            f"system:node:{name}",
            ("system:nodes",),
            extra={"authentication.kubernetes.io/credential-id": [f"X509SHA256={name.encode().hex():0<64.64}"]},
            agent="kubelet/v1.33.5 (linux/amd64) kubernetes/9d37f7b",
        )

    def aks(self, agent: str = "kube-controller-manager") -> Actor:
        """The control plane outside the cluster."""
        client = f"{agent}/v1.33.5 (linux/amd64) kubernetes/9d37f7b/leader-election"
        return Actor("aksService", (MASTERS,), address="172.31.16.64", agent=client)

    def controller(self, name: str) -> Actor:
        """A controller of kube-controller-manager."""
        username = f"system:serviceaccount:kube-system:{name}"
        binding = f'ClusterRoleBinding "system:controller:{name}" of ClusterRole "system:controller:{name}"'
        return Actor(
            username,
            ("system:serviceaccounts", "system:serviceaccounts:kube-system"),
            str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
            {"authentication.kubernetes.io/credential-id": [f"JTI={uuid.uuid5(uuid.NAMESPACE_URL, name)}"]},
            "172.31.16.64",
            f"kube-controller-manager/v1.33.5 (linux/amd64) kubernetes/9d37f7b/{username}",
            f'RBAC: allowed by {binding} to ServiceAccount "{name}/kube-system"',
        )

    def service_account(self, namespace: str, name: str, agent: str | None = None) -> Actor:
        """A pod of the cluster, by its service account and a token bound to the pod."""
        node = self.node_name()
        bound = "authentication.kubernetes.io/{}".format
        return Actor(
            f"system:serviceaccount:{namespace}:{name}",
            ("system:serviceaccounts", f"system:serviceaccounts:{namespace}"),
            str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{namespace}/{name}")),
            {
                bound("credential-id"): [f"JTI={uuid.uuid5(uuid.NAMESPACE_URL, node + name)}"],
                bound("node-name"): [node],
                bound("node-uid"): [str(uuid.uuid5(uuid.NAMESPACE_URL, node))],
                bound("pod-name"): [f"{name}-6f5d8c7b94-{node[-5:]}"],
                bound("pod-uid"): [str(uuid.uuid5(uuid.NAMESPACE_OID, node + name))],
            },
            agent=agent or f"{name}/v0.0.0 (linux/amd64) kubernetes/$Format",
            reason=f'RBAC: allowed by ClusterRoleBinding "{name}" of ClusterRole "{name}" to ServiceAccount'
            f' "{name}/{namespace}"',
        )

    def operator(self) -> Actor:
        """One of the operators that run in the cluster."""
        names = (
            "kyverno",
            "cert-manager",
            "keda-operator",
            "external-secrets",
            "ingress-nginx",
            "prometheus",
        )
        name = self.random.choice(names)
        return self.service_account(name.partition("-operator")[0], name)

    def addon(self) -> Actor:
        """One of the add-ons of the managed cluster."""
        return self.service_account("kube-system", self.random.choice(ADDONS))

    def gitops(self) -> Actor:
        """The controller that applies what is in git."""
        return self.service_account("argocd", "argocd-application-controller", "argocd-controller/v0.0.0")

    def person(self) -> Actor:
        """Somebody with kubectl."""
        return self.random.choice(self.people)

    def pipeline(self) -> Actor:
        """A service principal of a build system."""
        return self.random.choice(self.pipelines)

    def _person(self, index: int, name: str) -> Actor:
        oid, assignment = self.uid(), self.uid().replace("-", "")
        return Actor(
            f"{name}@contoso.example",
            (self.uid(), self.uid()),
            extra={"oid": [oid]},
            address=f"203.0.113.{10 + index}",
            agent="kubectl/v1.33.1 (linux/amd64) kubernetes/8adc0f0",
            reason=f"Access allowed by Azure RBAC Role Assignment {assignment} of Role {ROLE} to user {oid}",
        )

    def _pipeline(self, index: int) -> Actor:
        oid = self.uid()
        return Actor(
            oid,
            (self.uid(),),
            extra={"oid": [oid]},
            address=f"198.51.100.{20 + index}",
            agent="Helm/3.18.4",
            reason='RBAC: allowed by ClusterRoleBinding "deployers" of ClusterRole "admin" to Group "build"',
        )


def request(
    actor: Actor,
    verb: str,
    resource: str,
    *,
    namespace: str | None = None,
    name: str | None = None,
    sub: str | None = None,
    query: str = "",
    level: str = "Request",
    code: int = 200,
    failure: tuple[str, str] | None = None,
    body: Any = None,
    answer: Any = None,
    acting_as: Json | None = None,
    remarks: Json | None = None,
) -> Json:
    """One ResponseComplete event, in the key order of the API server, with its blanks.

    Args:
        actor: who asks.
        verb: the audit verb.
        resource: `group/version/resource`, `version/resource` for the core group, or a path (`/...`).
        namespace: of the object.
        name: of the object; left out of the objectRef where SUFFIX is yet to be generated (create).
        sub: subresource.
        query: of the URI, without the question mark.
        level: Metadata drops both bodies, Request drops the answer.
        code: HTTP status.
        failure: reason and message of a refusal or failure.
        body: requestObject.
        answer: responseObject.
        acting_as: impersonatedUser.
        remarks: annotations besides those of the authorizer.

    Source: audit.k8s.io/v1 Event and what a kube-apiserver writes.
    """
    is_create = verb == "create" and sub is None
    path, reference = _target(resource, namespace, None if is_create else name, sub, versioned=verb == "update")
    event: Json = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": level,
        "auditID": ID,
        "stage": "ResponseComplete",
        "requestURI": f"{path}?{query}" if query else path,
        "verb": verb,
        "user": actor.user(),
    }
    if acting_as is not None:
        event["impersonatedUser"] = acting_as
    event |= {"sourceIPs": [actor.address], "userAgent": actor.agent}
    if reference is not None:
        if is_create and name is not None and not name.endswith(SUFFIX):
            reference["name"] = name
        event["objectRef"] = reference
    status: Json = {"metadata": {}, "code": code}
    if failure is not None:
        status = {
            "metadata": {},
            "status": "Failure",
            "message": failure[1],
            "reason": failure[0],
            "code": code,
        }
    event["responseStatus"] = status
    if body is not None and level != "Metadata":
        event["requestObject"] = body
    if level == "RequestResponse" and (answer is not None or failure is not None):
        event["responseObject"] = answer or {"kind": "Status", "apiVersion": "v1", **status}
    refused = failure is not None and failure[0] == "Forbidden"
    decision = {
        "authorization.k8s.io/decision": "forbid" if refused else "allow",
        "authorization.k8s.io/reason": "" if refused else actor.reason,
    }
    return event | {
        "requestReceivedTimestamp": RECEIVED,
        "stageTimestamp": STAGED,
        "annotations": decision | (remarks or {}),
    }


def _target(
    resource: str, namespace: str | None, name: str | None, sub: str | None, *, versioned: bool
) -> tuple[str, Json | None]:
    """Path of the URI and objectRef (None where the path is not one of a resource)."""
    if resource.startswith("/"):
        return resource, None
    *group, version, plural = resource.split("/")
    reference: Json = {"resource": plural}
    path = "/".join(["", "apis", *group, version] if group else ["", "api", version])
    if namespace is not None:
        path += f"/namespaces/{namespace}"
        reference["namespace"] = namespace
    path += f"/{plural}"
    if name is not None:
        path += f"/{name}"
        reference["name"] = name
    if group:
        reference["apiGroup"] = group[0]
    reference["apiVersion"] = version
    if versioned:
        reference["resourceVersion"] = VERSION
    if sub is not None:
        path += f"/{sub}"
        reference["subresource"] = sub
    return path, reference
