"""Fields of events as a server writes them."""

from __future__ import annotations

from typing import Any

ALLOW = {"authorization.k8s.io/decision": "allow"}


def resource(uri: str, verb: str = "get", **fields: Any) -> dict[str, Any]:
    """Fields of an event whose objectRef says what its URI says."""
    parts = uri.partition("?")[0].strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    reference: dict[str, Any] = {"apiVersion": "v1"} | ({"apiGroup": group} if group else {})
    if rest[0] == "namespaces" and len(rest) > 2:
        reference["namespace"], rest = rest[1], rest[2:]
    reference |= dict(zip(("resource", "name", "subresource"), rest, strict=False))
    return {"requestURI": uri, "verb": verb, "objectRef": reference, "annotations": ALLOW, **fields}
