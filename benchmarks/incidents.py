"""The suspicious share of the generated log: rare, and said as an API server would say it.

Weights are events in 10,000; all of them together stay below a thousandth.
"""

from __future__ import annotations

from benchmarks.cluster import ANONYMOUS, MASTERS, Actor, Cluster, request
from benchmarks.objects import NOW, SUFFIX, UID, Json, metadata
from benchmarks.recipes import FULL, META, Book

INCIDENTS = Book()
RBAC = "rbac.authorization.k8s.io/v1"


@INCIDENTS.recipe(0.5)
def secrets_are_listed_everywhere(cluster: Cluster) -> Json:
    """A person reads all secrets of the cluster."""
    return request(cluster.person(), "list", "v1/secrets", query="limit=500", level=META)


@INCIDENTS.recipe(0.5, lasts_s=(20.0, 300.0))
def shell_is_opened_in_kube_system(cluster: Cluster) -> Json:
    """An interactive shell in a system pod."""
    query = "command=sh&command=-c&command=cat+%2Fetc%2Fshadow&container=main&stdin=true&stdout=true&tty=true"
    return request(
        cluster.person(),
        "get",
        "v1/pods",
        namespace="kube-system",
        name=f"ama-logs-{SUFFIX}",
        sub="exec",
        query=query,
        code=101,
    )


@INCIDENTS.recipe(0.3)
def cluster_admin_is_given(cluster: Cluster) -> Json:
    """A binding to cluster-admin."""
    body = {
        "kind": "ClusterRoleBinding",
        "apiVersion": RBAC,
        "metadata": {"name": "helper-admin"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "guest@contoso.example"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    }
    answer = {**body, "metadata": metadata("helper-admin", None)}
    return request(
        cluster.person(),
        "create",
        f"{RBAC}/clusterrolebindings",
        name="helper-admin",
        level=FULL,
        code=201,
        body=body,
        answer=answer,
    )


@INCIDENTS.recipe(0.3)
def privileged_pod_is_created(cluster: Cluster) -> Json:
    """A pod that owns its node."""
    spec = {
        "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
        "containers": [
            {
                "name": "debugger",
                "image": "busybox:1.37",
                "command": ["chroot", "/host"],
                "securityContext": {"privileged": True},
            }
        ],
        "hostPID": True,
        "hostNetwork": True,
    }
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "node-debugger"}, "spec": spec}
    answer = {**pod, "metadata": metadata("node-debugger", "default", created=NOW)}
    return request(
        cluster.person(),
        "create",
        "v1/pods",
        namespace="default",
        name="node-debugger",
        level=FULL,
        code=201,
        body=pod,
        answer=answer,
    )


@INCIDENTS.recipe(0.8)
def stranger_knocks(_cluster: Cluster) -> Json:
    """Nobody in particular asks for secrets, and is refused."""
    message = (
        'secrets is forbidden: User "system:anonymous" cannot list resource "secrets" in API group "" at the'
        " cluster scope"
    )
    return request(ANONYMOUS, "list", "v1/secrets", level=META, code=403, failure=("Forbidden", message))


@INCIDENTS.recipe(0.8)
def service_account_is_refused_secrets(cluster: Cluster) -> Json:
    """A workload looks around."""
    one = cluster.workload()
    actor = cluster.service_account(one.namespace, one.name, "curl/8.5.0")
    message = (
        f'secrets is forbidden: User "{actor.username}" cannot list resource "secrets" in API group "" in the'
        ' namespace "kube-system"'
    )
    return request(
        actor,
        "list",
        "v1/secrets",
        namespace="kube-system",
        level=META,
        code=403,
        failure=("Forbidden", message),
    )


@INCIDENTS.recipe(0.3)
def controller_token_is_minted(cluster: Cluster) -> Json:
    """A person makes a token of a controller."""
    return request(
        cluster.person(),
        "create",
        "v1/serviceaccounts",
        namespace="kube-system",
        name="clusterrole-aggregation-controller",
        sub="token",
        level=META,
        code=201,
        remarks={"authentication.kubernetes.io/issued-credential-id": f"JTI={UID}"},
    )


@INCIDENTS.recipe(0.3)
def masters_are_impersonated(cluster: Cluster) -> Json:
    """A person acts as a member of system:masters."""
    acting_as: Json = {"username": "breakglass", "groups": [MASTERS, "system:authenticated"]}
    return request(cluster.person(), "list", "v1/nodes", query="limit=500", acting_as=acting_as)


@INCIDENTS.recipe(0.3)
def local_admin_is_used(cluster: Cluster) -> Json:
    """The shared certificate of the cluster's local administrator."""
    agent = "kubectl/v1.33.1 (linux/amd64) kubernetes/8adc0f0"
    actor = Actor("masterclient", (MASTERS,), address="192.0.2.44", agent=agent)
    one = cluster.workload()
    return request(actor, "delete", "v1/secrets", namespace=one.namespace, name=f"{one.name}-db", level=META)


@INCIDENTS.recipe(0.2)
def kubelet_is_reached_through_the_proxy(cluster: Cluster) -> Json:
    """A person runs a command through a node's kubelet."""
    name = f"{cluster.node_name()}/proxy/run/kube-system/ama-logs/main"
    node, _, rest = name.partition("/proxy")
    event = request(cluster.person(), "create", "v1/nodes", name=node, sub="proxy", code=201)
    event["requestURI"] += rest
    return event


@INCIDENTS.recipe(0.2)
def traces_are_removed(cluster: Cluster) -> Json:
    """Kubernetes events are deleted by a person."""
    name = f"node-debugger.{UID}"
    return request(cluster.person(), "delete", "v1/events", namespace="default", name=name, level=META)
