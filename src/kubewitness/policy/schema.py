"""Types of audit.k8s.io/v1 Policy and of what stands around it. Source: kubernetes v1.36, types.go."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubewitness.policy.document import ListOf, MapOf, Object, Opaque, Pointer, Scalar
from kubewitness.policy.document.go_text import quoted

if TYPE_CHECKING:
    from kubewitness.policy.document import Node

_TIME = re.compile(r"\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d([.,]\d+)?(Z|[-+]\d\d:\d\d)")


def _time(node: Node) -> str | None:
    match node.value:
        case None:
            return None
        case str() as text if _TIME.fullmatch(text):
            return None
        case str() as text:
            layout = "2006-01-02T15:04:05Z07:00"
            return f"parsing time {quoted(text)} as {quoted(layout)}: cannot parse {quoted(text)} as {quoted('2006')}"
        case _:
            return "json: cannot unmarshal a value into Go value of type string"


def _anything(_: Node) -> None:
    return None


_TEXT = Scalar("string", "")
_BOOL = Scalar("bool", zero=False)
_INT64 = Scalar("int64", 0)
_STAGES = ListOf(Scalar("v1.Stage", ""))

_OWNER = Object(
    "OwnerReference",
    "v1",
    {
        "apiVersion": _TEXT,
        "kind": _TEXT,
        "name": _TEXT,
        "uid": Scalar("types.UID", ""),
        "controller": Pointer(_BOOL),
        "blockOwnerDeletion": Pointer(_BOOL),
    },
)
_MANAGED = Object(
    "ManagedFieldsEntry",
    "v1",
    {
        "manager": _TEXT,
        "operation": Scalar("v1.ManagedFieldsOperationType", ""),
        "apiVersion": _TEXT,
        "time": Opaque(_time),
        "fieldsType": _TEXT,
        "fieldsV1": Opaque(_anything),
        "subresource": _TEXT,
    },
)
_METADATA = Object(
    "ObjectMeta",
    "v1",
    {
        "name": _TEXT,
        "generateName": _TEXT,
        "namespace": _TEXT,
        "selfLink": _TEXT,
        "uid": Scalar("types.UID", ""),
        "resourceVersion": _TEXT,
        "generation": _INT64,
        "creationTimestamp": Opaque(_time),
        "deletionTimestamp": Opaque(_time),
        "deletionGracePeriodSeconds": Pointer(_INT64),
        "labels": MapOf(_TEXT),
        "annotations": MapOf(_TEXT),
        "ownerReferences": ListOf(_OWNER),
        "finalizers": ListOf(_TEXT),
        "managedFields": ListOf(_MANAGED),
    },
)
_GROUP_RESOURCES = Object(
    "GroupResources", "v1", {"group": _TEXT, "resources": ListOf(_TEXT), "resourceNames": ListOf(_TEXT)}
)
_RULE = Object(
    "PolicyRule",
    "v1",
    {
        "level": Scalar("v1.Level", ""),
        "users": ListOf(_TEXT),
        "userGroups": ListOf(_TEXT),
        "verbs": ListOf(_TEXT),
        "resources": ListOf(_GROUP_RESOURCES),
        "namespaces": ListOf(_TEXT),
        "nonResourceURLs": ListOf(_TEXT),
        "omitStages": _STAGES,
        "omitManagedFields": Pointer(_BOOL),
    },
)
POLICY = Object(
    "Policy",
    "v1",
    {
        "kind": _TEXT,
        "apiVersion": _TEXT,
        "metadata": _METADATA,
        "rules": ListOf(_RULE),
        "omitStages": _STAGES,
        "omitManagedFields": _BOOL,
    },
)
"""The whole document."""

INTERNAL_NAMES = frozenset({"kind", "apiVersion", *_METADATA.fields, "Rules", "OmitStages", "OmitManagedFields"})
"""Names that the server's own unversioned type has: what a document without apiVersion is read as."""
