"""An audit event by itself. Source: audit.k8s.io/v1, v1beta1 and v1alpha1 Event (kubernetes/apiserver)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.audit import event_of, is_audit_event
from kubewitness.decode.outcome import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome
    from kubewitness.decode.record import Inner, Record

CUT_TEXTS: frozenset[tuple[str, ...]] = frozenset()
_CORE_VERSIONS = ("v1", "events.k8s.io/v1", "events.k8s.io/v1beta1")


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim audit events, and Kubernetes Event objects in order to reject them by their name."""
    if is_audit_event(record.fields):
        return (event_of(record),)
    if record.string("kind") == "Event" and (
        record.string("apiVersion") in _CORE_VERSIONS or "involvedObject" in record.fields
    ):
        return (Rejected(record.line, "a Kubernetes Event object, not an audit event"),)
    return None
