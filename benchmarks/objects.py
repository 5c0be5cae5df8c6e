"""Bodies of Kubernetes objects, as an API server writes them into its audit log.

Every function returns a JSON object (a dict in the key order of the server). What differs from one event to
the next is a *blank*, a mark in the text that the generator fills in; the rest is fixed when the template is
made.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# The blanks of a template. They hold no character that JSON would escape, so they survive any nesting.
ID = "@id@"  # auditID
RECEIVED = "@received@"  # time with microseconds
STAGED = "@staged@"  # time with microseconds, later than RECEIVED
NOW = "@now@"  # time with seconds, as in metadata
VERSION = "@version@"  # resourceVersion, growing
UID = "@uid@"  # uid of an object that this event is about
SUFFIX = "@suffix@"  # last five characters of a generated name

CREATED = "2026-09-14T07:22:41Z"


@dataclass(frozen=True, slots=True)
class Workload:
    """A deployment of the cluster: everything its pods are made from.

    Attributes:
        namespace: where it runs.
        name: its name; also the app label and the service account.
        hash: pod-template-hash of its newest ReplicaSet.
        uid: uid of the deployment; the ReplicaSet's is derived from it.
        version: image tag.
        containers: number of containers, 1 to 4.
        variables: environment variables of each container; what makes a body long.
        replicas: desired pods.
    """

    namespace: str
    name: str
    hash: str
    uid: str
    version: str
    containers: int
    variables: int
    replicas: int

    @property
    def replicaset(self) -> str:
        """Name of its ReplicaSet."""
        return f"{self.name}-{self.hash}"

    @property
    def pod(self) -> str:
        """Name of one of its pods, with the suffix left blank."""
        return f"{self.name}-{self.hash}-{SUFFIX}"


def fields(value: Any) -> Any:
    """The managedFields of a value. Source: FieldsV1 of structured-merge-diff (`f:`, `k:` keys)."""
    if isinstance(value, dict):
        return {f"f:{key}": fields(inner) for key, inner in value.items()}
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        key = next((key for key in ("name", "type", "containerPort", "key", "uid") if key in value[0]), None)
        if key is not None:
            return {
                f"k:{json.dumps({key: item.get(key)}, separators=(',', ':'))}": {".": {}, **fields(item)}
                for item in value
            }
    return {}


def metadata(
    name: str,
    namespace: str | None,
    *,
    uid: str = UID,
    labels: Json | None = None,
    annotations: Json | None = None,
    created: str = CREATED,
    generation: int | None = None,
    owner: Json | None = None,
    managed: dict[str, Json] | None = None,
) -> Json:
    """Metadata of a stored object; `managed` maps a field manager to the part of the object that it owns."""
    made: Json = {"name": name}
    if owner is not None and name.endswith(SUFFIX):
        made["generateName"] = name.removesuffix(SUFFIX)
    if namespace is not None:
        made["namespace"] = namespace
    made |= {"uid": uid, "resourceVersion": VERSION}
    if generation is not None:
        made["generation"] = generation
    made["creationTimestamp"] = created
    if labels:
        made["labels"] = labels
    if annotations:
        made["annotations"] = annotations
    if owner:
        made["ownerReferences"] = [owner]
    if managed:
        made["managedFields"] = [
            {
                "manager": manager,
                "operation": "Update",
                "apiVersion": "v1",
                "time": NOW,
                "fieldsType": "FieldsV1",
                "fieldsV1": fields(part),
            }
            for manager, part in managed.items()
        ]
    return made


def owned_by(kind: str, name: str, uid: str) -> Json:
    """An ownerReference to a controller of the apps or batch group."""
    group = "batch/v1" if kind in {"Job", "CronJob"} else "apps/v1"
    return {
        "apiVersion": group,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def container(workload: Workload, index: int) -> Json:
    """One container of a workload: image, ports, environment, probes, resources, mounts."""
    name = workload.name if index == 0 else ("proxy", "metrics", "reloader")[index - 1]
    probe = {"path": "/healthz", "port": 8080 + index, "scheme": "HTTP"}
    timing = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    variables = [
        {
            "name": f"{workload.name.upper().replace('-', '_')}_SETTING_{number}",
            "value": f"https://svc-{number}:8443/v1",
        }
        for number in range(workload.variables)
    ]
    secret = {
        "name": "DB_PASSWORD",
        "valueFrom": {"secretKeyRef": {"name": f"{workload.name}-db", "key": "password"}},
    }
    return {
        "name": name,
        "image": f"acr.contoso.example/{workload.namespace}/{name}:{workload.version}",
        "ports": [{"name": "http", "containerPort": 8080 + index, "protocol": "TCP"}],
        "env": [*variables, secret],
        "resources": {
            "limits": {"cpu": "500m", "memory": "512Mi"},
            "requests": {"cpu": "50m", "memory": "128Mi"},
        },
        "volumeMounts": [
            {"name": "config", "readOnly": True, "mountPath": "/etc/app"},
            {
                "name": "kube-api-access-7xk2p",
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            },
        ],
        "livenessProbe": {"httpGet": probe, "initialDelaySeconds": 10, **timing},
        "readinessProbe": {"httpGet": {**probe, "path": "/ready"}, **timing},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
        },
    }


def pod_spec(workload: Workload, node: str | None = None) -> Json:
    """The pod spec of a workload; scheduled when a node is given."""
    spec: Json = {
        "volumes": [
            {"name": "config", "configMap": {"name": f"{workload.name}-config", "defaultMode": 420}},
            {
                "name": "kube-api-access-7xk2p",
                "projected": {
                    "sources": [
                        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                        {
                            "configMap": {
                                "name": "kube-root-ca.crt",
                                "items": [{"key": "ca.crt", "path": "ca.crt"}],
                            }
                        },
                    ],
                    "defaultMode": 420,
                },
            },
        ],
        "containers": [container(workload, index) for index in range(workload.containers)],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": workload.name,
        "serviceAccount": workload.name,
    }
    if node is not None:
        spec["nodeName"] = node
    return spec | {
        "securityContext": {"fsGroup": 2000, "seccompProfile": {"type": "RuntimeDefault"}},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for key in ("not-ready", "unreachable")
        ],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def template(workload: Workload) -> Json:
    """The pod template of a workload."""
    labels = {"app": workload.name, "pod-template-hash": workload.hash, "team": workload.namespace}
    return {
        "metadata": {
            "labels": labels,
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
        },
        "spec": pod_spec(workload),
    }


def conditions(*types: str, at: str = NOW) -> list[Json]:
    """Status conditions, all true, without reasons."""
    return [{"type": name, "status": "True", "lastProbeTime": None, "lastTransitionTime": at} for name in types]


def pod_status(workload: Workload, node: str) -> Json:
    """The status a kubelet reports of a running pod of a workload."""
    return {
        "phase": "Running",
        "conditions": conditions(
            "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"
        ),
        "hostIP": "10.224.0.17",
        "hostIPs": [{"ip": "10.224.0.17"}],
        "podIP": "10.244.11.203",
        "podIPs": [{"ip": "10.244.11.203"}],
        "startTime": NOW,
        "containerStatuses": [
            {
                "name": made["name"],
                "state": {"running": {"startedAt": NOW}},
                "lastState": {},
                "ready": True,
                "restartCount": 0,
                "image": made["image"],
                "imageID": f"{made['image'].partition(':')[0]}@sha256:{'4be1c09a77d2f3e8' * 4}",
                "containerID": f"containerd://{node[-1] * 8}{'a91c77e2' * 7}",
                "started": True,
            }
            for made in pod_spec(workload)["containers"]
        ],
        "qosClass": "Burstable",
    }


def pod(workload: Workload, node: str | None, *, stored: bool = True) -> Json:
    """A pod of a workload: stored (an answer) or as its controller sends it."""
    labels = template(workload)["metadata"]["labels"]
    owner = owned_by("ReplicaSet", workload.replicaset, workload.uid)
    spec = pod_spec(workload, node)
    if not stored:
        sent = {"generateName": f"{workload.replicaset}-", "labels": labels, "ownerReferences": [owner]}
        return {"kind": "Pod", "apiVersion": "v1", "metadata": sent, "spec": spec, "status": {}}
    status = pod_status(workload, node) if node else {"phase": "Pending", "qosClass": "Burstable"}
    managed = {"kube-controller-manager": {"metadata": {"labels": labels}, "spec": spec}}
    if node:
        managed["kubelet"] = {"status": status}
    made = metadata(
        workload.pod,
        workload.namespace,
        labels=labels,
        created=NOW,
        generation=1,
        owner=owner,
        managed=managed,
    )
    return {"kind": "Pod", "apiVersion": "v1", "metadata": made, "spec": spec, "status": status}


def deployment(workload: Workload, kind: str = "Deployment", *, stored: bool = True) -> Json:
    """A Deployment, ReplicaSet, DaemonSet or StatefulSet of a workload, with its status where stored."""
    is_set = kind == "ReplicaSet"
    name = workload.replicaset if is_set else workload.name
    labels = {"app": workload.name, "team": workload.namespace}
    spec: Json = {
        "replicas": workload.replicas,
        "selector": {"matchLabels": {"app": workload.name}},
        "template": template(workload),
    }
    if kind == "Deployment":
        rolling = {"maxUnavailable": "25%", "maxSurge": "25%"}
        spec |= {"strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}, "revisionHistoryLimit": 10}
    status: Json = {
        "observedGeneration": 7,
        "replicas": workload.replicas,
        "readyReplicas": workload.replicas,
    }
    if kind == "Deployment":
        status["conditions"] = [
            {
                "type": type_,
                "status": "True",
                "lastUpdateTime": NOW,
                "lastTransitionTime": CREATED,
                "reason": reason,
                "message": f'ReplicaSet "{workload.replicaset}" has made progress.',
            }
            for type_, reason in (
                ("Available", "MinimumReplicasAvailable"),
                ("Progressing", "NewReplicaSetAvailable"),
            )
        ]
    managed = {"argocd-controller": {"metadata": {"labels": labels}, "spec": spec}} if stored else {}
    if stored:
        managed["kube-controller-manager"] = {"status": status}
    made = metadata(
        name,
        workload.namespace,
        uid=workload.uid,
        labels=labels,
        annotations={f"{'deployment.kubernetes.io' if is_set else 'contoso.example'}/revision": "7"},
        generation=7,
        owner=owned_by("Deployment", workload.name, workload.uid) if is_set else None,
        managed=managed,
    )
    return {"kind": kind, "apiVersion": "apps/v1", "metadata": made, "spec": spec, "status": status}


def node_conditions() -> list[Json]:
    """What a kubelet reports every few minutes."""
    rows = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    )
    return [
        {
            "type": type_,
            "status": status,
            "lastHeartbeatTime": NOW,
            "lastTransitionTime": CREATED,
            "reason": reason,
            "message": message,
        }
        for type_, status, reason, message in rows
    ]


def node_images(workloads: list[Workload]) -> list[Json]:
    """The images a node holds, largest first: what makes a node's status long."""
    return [
        {
            "names": [
                f"acr.contoso.example/{one.namespace}/{one.name}@sha256:{one.hash[:8] * 8}",
                f"acr.contoso.example/{one.namespace}/{one.name}:{one.version}",
            ],
            "sizeBytes": 48_000_000 + 1000 * one.variables,
        }
        for one in workloads
    ]


def schema(depth: int, width: int) -> Json:
    """An OpenAPI schema of `width ** depth` leaves: what makes a CustomResourceDefinition long."""
    about = "Settings of this part of the resource, applied to every replica on the next reconciliation."
    if depth == 0:
        return {"type": "string", "description": about}
    return {
        "type": "object",
        "description": about,
        "properties": {f"field{index}": schema(depth - 1, width) for index in range(width)},
    }
