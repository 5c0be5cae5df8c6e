"""What goes on in the generated cluster all the time: leases, kubelets, reads, and writes without bodies.

The mix is that of a busy AKS cluster under the audit policy that AKS publishes: leases, custom resources,
secrets, config maps, tokens and non-resource paths at Metadata; reads and kubelet status at Request; other
writes with both bodies. Weights are events in 10,000.
"""

from __future__ import annotations

from benchmarks.cluster import HCP, READINESS, Actor, Cluster, request
from benchmarks.objects import (
    NOW,
    SUFFIX,
    UID,
    VERSION,
    Json,
    fields,
    node_conditions,
    node_images,
    pod_status,
)
from benchmarks.recipes import FULL, META, Book, Recipe

TRAFFIC = Book()


# --- leases, and the control plane's own questions


@TRAFFIC.recipe(1100, variants=48)
def node_renews_its_lease(cluster: Cluster) -> Json:
    """One of the most frequent events of every cluster."""
    name = cluster.node_name()
    lease = "coordination.k8s.io/v1/leases"
    return request(
        cluster.node(name),
        "update",
        lease,
        namespace="kube-node-lease",
        name=name,
        query="timeout=10s",
        level=META,
    )


@TRAFFIC.recipe(600, variants=12)
def control_plane_renews_its_lease(cluster: Cluster) -> Json:
    """Leader election outside the cluster."""
    name = cluster.random.choice(("kube-controller-manager", "kube-scheduler", "cloud-controller-manager"))
    lease = "coordination.k8s.io/v1/leases"
    return request(cluster.aks(name), "update", lease, namespace="kube-system", name=name, level=META)


@TRAFFIC.recipe(900, variants=48)
def operator_renews_its_lease(cluster: Cluster) -> Json:
    """Leader election inside the cluster: a get and an update, here in one recipe."""
    verb = cluster.random.choice(("update", "update", "get"))
    actor = cluster.operator()
    namespace = actor.username.split(":")[2]
    lease = "coordination.k8s.io/v1/leases"
    return request(actor, verb, lease, namespace=namespace, name=f"{namespace}-leader", level=META)


@TRAFFIC.recipe(420, variants=12)
def readiness_is_probed(cluster: Cluster) -> Json:
    """Probes of the API server itself."""
    path = cluster.random.choice(("/readyz", "/livez", "/metrics"))
    return request(HCP if path == "/metrics" else READINESS, "get", path, level=META)


@TRAFFIC.recipe(160)
def discovery_is_read(cluster: Cluster) -> Json:
    """Clients ask what there is."""
    actor = cluster.random.choice((cluster.person, cluster.operator, cluster.gitops))()
    path = cluster.random.choice(("/api", "/apis", "/openapi/v3", "/apis/apps/v1"))
    return request(actor, "get", path, query="timeout=32s", level=META)


# --- kubelets


@TRAFFIC.recipe(330, variants=48)
def node_reports_its_status(cluster: Cluster) -> Json:
    """Conditions only."""
    name = cluster.node_name()
    body = {
        "status": {
            "$setElementOrder/conditions": [{"type": "Ready"}],
            "conditions": node_conditions(),
        }
    }
    return request(cluster.node(name), "patch", "v1/nodes", name=name, sub="status", query="timeout=10s", body=body)


@TRAFFIC.recipe(40, variants=16)
def node_reports_its_images(cluster: Cluster) -> Json:
    """Conditions, sizes and every image of the node: a long body."""
    name = cluster.node_name()
    held = cluster.random.sample(cluster.workloads, 50)
    sizes = {"cpu": "15740m", "ephemeral-storage": "119703055367", "memory": "60263120Ki", "pods": "110"}
    status = {
        "capacity": sizes,
        "allocatable": sizes,
        "conditions": node_conditions(),
        "images": node_images(held),
    }
    return request(cluster.node(name), "patch", "v1/nodes", name=name, sub="status", body={"status": status})


@TRAFFIC.recipe(420, variants=96)
def kubelet_reports_a_pod(cluster: Cluster) -> Json:
    """Status of a pod."""
    one, node = cluster.workload(), cluster.node_name()
    body = {"metadata": {"uid": UID}, "status": pod_status(one, node)}
    return request(
        cluster.node(node), "patch", "v1/pods", namespace=one.namespace, name=one.pod, sub="status", body=body
    )


@TRAFFIC.recipe(330, variants=48)
def kubelet_asks_for_a_token(cluster: Cluster) -> Json:
    """The token of a pod's service account."""
    one, node = cluster.workload(), cluster.node_name()
    remarks = {"authentication.kubernetes.io/issued-credential-id": f"JTI={UID}"}
    return request(
        cluster.node(node),
        "create",
        "v1/serviceaccounts",
        namespace=one.namespace,
        name=one.name,
        sub="token",
        level=META,
        code=201,
        remarks=remarks,
    )


@TRAFFIC.recipe(520, variants=48)
def access_is_reviewed(cluster: Cluster) -> Json:
    """A kubelet or an add-on asks whether somebody may do something; both bodies."""
    node = cluster.node_name()
    actor = cluster.random.choice((cluster.node(node), cluster.addon()))
    spec = {
        "resourceAttributes": {"verb": "get", "version": "v1", "resource": "nodes", "subresource": "metrics"},
        "user": "system:serviceaccount:kube-system:metrics-server",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
        "uid": "8f0d5c0e-8d6f-4d0e-9c56-1a1f2d3c4b5a",
    }
    kind = {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1"}
    managed = [{"manager": "kubelet", "operation": "Update", "time": NOW, "fieldsV1": fields({"spec": spec})}]
    reason = 'RBAC: allowed by ClusterRoleBinding "system:metrics-server" of ClusterRole "system:metrics-server"'
    return request(
        actor,
        "create",
        "authorization.k8s.io/v1/subjectaccessreviews",
        level=FULL,
        code=201,
        body={**kind, "metadata": {}, "spec": spec, "status": {"allowed": False}},
        answer={
            **kind,
            "metadata": {"managedFields": managed},
            "spec": spec,
            "status": {"allowed": True, "reason": reason},
        },
    )


@TRAFFIC.recipe(400, variants=48)
def token_is_reviewed(cluster: Cluster) -> Json:
    """Whose token is this?"""
    actor = cluster.random.choice((cluster.node(cluster.node_name()), cluster.addon(), cluster.operator()))
    return request(actor, "create", "authentication.k8s.io/v1/tokenreviews", level=META, code=201)


# --- reads


def _read(weight: float, verb: str, resources: tuple[str, ...], level: str, who: tuple[str, ...]) -> None:
    """Register reads of some resources by some of the cluster's actors (names of methods of Cluster)."""

    def make(cluster: Cluster) -> Json:
        actor: Actor = getattr(cluster, cluster.random.choice(who))()
        one = cluster.workload()
        resource = cluster.random.choice(resources)
        is_global = resource.endswith(("/nodes", "/namespaces"))
        named = verb == "get" or (level == META and verb == "watch")
        name = cluster.node_name() if is_global else one.pod if resource == "v1/pods" else f"{one.name}-config"
        query = {
            "get": "",
            "list": "limit=500&resourceVersion=0",
            "watch": f"allowWatchBookmarks=true&resourceVersion={VERSION}&timeoutSeconds=567&watch=true",
        }[verb]
        if named and verb == "watch":
            query = f"fieldSelector=metadata.name%3D{name}&{query}"
        is_missing = verb == "get" and cluster.random.random() < 0.06
        short = resource.rpartition("/")[2]
        return request(
            actor,
            verb,
            resource,
            namespace=None if is_global else one.namespace,
            name=name if named else None,
            query=query,
            level=level,
            code=404 if is_missing else 200,
            failure=("NotFound", f'{short} "{name}" not found') if is_missing else None,
        )

    lasts_s = (20.0, 560.0) if verb == "watch" else None
    plural = resources[0].rpartition("/")[2]
    TRAFFIC.append(Recipe(f"{verb}_{plural}_by_{who[0]}", weight, make, 60, lasts_s))


WORKLOADS = ("apps/v1/deployments", "apps/v1/replicasets", "apps/v1/statefulsets", "apps/v1/daemonsets")
CUSTOM = (
    "kyverno.io/v1/policies",
    "argoproj.io/v1alpha1/applications",
    "cert-manager.io/v1/certificates",
    "keda.sh/v1alpha1/scaledobjects",
)
IN_CLUSTER = ("operator", "addon", "gitops")
_read(620, "get", ("v1/pods", "v1/services", "v1/nodes", "v1/namespaces"), "Request", IN_CLUSTER)
_read(180, "get", WORKLOADS, "Request", ("gitops", "operator"))
_read(260, "list", ("v1/pods", "v1/nodes", "v1/services", "v1/persistentvolumeclaims"), "Request", IN_CLUSTER)
_read(90, "list", WORKLOADS, "Request", ("operator", "gitops"))
_read(260, "watch", ("v1/pods", "v1/services", "v1/nodes", *WORKLOADS), "Request", IN_CLUSTER)
_read(230, "watch", ("v1/configmaps", "v1/secrets"), META, ("addon", "operator"))
_read(180, "watch", CUSTOM, META, ("operator", "gitops"))
_read(420, "get", ("v1/configmaps",), META, IN_CLUSTER)
_read(110, "get", ("v1/secrets",), META, ("operator", "gitops"))
_read(340, "get", CUSTOM, META, ("operator", "gitops"))
_read(70, "get", ("v1/pods", *WORKLOADS), "Request", ("person",))
_read(60, "list", ("v1/pods", "v1/services", *WORKLOADS), "Request", ("person", "pipeline"))


# --- writes without bodies


def _metadata_write(weight: float, verb: str, resources: tuple[str, ...], who: tuple[str, ...]) -> None:
    """Register writes that the policy records without bodies."""

    def make(cluster: Cluster) -> Json:
        actor: Actor = getattr(cluster, cluster.random.choice(who))()
        one, resource = cluster.workload(), cluster.random.choice(resources)
        short = resource.rpartition("/")[2]
        name = f"{one.name}-{SUFFIX}" if short in {"events", "endpointslices"} else f"{one.name}-{short[:-1]}"
        namespace = "default" if short == "events" else one.namespace
        is_conflict = verb == "update" and cluster.random.random() < 0.04
        message = f'Operation cannot be fulfilled on {short} "{name}": the object has been modified'
        return request(
            actor,
            verb,
            resource,
            namespace=namespace,
            name=name,
            sub="status" if resource in CUSTOM else None,
            level=META,
            code=409 if is_conflict else 201 if verb == "create" else 200,
            failure=("Conflict", message) if is_conflict else None,
        )

    TRAFFIC.append(Recipe(f"{verb}_{resources[0].rpartition('/')[2]}", weight, make, 60))


_metadata_write(330, "create", ("v1/events",), ("addon", "operator"))
_metadata_write(170, "patch", ("v1/events",), ("addon", "operator"))
_metadata_write(260, "update", ("v1/configmaps",), ("addon", "operator"))
_metadata_write(25, "create", ("v1/configmaps", "v1/secrets"), ("gitops", "operator"))
_metadata_write(45, "update", ("v1/secrets",), ("operator",))
_metadata_write(420, "update", CUSTOM, ("operator", "gitops"))
_metadata_write(180, "patch", CUSTOM, ("operator", "gitops"))
