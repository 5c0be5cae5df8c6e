"""How objects end: who asked for it, in which way, and what was behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kubewitness.investigate.object_names import plural_of
from kubewitness.words.objects import singular

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kubewitness.investigate.requests import Request
    from kubewitness.investigate.writes import State, Write


class DeletionKind(StrEnum):
    """Ways in which an object is deleted."""

    DELETED = "deleted"
    COLLECTION = "collection"
    NAMESPACE = "namespace"
    GARBAGE = "garbage"
    EVICTED = "evicted"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Deletion:
    """The end of an object, or the beginning of the end.

    Attributes:
        kind: in which way.
        asked_at: when it was asked for (UTC, naive).
        gone_at: when it was gone; None where it is not, or where the log does not say.
        request: which request asked for it; None where the log does not have it.
        how: in a phrase: "with a grace period of 30 s", "in the foreground".
        cause: what was behind it, in a phrase: "after namespace shop was deleted by alice at 12:00:00".
        is_sure: whether the log shows that it was deleted.
    """

    kind: DeletionKind
    asked_at: datetime | None
    gone_at: datetime | None
    request: Request | None
    how: str = ""
    cause: str = ""
    is_sure: bool = True


def is_held(state: State, details: Any) -> bool:
    """Whether an object whose deletion was asked for is still there."""
    metadata = state.get("metadata")
    if not isinstance(metadata, dict):
        return False
    if metadata.get("finalizers"):
        return True
    spec = state.get("spec")
    if details.get("resource") == "namespaces" and isinstance(spec, dict) and spec.get("finalizers"):
        return True
    return bool(metadata.get("deletionGracePeriodSeconds")) and details.get("resource") == "pods"


def is_marked(state: State | None) -> bool:
    """Whether the deletion of an object was asked for."""
    metadata = state.get("metadata") if state else None
    return isinstance(metadata, dict) and bool(metadata.get("deletionTimestamp"))


def describe(write: Write, gone_at: datetime | None, state: State | None, others: Sequence[Write]) -> Deletion:
    """A deletion, with what was behind it.

    Args:
        write: the request that asked for it.
        gone_at: when it was gone.
        state: the object before, for its owners.
        others: deletions of other objects that may be behind it.
    """
    kind = _kind(write)
    cause = ""
    if kind is DeletionKind.NAMESPACE:
        cause = _because_of(others, [("namespaces", str(write.request.details.get("namespace")))], write)
    elif kind is DeletionKind.GARBAGE:
        cause = _because_of(others, _owners(state), write)
    return Deletion(kind, write.request.began_at, gone_at, write.request, _how(write), cause)


def _kind(write: Write) -> DeletionKind:
    actor = str(write.request.details.get("actor") or "")
    if actor.endswith(":namespace-controller"):
        return DeletionKind.NAMESPACE
    if actor.endswith(":generic-garbage-collector"):
        return DeletionKind.GARBAGE
    if write.subresource == "eviction":
        return DeletionKind.EVICTED
    return DeletionKind.COLLECTION if write.verb == "deletecollection" else DeletionKind.DELETED


def _how(write: Write) -> str:
    body = write.body if isinstance(write.body, dict) else {}
    options = body.get("deleteOptions") if isinstance(body.get("deleteOptions"), dict) else body
    uri = str(write.request.details.get("request_uri") or "")
    words = []
    policy = (options or {}).get("propagationPolicy") or _parameter(uri, "propagationPolicy")
    if policy == "Foreground":
        words.append("in the foreground: what it owns goes first")
    elif policy == "Orphan":
        words.append("leaving what it owns")
    grace = (options or {}).get("gracePeriodSeconds")
    grace = grace if grace is not None else _parameter(uri, "gracePeriodSeconds")
    if grace is None and write.answered is not None:
        grace = write.answered["metadata"].get("deletionGracePeriodSeconds")
    if str(grace) == "0" and write.request.details.get("resource") == "pods":
        words.append("at once")
    elif grace is not None and str(grace) not in {"0", "-1"}:
        words.append(f"with a grace period of {grace} s")
    return ", ".join(words)


def _parameter(uri: str, name: str) -> str | None:
    found = re.search(rf"[?&]{name}=([^&]*)", uri)
    return found[1] if found else None


def _owners(state: State | None) -> list[tuple[str, str]]:
    metadata = state.get("metadata") if state else None
    owners = metadata.get("ownerReferences") if isinstance(metadata, dict) else None
    return [
        (plural_of(str(owner["kind"])), str(owner["name"]))
        for owner in (owners if isinstance(owners, list) else ())
        if isinstance(owner, dict) and owner.get("kind") and owner.get("name")
    ]


def _because_of(others: Sequence[Write], wanted: Sequence[tuple[str, str]], write: Write) -> str:
    """What was deleted before it: the latest deletion of one of these."""
    found: Request | None = None
    for other in others:
        details = other.request.details
        if (details.get("resource"), details.get("name")) not in wanted or not other.is_carried_out:
            continue
        at = other.request.began_at
        if at and write.request.began_at and at <= write.request.began_at:
            found = other.request
    names = " or ".join(f"{singular(resource)} {name}" for resource, name in wanted)
    if found is None:
        return f"after {names} was gone, of which the log has no deletion" if names else ""
    name = f"{singular(str(found.details.get('resource')))} {found.details.get('name')}"
    return f"after {name} was deleted by {found.details.get('actor') or 'somebody'} at {found.began_at:%H:%M:%S}"
