"""Bodies of the objects in the example, as the API server returns them (AKS logs managedFields, too)."""

from __future__ import annotations

from typing import Any

from aks_maker.recorder import second, uid_of

Body = dict[str, Any]
REGISTRY = "images.contoso.com"


def owned_fields(value: Any) -> Any:
    """The fieldsV1 of a value: which of its fields somebody set."""
    if isinstance(value, dict):
        return {f"f:{key}": owned_fields(item) for key, item in value.items()}
    if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        return {f'k:{{"name":"{item["name"]}"}}': {".": {}, **owned_fields(item)} for item in value}
    return {}


def stored(body: Body, version: str, at: float, manager: str, operation: str = "Update") -> Body:
    """The object as stored: with uid, resourceVersion, creation time and managedFields.

    Args:
        body: the object as it was sent.
        version: its new resourceVersion.
        at: seconds since midnight UTC when it was created.
        manager: field manager of the writer.
        operation: Update or Apply.
    """
    sent = body["metadata"]
    owned = {key: owned_fields(value) for key, value in body.items() if key in {"spec", "rules", "subjects"}}
    labels = {f"f:{key}": {".": {}, **owned_fields(sent[key])} for key in ("labels",) if key in sent}
    entry: Body = {"manager": manager, "operation": operation, "apiVersion": body["apiVersion"]}
    entry |= {"time": second(at), "fieldsType": "FieldsV1"}
    entry["fieldsV1"] = ({"f:metadata": labels} if labels else {}) | {f"f:{key}": owned[key] for key in owned}
    metadata: Body = {key: sent[key] for key in ("name", "generateName", "namespace") if key in sent}
    metadata |= {
        "uid": uid_of(body["kind"], sent.get("namespace", ""), sent["name"]),
        "resourceVersion": version,
    }
    metadata["creationTimestamp"] = second(at)
    metadata |= {key: sent[key] for key in ("labels", "annotations", "ownerReferences") if key in sent}
    metadata["managedFields"] = [entry]
    rest = {key: value for key, value in body.items() if key not in {"kind", "apiVersion", "metadata"}}
    return {"kind": body["kind"], "apiVersion": body["apiVersion"], "metadata": metadata, **rest}


def owner(kind: str, api_version: str, namespace: str, name: str) -> Body:
    """An ownerReference to a controller."""
    reference: Body = {"apiVersion": api_version, "kind": kind, "name": name}
    return reference | {"uid": uid_of(kind, namespace, name), "controller": True, "blockOwnerDeletion": True}


def container(name: str, image: str, **more: Any) -> Body:
    """A container, with the defaults the server fills in."""
    return {
        "name": name,
        "image": image,
        **{key: more[key] for key in ("command", "args", "ports", "env") if key in more},
        "resources": more.get("resources", {"requests": {"cpu": "50m", "memory": "96Mi"}}),
        **{key: more[key] for key in ("volumeMounts",) if key in more},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        **{key: more[key] for key in ("securityContext",) if key in more},
    }


def pod_spec(containers: list[Body], service_account: str, **more: Any) -> Body:
    """The spec of a pod, in the server's order: volumes, containers, then the node's namespaces."""
    return {
        **{key: more[key] for key in ("volumes",) if key in more},
        "containers": containers,
        "restartPolicy": more.get("restartPolicy", "Always"),
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": service_account,
        "serviceAccount": service_account,
        **{key: more[key] for key in ("nodeName", "hostNetwork", "hostPID") if key in more},
        "securityContext": {},
        "schedulerName": "default-scheduler",
        **{key: more[key] for key in ("tolerations",) if key in more},
        "enableServiceLinks": True,
    }


def app_spec(app: str, tag: str) -> Body:
    """The spec of a pod of one of the shop's applications."""
    hardening: Body = {
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
    }
    ports = [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    return pod_spec([container(app, f"{REGISTRY}/{app}:{tag}", ports=ports, securityContext=hardening)], app)


def deployment(namespace: str, app: str, tag: str, replicas: int) -> Body:
    """A Deployment of one of the shop's applications."""
    labels = {"app.kubernetes.io/name": app, "app.kubernetes.io/part-of": "shop"}
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": app, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": app_spec(app, tag)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "revisionHistoryLimit": 10,
        },
    }


def replica_set(namespace: str, app: str, tag: str, replicas: int, digest: str) -> Body:
    """The ReplicaSet that the deployment controller makes for one revision."""
    labels = {"app.kubernetes.io/name": app, "pod-template-hash": digest}
    return {
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": f"{app}-{digest}",
            "namespace": namespace,
            "labels": labels,
            "ownerReferences": [owner("Deployment", "apps/v1", namespace, app)],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": app_spec(app, tag)},
        },
    }


def pod(namespace: str, name: str, labels: dict[str, str], spec: Body, owned_by: Body | None = None) -> Body:
    """A Pod."""
    metadata: Body = {"name": name, "namespace": namespace, "labels": labels}
    if owned_by:
        metadata |= {"ownerReferences": [owned_by]}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": {}}


def job(namespace: str, name: str, tag: str, cron: str) -> Body:
    """The Job that the cron job controller makes for one run."""
    spec = pod_spec([container(cron, f"{REGISTRY}/{cron}:{tag}")], cron, restartPolicy="Never")
    return {
        "kind": "Job",
        "apiVersion": "batch/v1",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "ownerReferences": [owner("CronJob", "batch/v1", namespace, cron)],
        },
        "spec": {"backoffLimit": 2, "template": {"metadata": {"labels": {"job-name": name}}, "spec": spec}},
    }


def delete_options(policy: str = "Background") -> Body:
    """What a client sends with a delete."""
    return {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/__internal", "propagationPolicy": policy}


def success(name: str, kind: str, namespace: str, group: str = "") -> Body:
    """What the server answers to a delete that it carried out at once."""
    details = {"name": name, "group": group, "kind": kind, "uid": uid_of(kind, namespace, name)}
    details = {key: value for key, value in details.items() if value}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
