"""What changes in the generated cluster: writes of controllers, delivery and people, mostly with both bodies.

Weights are events in 10,000.
"""

from __future__ import annotations

from typing import Any

from benchmarks.cluster import SCHEDULER, Actor, Cluster, request
from benchmarks.objects import (
    NOW,
    SUFFIX,
    UID,
    Json,
    deployment,
    metadata,
    owned_by,
    pod,
    schema,
    template,
)
from benchmarks.recipes import FULL, META, Book

CHANGES = Book()


def _write(
    actor: Actor, verb: str, resource: str, at: tuple[str | None, str], bodies: tuple[Any, Any], **more: Any
) -> Json:
    """A write with both bodies, at a namespace and name; `more` goes to `request`."""
    more = {"level": FULL, "code": 201 if verb == "create" else 200, **more}
    return request(actor, verb, resource, namespace=at[0], name=at[1], body=bodies[0], answer=bodies[1], **more)


@CHANGES.recipe(110, variants=60)
def replicaset_status_is_updated(cluster: Cluster) -> Json:
    """By its controller; one in twenty meets a conflict."""
    one, actor = cluster.workload(), cluster.controller("replicaset-controller")
    name = one.replicaset
    more: dict[str, Any] = {"sub": "status"}
    if cluster.random.random() < 0.05:
        message = f'Operation cannot be fulfilled on replicasets.apps "{name}": the object has been modified'
        more |= {"code": 409, "failure": ("Conflict", message)}
    stored = deployment(one, "ReplicaSet")
    sent = deployment(one, "ReplicaSet", stored=False)
    return _write(actor, "update", "apps/v1/replicasets", (one.namespace, name), (sent, stored), **more)


@CHANGES.recipe(90, variants=60)
def deployment_status_is_updated(cluster: Cluster) -> Json:
    """By its controller."""
    one, actor = cluster.workload(), cluster.controller("deployment-controller")
    sent, stored = deployment(one, stored=False), deployment(one)
    return _write(actor, "update", "apps/v1/deployments", (one.namespace, one.name), (sent, stored), sub="status")


@CHANGES.recipe(80, variants=60)
def endpoints_are_updated(cluster: Cluster) -> Json:
    """Endpoints have bodies; endpoint slices, of another group, have none."""
    one, actor = cluster.workload(), cluster.controller("endpoint-controller")
    ready = [
        {
            "ip": f"10.244.{index}.{7 * index + 1}",
            "nodeName": cluster.node_name(),
            "targetRef": {
                "kind": "Pod",
                "namespace": one.namespace,
                "name": f"{one.replicaset}-{cluster.word(5)}",
                "uid": cluster.uid(),
            },
        }
        for index in range(one.replicas)
    ]
    subsets = [{"addresses": ready, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]}]
    made = {"kind": "Endpoints", "apiVersion": "v1", "metadata": metadata(one.name, one.namespace)}
    body = {**made, "subsets": subsets}
    return _write(actor, "update", "v1/endpoints", (one.namespace, one.name), (body, body))


@CHANGES.recipe(240, variants=60)
def endpointslice_is_updated(cluster: Cluster) -> Json:
    """At Metadata, as every group that the policy does not name."""
    one = cluster.workload()
    slices = "discovery.k8s.io/v1/endpointslices"
    actor = cluster.controller("endpointslice-controller")
    return request(actor, "update", slices, namespace=one.namespace, name=f"{one.name}-{SUFFIX}", level=META)


@CHANGES.recipe(75, variants=80)
def pod_is_created(cluster: Cluster) -> Json:
    """By the ReplicaSet controller, with a generated name."""
    one, actor = cluster.workload(), cluster.controller("replicaset-controller")
    remarks = {
        "mutation.webhook.admission.k8s.io/round_0_index_3": '{"configuration":"gatekeeper-mutating-webhook-'
        'configuration","webhook":"mutation.gatekeeper.sh","mutated":false}',
        "pod-security.kubernetes.io/enforce-policy": "baseline:latest",
    }
    sent, stored = pod(one, None, stored=False), pod(one, None)
    return _write(actor, "create", "v1/pods", (one.namespace, one.pod), (sent, stored), remarks=remarks)


@CHANGES.recipe(75, variants=60)
def pod_is_bound(cluster: Cluster) -> Json:
    """By the scheduler."""
    one = cluster.workload()
    made = {"name": one.pod, "namespace": one.namespace, "uid": UID}
    body = {
        "kind": "Binding",
        "apiVersion": "v1",
        "metadata": made,
        "target": {"kind": "Node", "name": cluster.node_name()},
    }
    answer = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return _write(SCHEDULER, "create", "v1/pods", (one.namespace, one.pod), (body, answer), sub="binding")


@CHANGES.recipe(75, variants=80)
def pod_is_deleted(cluster: Cluster) -> Json:
    """By the ReplicaSet controller, then by the kubelet when its containers are gone."""
    one, node = cluster.workload(), cluster.node_name()
    actor = cluster.random.choice((cluster.controller("replicaset-controller"), cluster.node(node)))
    body = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": UID},
    }
    return _write(actor, "delete", "v1/pods", (one.namespace, one.pod), (body, pod(one, node)))


@CHANGES.recipe(60)
def job_status_is_updated(cluster: Cluster) -> Json:
    """Of a cron job's latest run."""
    one, actor = cluster.workload(), cluster.controller("job-controller")
    name = f"{one.name}-nightly-29923{cluster.random.randint(100, 999)}"
    spec = {"parallelism": 1, "completions": 1, "backoffLimit": 3, "template": template(one)}
    made = metadata(name, one.namespace, created=NOW, owner=owned_by("CronJob", one.name, one.uid))
    status = {"startTime": NOW, "active": 0, "succeeded": 1, "completionTime": NOW}
    body = {"kind": "Job", "apiVersion": "batch/v1", "metadata": made, "spec": spec, "status": status}
    return _write(actor, "update", "batch/v1/jobs", (one.namespace, name), (body, body), sub="status")


@CHANGES.recipe(90)
def autoscaler_status_is_updated(cluster: Cluster) -> Json:
    """Every fifteen seconds for each of them."""
    one, actor = cluster.workload(), cluster.controller("horizontal-pod-autoscaler")
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    spec = {
        "scaleTargetRef": {"kind": "Deployment", "name": one.name, "apiVersion": "apps/v1"},
        "minReplicas": 1,
        "maxReplicas": 12,
        "metrics": [{"type": "Resource", "resource": metric}],
    }
    status = {"currentReplicas": one.replicas, "desiredReplicas": one.replicas, "conditions": []}
    made = metadata(one.name, one.namespace, managed={"kube-controller-manager": {"status": status}})
    body = {
        "kind": "HorizontalPodAutoscaler",
        "apiVersion": "autoscaling/v2",
        "metadata": made,
        "spec": spec,
        "status": status,
    }
    resource = "autoscaling/v2/horizontalpodautoscalers"
    return _write(actor, "update", resource, (one.namespace, one.name), (body, body), sub="status")


@CHANGES.recipe(4, variants=4)
def custom_resource_definition_is_patched(cluster: Cluster) -> Json:
    """By an operator that puts its webhook's certificate in: the longest bodies of all."""
    name = cluster.random.choice(("clusterpolicies.kyverno.io", "prometheuses.monitoring.coreos.com"))
    definition = {
        "kind": "CustomResourceDefinition",
        "apiVersion": "apiextensions.k8s.io/v1",
        "metadata": metadata(name, None),
        "spec": {
            "group": name.partition(".")[2],
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema(3, 10)}}],
        },
    }
    resource = "apiextensions.k8s.io/v1/customresourcedefinitions"
    patch = {"metadata": {"annotations": {"cert-manager.io/inject-ca-from": "kyverno/kyverno-tls"}}}
    return _write(cluster.operator(), "patch", resource, (None, name), (patch, definition))


# --- delivery and people


@CHANGES.recipe(70, variants=40)
def deployment_is_reconciled(cluster: Cluster) -> Json:
    """GitOps: a server-side apply, tried first without effect; two bodies, no small ones."""
    one = cluster.workload()
    query = "fieldManager=argocd-controller&force=true"
    if cluster.random.random() < 0.8:
        query = f"dryRun=All&{query}"
    sent, stored = deployment(one, stored=False), deployment(one)
    return _write(
        cluster.gitops(),
        "patch",
        "apps/v1/deployments",
        (one.namespace, one.name),
        (sent, stored),
        query=query,
    )


@CHANGES.recipe(9, variants=40)
def deployment_is_changed(cluster: Cluster) -> Json:
    """By a pipeline or a person: a new image, a restart, another size."""
    one, actor = cluster.workload(), cluster.random.choice((cluster.pipeline(), cluster.person()))
    change: Json = cluster.random.choice(
        (
            {"replicas": one.replicas},
            {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": NOW}}}},
        )
    )
    return _write(
        actor,
        "patch",
        "apps/v1/deployments",
        (one.namespace, one.name),
        ({"spec": change}, deployment(one)),
        query="fieldManager=kubectl-rollout",
    )


@CHANGES.recipe(14)
def logs_are_read(cluster: Cluster) -> Json:
    """By people, of a pod."""
    one = cluster.workload()
    query = f"container={one.name}&tailLines=200"
    return request(cluster.person(), "get", "v1/pods", namespace=one.namespace, name=one.pod, sub="log", query=query)


@CHANGES.recipe(1.5, lasts_s=(3.0, 120.0))
def shell_is_opened(cluster: Cluster) -> Json:
    """The ordinary kind: a developer looks at the own team's pod."""
    one = cluster.workload()
    query = f"command=ls&command=-la&container={one.name}&stderr=true&stdout=true"
    return request(
        cluster.person(),
        "get",
        "v1/pods",
        namespace=one.namespace,
        name=one.pod,
        sub="exec",
        query=query,
        code=101,
    )


@CHANGES.recipe(2)
def pod_is_deleted_by_hand(cluster: Cluster) -> Json:
    """To have it restarted."""
    one = cluster.workload()
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    answer = pod(one, cluster.node_name())
    return _write(cluster.person(), "delete", "v1/pods", (one.namespace, one.pod), (body, answer))


@CHANGES.recipe(12)
def access_is_denied(cluster: Cluster) -> Json:
    """A person or an operator asks for what it may not have."""
    one, actor = cluster.workload(), cluster.random.choice((cluster.person(), cluster.operator()))
    resource = cluster.random.choice(("apps/v1/deployments", "v1/pods", "v1/services"))
    short, group = resource.rpartition("/")[2], "apps" if resource.startswith("apps") else ""
    message = (
        f'{short} is forbidden: User "{actor.username}" cannot list resource "{short}" in API group "{group}"'
        f' in the namespace "{one.namespace}"'
    )
    return request(
        actor,
        "list",
        resource,
        namespace=one.namespace,
        code=403,
        failure=("Forbidden", message),
        query="limit=500",
    )
