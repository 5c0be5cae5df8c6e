r"""Records of Azure resource logs, from Event Hubs and from storage accounts.

    {"category":"kube-audit","properties":{"log":"{\"kind\":\"Event\",...}\n","pod":"kube-apiserver-.."},
     "resourceId":"/SUBSCRIPTIONS/...","time":"2024-11-15T21:00:02.0918Z", ...}

`log` is a JSON string, or an object once a forwarder has parsed it; Azure cuts it at 16 KiB. Both
categories of audit logs look alike; the other categories hold klog text. Arc-enabled clusters use the same
envelope. Source: Azure Monitor resource logs, categories of Microsoft.ContainerService/managedClusters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.audit import is_audit_event
from kubewitness.decode.clusters import cluster_of_resource_id
from kubewitness.decode.json_text import object_fields, string_of
from kubewitness.decode.outcome import Other, Rejected
from kubewitness.decode.record import Inner, Record
from kubewitness.decode.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    import msgspec

    from kubewitness.decode.outcome import Outcome

CUT_TEXTS = frozenset({("properties", "log")})
_BESIDE = ("category", "resourceId", "operationName", "time")


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim objects with `properties` and at least one other member of the envelope, or a log inside."""
    fields = record.fields
    category = record.string("category")
    if "properties" not in fields:
        is_resource_log = category is not None and ("resourceId" in fields or "operationName" in fields)
        return _without_properties(record, category) if is_resource_log else None
    properties = _properties(fields["properties"])
    if "log" not in properties and not any(key in fields for key in _BESIDE):
        return None
    if category is not None and not category.lower().startswith("kube-audit"):
        return (Other(record.line, category),)
    envelope = record.envelope.inside(
        cluster=cluster_of_resource_id(record.string("resourceId")),
        logged_at=rfc3339(record.string("time")),
        cut=record.is_cut,
        record=record.as_written,
    )
    log = properties.get("log")
    if log is None:
        if is_audit_event(properties):
            return (Inner(bytes(fields["properties"]), envelope),)
        return _without_properties(record, category)
    text = string_of(log)
    return (Inner(bytes(log) if text is None else text.encode(), envelope),)


def _properties(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Give the members of `properties`, which some forwarders hand on as text."""
    text = string_of(raw)
    return object_fields(raw) if text is None else object_fields(text.encode())


def _without_properties(record: Record, category: str | None) -> Iterable[Outcome | Inner]:
    """Answer for a resource log that holds no log."""
    if category is not None and not category.lower().startswith("kube-audit"):
        return (Other(record.line, category),)
    if record.is_cut:
        return (
            Rejected(record.line, f"{record.problem or 'cut'}, before the log of its {category or 'Azure'} record"),
        )
    return (Rejected(record.line, f"an Azure record of category {category or 'unknown'} without a log"),)
