"""The same as other servers write it: with fewer fields, or in another version of the API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubewitness.detect.mutations.mutation import object_of

if TYPE_CHECKING:
    from kubewitness.detect.cases import Event

_OFTEN_MISSING = ("stage", "annotations", "userAgent")
_GROUP_PATH = re.compile(r"^(/apis/[^/?]+/)([^/?]+)(?=[/?]|$)")
_STABLE = "v1"


def sparse(event: Event) -> Event | None:
    """The event without fields that often get lost; None when it has none of them."""
    if not event.keys() & set(_OFTEN_MISSING):
        return None
    return {key: value for key, value in event.items() if key not in _OFTEN_MISSING}


def in_other_version(event: Event) -> Event | None:
    """The event for another version of the same API; None for the core group, which has one version."""
    reference = object_of(event)
    uri = event.get("requestURI")
    in_uri = _GROUP_PATH.match(uri) if isinstance(uri, str) else None
    if not reference.get("apiGroup"):
        return None
    old = str(reference.get("apiVersion") or (in_uri[2] if in_uri else _STABLE))
    new = _STABLE if old != _STABLE else "v1beta1"
    reference["apiVersion"] = new
    if in_uri and isinstance(uri, str):
        event["requestURI"] = _GROUP_PATH.sub(rf"\g<1>{new}", uri)
    group = reference["apiGroup"]
    for name in ("requestObject", "responseObject"):
        body = event.get(name)
        if isinstance(body, dict) and body.get("apiVersion") == f"{group}/{old}":
            body["apiVersion"] = f"{group}/{new}"
    return event
