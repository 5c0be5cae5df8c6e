"""Pods as templates of workloads that make them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubewitness.detect.mutations.mutation import object_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubewitness.detect.cases import Event
    from kubewitness.detect.mutations.mutation import Change


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of object that makes pods.

    Attributes:
        kind: of the object.
        group: of its API.
        resource: its name in URIs.
        path: where in its `spec` the template is.
        spec: what it says besides.
    """

    kind: str
    group: str
    resource: str
    path: tuple[str, ...]
    spec: Mapping[str, Any]


DEPLOYMENT = Workload(
    "Deployment", "apps", "deployments", ("template",), {"replicas": 1, "selector": {"matchLabels": {"app": "new"}}}
)
CRON_JOB = Workload("CronJob", "batch", "cronjobs", ("jobTemplate", "spec", "template"), {"schedule": "*/5 * * * *"})
_WRITES = ("create", "update", "patch")


def templater(workload: Workload) -> Change:
    """What turns a write of a pod into one of a workload with the pod as its template."""

    def write(event: Event) -> Event | None:
        reference = object_of(event)
        if (
            reference.get("resource") != "pods"
            or reference.get("subresource")
            or reference.get("apiGroup")
            or event.get("verb") not in _WRITES
        ):
            return None
        reference |= {"resource": workload.resource, "apiGroup": workload.group, "apiVersion": "v1"}
        if isinstance(uri := event.get("requestURI"), str):
            in_group = re.sub(r"^/api/v1/", f"/apis/{workload.group}/v1/", uri)
            event["requestURI"] = re.sub(r"/pods(?=[/?]|$)", f"/{workload.resource}", in_group, count=1)
        for body in ("requestObject", "responseObject"):
            if body in event:
                event[body] = _in_template(event[body], workload)
        return event

    return write


def _in_template(body: Any, workload: Workload) -> Any:
    match body:
        case list():
            prefix = "/spec/" + "/".join(workload.path)
            return [_moved(operation, prefix) for operation in body]
        case {"kind": "Status"}:
            return body
        case dict():
            given = body.get("metadata")
            metadata = dict(given) if isinstance(given, dict) else {}
            of_pods = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
            inner: Any = {
                **({"metadata": of_pods} if of_pods else {}),
                **({"spec": body["spec"]} if "spec" in body else {}),
            }
            for key in reversed(workload.path):
                inner = {key: inner}
            is_whole = "kind" in body or "containers" in (body.get("spec") or {})
            own = {key: value for key, value in metadata.items() if key != "ownerReferences"}
            head = {"kind": workload.kind, "apiVersion": f"{workload.group}/v1"} if is_whole else {}
            return {
                **head,
                **({"metadata": own} if own else {}),
                "spec": {**(workload.spec if is_whole else {}), **inner},
            }
        case _:
            return body


def _moved(operation: Any, prefix: str) -> Any:
    path = operation.get("path") if isinstance(operation, dict) else None
    if not isinstance(path, str) or not path.startswith(("/spec", "/metadata/labels", "/metadata/annotations")):
        return operation
    return {**operation, "path": prefix + path}
