"""The healthy part: control plane, nodes, add-ons, GitOps and people, from 08:00 to 10:00 UTC.

Leases, probes and scrapes come less often than on a real cluster, so that the example stays small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aks_maker import people
from aks_maker.objects import REGISTRY
from aks_maker.policy import Target
from aks_maker.recorder import clock, second, uid_of
from aks_maker.workloads import Workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aks_maker.recorder import Actor, Recorder

START, STOP = clock(8, 0, 0.4), clock(9, 59, 50)
LEASES = (
    (people.KUBE_CONTROLLER_MANAGER, "kube-system", "kube-controller-manager", 60, "timeout=5s"),
    (people.KUBE_SCHEDULER_LEASE, "kube-system", "kube-scheduler", 60, "timeout=5s"),
    (people.CLOUD_CONTROLLER, "kube-system", "cloud-controller-manager", 75, "timeout=5s"),
    (people.AUTOSCALER, "kube-system", "cluster-autoscaler", 75, ""),
    (people.CSI_RESIZER, "kube-system", "external-resizer-disk-csi-azure-com", 90, ""),
    (people.CSI_ATTACHER, "kube-system", "external-attacher-leader-disk-csi-azure-com", 90, ""),
    (people.APISERVER, "kube-system", "apiserver-gw5dkzq4mrha3jvyl7w2c6xtbe", 90, ""),
    (people.FLUX, "flux-system", "kustomize-controller-leader-election", 120, ""),
    (people.FLUX_SOURCE, "flux-system", "source-controller-leader-election", 120, ""),
    (people.INGRESS, "ingress-nginx", "ingress-nginx-leader", 120, ""),
    (people.CERT_MANAGER, "cert-manager", "cert-manager-controller", 150, ""),
    (people.CART, "shop", "cart-worker", 120, ""),
)
AUDITED_BY_GATEKEEPER = (
    Target("namespaces"),
    Target("pods"),
    Target("services"),
    Target("deployments", group="apps"),
    Target("daemonsets", group="apps"),
    Target("replicasets", group="apps"),
    Target("ingresses", group="networking.k8s.io"),
    Target("cronjobs", group="batch"),
)
GITOPS = (
    Target("namespaces", name="shop"),
    Target("serviceaccounts", "shop", "storefront"),
    Target("configmaps", "shop", "storefront-flags"),
    Target("services", "shop", "storefront"),
    Target("ingresses", "shop", "storefront", group="networking.k8s.io"),
    Target("horizontalpodautoscalers", "shop", "storefront", group="autoscaling", version="v2"),
    Target("networkpolicies", "shop", "default-deny", group="networking.k8s.io"),
    Target("certificates", "shop", "storefront-tls", group="cert-manager.io"),
)


def record_morning(log: Recorder) -> None:
    """Record two hours of a healthy cluster."""
    _record_control_plane(log)
    _record_nodes(log)
    _record_add_ons(log)
    _record_gitops(log)
    _record_people(log)
    workloads = Workloads(log)
    for start, hour in ((clock(8, 11, 20), 8), (clock(9, 33, 5), 9)):
        _record_pipeline(log, start, f"2.14.{hour - 6}")
        workloads.roll_out(start + 4.2, "shop", "catalog", f"2.14.{hour - 6}", 2)
    workloads.roll_out(clock(8, 25, 41), "shop", "cart", "1.9.4", 2)
    for quarter in range(8):
        workloads.run_cron_job(clock(8, 15 * quarter, 0.3), "shop", "stock-sync", "0.8.1")


def _every(log: Recorder, period_s: float, offset_s: float = 0.0) -> Iterator[float]:
    at = START + offset_s + log.random.uniform(0, min(period_s, 60))
    while at < STOP:
        yield at
        at += period_s + log.random.uniform(-0.02, 0.02) * period_s


def _record_control_plane(log: Recorder) -> None:
    for actor, namespace, name, period_s, query in LEASES:
        target = Target("leases", namespace, name, group="coordination.k8s.io")
        for at in _every(log, period_s):
            log.request(at, actor, "update", target, query=query, identity=_identity(log, target))
    for at in _every(log, 60):
        log.request(at, people.METRICS_SCRAPER, "get", "/metrics")
    for at in _every(log, 75):
        log.request(at, people.PROBE, "get", "/readyz")
    status = Target("configmaps", "kube-system", "cluster-autoscaler-status")
    for at in _every(log, 90):
        log.request(at, people.AUTOSCALER, "update", status, identity=_identity(log, status))
    for begin in _every(log, 2400):
        for number, name in enumerate(people.NODES):
            target = Target("nodes", name=name)
            body = {"metadata": {"labels": {"kubernetes.azure.com/consolidated-additional-properties": uid_of(name)}}}
            answer = {"kind": "Node", "apiVersion": "v1", **body, "spec": {"podCIDR": "10.244.0.0/24"}}
            query = "fieldManager=kubectl-label"
            log.request(
                begin + number * 0.4,
                people.AKS_KUBECTL,
                "patch",
                target,
                query=query,
                body=body,
                answer=answer,
            )
    watched = (
        (people.controller("generic-garbage-collector"), Target("pods")),
        (people.controller("endpointslice-controller"), Target("services")),
        (people.KUBE_SCHEDULER, Target("pods")),
        (
            people.controller("horizontal-pod-autoscaler"),
            Target("horizontalpodautoscalers", group="autoscaling"),
        ),
        (people.PROMETHEUS, Target("endpoints")),
        (people.INGRESS, Target("ingresses", group="networking.k8s.io")),
        (people.INGRESS, Target("secrets", "ingress-nginx")),
        (people.CERT_MANAGER, Target("certificates", group="cert-manager.io")),
    )
    for actor, target in watched:
        for at in _every(log, 900):
            _watch(log, at, actor, target)


def _watch(log: Recorder, at: float, actor: Actor, target: Target) -> None:
    seconds = log.random.randrange(320, 590)
    since = f"resourceVersion={log.new_version()}"
    query = f"allowWatchBookmarks=true&{since}&timeout=9m&timeoutSeconds={seconds}&watch=true"
    log.request(at, actor, "watch", target, query=query, lasts_s=float(seconds))


def _record_nodes(log: Recorder) -> None:
    for name in people.NODES:
        kubelet = people.node(name)
        lease = Target("leases", "kube-node-lease", name, group="coordination.k8s.io")
        for at in _every(log, 60):
            log.request(at, kubelet, "update", lease, query="timeout=10s", identity=_identity(log, lease))
        for at in _every(log, 300):
            kinds = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
            body = {"status": {"conditions": [{"type": kind, "lastHeartbeatTime": second(at)} for kind in kinds]}}
            target = Target("nodes", name=name, subresource="status")
            log.request(at, kubelet, "patch", target, query="timeout=10s", body=body)
        for at in _every(log, 480):
            _review_access(log, at, kubelet, people.AMA_LOGS, name)
        for at in _every(log, 600):
            log.request(at, kubelet, "create", Target("tokenreviews", group="authentication.k8s.io"), code=201)
        for at in _every(log, 1500):
            for account in ("ama-logs", "csi-azuredisk-node-sa"):
                target = Target("serviceaccounts", "kube-system", account, "token")
                issued = {"authentication.kubernetes.io/issued-credential-id": f"JTI={log.new_id()}"}
                log.request(at, kubelet, "create", target, code=201, remarks=issued)
        for at in _every(log, 1700):
            _watch(log, at, kubelet, Target("configmaps", "kube-system"))
    event = Target("events", "kube-system")
    for at in _every(log, 700):
        log.request(at, people.KUBE_SCHEDULER, "create", event, code=201)


def _review_access(log: Recorder, at: float, reviewer: Actor, subject: Actor, node: str) -> None:
    attributes = {"verb": "get", "version": "v1", "resource": "nodes", "subresource": "metrics", "name": node}
    spec = {"resourceAttributes": attributes, "user": subject.username, "groups": list(subject.groups)}
    body = {
        "kind": "SubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": spec,
    }
    answer = {**body, "status": {"allowed": True, "reason": subject.allowed_by}}
    target = Target("subjectaccessreviews", group="authorization.k8s.io")
    log.request(at, reviewer, "create", target, code=201, body={**body, "status": {"allowed": False}}, answer=answer)


def _record_add_ons(log: Recorder) -> None:
    for at in _every(log, 240):
        reason = people.binding(
            "metrics-server:system:auth-delegator",
            "system:auth-delegator",
            'ServiceAccount "metrics-server/kube-system"',
        )
        reviewer = people.METRICS_SERVER.using(allowed_by=reason)
        _review_access(log, at, reviewer, people.PROMETHEUS, people.NODES[0])
    for at in _every(log, 600):
        for step, target in enumerate(AUDITED_BY_GATEKEEPER):
            log.request(at + step * 0.21, people.GATEKEEPER, "list", target, query="limit=500")
    for at in _every(log, 300):
        log.request(at, people.AMA_LOGS, "list", Target("pods"), query="limit=1000&resourceVersion=0")
    for at in _every(log, 300):
        log.request(at, people.COREDNS_AUTOSCALER, "list", Target("nodes"))
    for at in _every(log, 900):
        target = Target("csinodes", name=people.NODES[1], group="storage.k8s.io")
        log.request(at, people.CSI_NODE, "get", target)
    for at in _every(log, 60):
        flags = Target("configmaps", "shop", "storefront-flags")
        log.request(at, people.STOREFRONT, "get", flags)


def _record_gitops(log: Recorder) -> None:
    query = "fieldManager=kustomize-controller&force=true"
    for run, begin in enumerate(_every(log, 600, 60)):
        at = begin
        for target in GITOPS:
            at += log.random.uniform(0.03, 0.12)
            body = _manifest(target)
            dry = "dryRun=All&" + query
            log.request(at, people.FLUX, "patch", target, query=dry, body=body, answer=body)
        if run in {2, 8}:  # somebody merged a change: what the dry run showed is now applied
            target = GITOPS[2] if run == 2 else GITOPS[5]
            log.request(at + 0.3, people.FLUX, "patch", target, query=query, body=_manifest(target))
        status = Target("kustomizations", "flux-system", "shop", "status", "kustomize.toolkit.fluxcd.io")
        log.request(at + 0.6, people.FLUX, "patch", status, query="fieldManager=gotk-kustomize-controller")
        source = Target("gitrepositories", "flux-system", "shop", "status", "source.toolkit.fluxcd.io")
        log.request(at - 2.1, people.FLUX_SOURCE, "patch", source, query="fieldManager=gotk-source-controller")


def _manifest(target: Target) -> dict[str, object]:
    labels = {
        "kustomize.toolkit.fluxcd.io/name": "shop",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }
    metadata = {"name": target.name, "namespace": target.namespace, "labels": labels}
    if target.resource == "namespaces":
        labels = {**labels, "pod-security.kubernetes.io/enforce": "baseline"}
        metadata = {"name": target.name, "labels": labels}
    kinds = {
        "namespaces": "Namespace",
        "services": "Service",
        "ingresses": "Ingress",
        "horizontalpodautoscalers": "HorizontalPodAutoscaler",
        "networkpolicies": "NetworkPolicy",
    }
    specs: dict[str, object] = {
        "services": {"ports": [{"port": 80, "targetPort": "http"}], "type": "ClusterIP"},
        "ingresses": {"ingressClassName": "nginx", "tls": [{"secretName": "storefront-tls"}]},
        "horizontalpodautoscalers": {"minReplicas": 2, "maxReplicas": 6},
        "networkpolicies": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    api = f"{target.group}/{target.version}" if target.group else target.version
    body: dict[str, object] = {"kind": kinds.get(target.resource, target.resource), "apiVersion": api}
    body["metadata"] = metadata
    return body | ({"spec": specs[target.resource]} if target.resource in specs else {})


def _record_pipeline(log: Recorder, at: float, tag: str) -> None:
    """The release pipeline: looks, checks, then sets the image and waits."""
    application = Target("deployments", "shop", "catalog", group="apps")
    log.request(at, people.CI, "get", "/api")
    log.request(at + 0.2, people.CI, "get", "/apis")
    log.request(at + 0.9, people.CI, "get", application)
    log.request(at + 1.4, people.CI, "get", Target("configmaps", "shop", "catalog-settings"))
    image = {
        "spec": {"template": {"spec": {"containers": [{"name": "catalog", "image": f"{REGISTRY}/catalog:{tag}"}]}}}
    }
    query = "dryRun=All&fieldManager=kubectl-set"
    log.request(at + 2.6, people.CI, "patch", application, query=query, body=image)
    for wait in range(12):
        log.request(at + 6 + wait * 3, people.CI, "get", application)
    pods = Target("pods", "shop")
    log.request(at + 43, people.CI, "list", pods, query="labelSelector=app.kubernetes.io%2Fname%3Dcatalog")


def _record_people(log: Recorder) -> None:
    pods, query = Target("pods", "shop"), "limit=500"
    for actor, period_s in ((people.DANA, 420), (people.LI, 660)):
        for at in _every(log, period_s, 300):
            log.request(at, actor, "list", pods, query=query)
            if log.random.random() < 0.6:
                log.request(at + 5, actor, "get", Target("deployments", "shop", "cart", group="apps"))
            if log.random.random() < 0.5:
                target = Target("pods", "shop", people.STOREFRONT_POD, "log")
                log.request(at + 11, actor, "get", target, query="container=storefront&tailLines=200", lasts_s=0.2)
    refused = (
        (clock(8, 19, 12), people.DANA, "list", Target("secrets", "kube-system")),
        (clock(9, 2, 44), people.LI, "list", Target("nodes")),
        (
            clock(9, 41, 3),
            people.DANA,
            "delete",
            Target("pods", "ingress-nginx", "ingress-nginx-7f8c9d64b5-2mxkq"),
        ),
    )
    for at, actor, verb, target in refused:
        log.denied(at, actor, verb, target, because=people.AZURE_REFUSAL)
    forward = Target("pods", "shop", "cart-7c4f9d8b66-ln2vd", "portforward")
    log.request(clock(8, 52, 30), people.LI, "get", forward, code=101, query="ports=8080", lasts_s=318.4)
    _record_operator(log)


def _record_operator(log: Recorder) -> None:
    """The operator's morning: look around, scale, one look into a pod, one node drained and put back."""
    omar = people.OMAR
    for at in _every(log, 900, 120):
        log.request(at, omar, "list", Target("nodes"), query="limit=500")
        log.request(at + 2, omar, "list", Target("pods", "kube-system"), query="limit=500")
        log.request(at + 9, omar, "list", Target("events", "shop"), query="limit=500")
    scale = Target("deployments", "shop", "cart", "scale", "apps")
    body: dict[str, object] = {"spec": {"replicas": 3}}
    answer = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "cart", "namespace": "shop"},
        **body,
    }
    log.request(clock(8, 34, 10), omar, "patch", scale, body=body, answer=answer)
    shell = Target("pods", "shop", "cart-7c4f9d8b66-ln2vd", "exec")
    query = "command=cat&command=%2Fapp%2FVERSION&container=cart&stderr=true&stdout=true"
    log.request(clock(8, 36, 2), omar, "get", shell, code=101, query=query, lasts_s=0.7)
    name = people.NODES[3]
    for at, off in ((clock(9, 20, 15), True), (clock(9, 29, 40), False)):
        body = {"spec": {"unschedulable": off or None}}
        answer = {
            "kind": "Node",
            "apiVersion": "v1",
            "metadata": {"name": name},
            "spec": {"unschedulable": off},
        }
        target = Target("nodes", name=name)
        log.request(at, omar, "patch", target, query="fieldManager=kubectl-cordon", body=body, answer=answer)
    evicted = Target("pods", "shop", "cart-7c4f9d8b66-z4p8t", "eviction")
    metadata = {"name": "cart-7c4f9d8b66-z4p8t", "namespace": "shop"}
    eviction = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": metadata}
    done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    log.request(clock(9, 20, 31), omar, "create", evicted, code=201, body=eviction, answer=done)


def _identity(log: Recorder, target: Target) -> tuple[str, str]:
    return uid_of(target.resource, target.namespace or "", target.name or ""), log.new_version()
