"""Google Cloud log entries of GKE: Cloud Audit Logs, which tell less than an audit event.

What an entry does not tell stays absent: level, stage, groups, uid, and for requests on resources the URI,
except of an exec, whose command stands in a label: it is put into a URI, where commands stand, and are redacted,
in every other shape. The status is a gRPC code; it becomes the HTTP code that google.rpc.Code documents for it.
Exports that leave out empty values leave out the status of a success: where it is missing and all permissions
were granted, the request succeeded, unless the response says otherwise. An annotation says where a code is from.
Source: Cloud Logging LogEntry, Cloud Audit Logs AuditLog, google.rpc.Code, the labels of GKE's own rules.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from kubewitness.decode.audit import event_of_fields
from kubewitness.decode.json_text import value_of
from kubewitness.decode.outcome import Other, Rejected
from kubewitness.decode.request_path import object_of_parts
from kubewitness.decode.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome
    from kubewitness.decode.record import Inner, Record

CUT_TEXTS: frozenset[tuple[str, ...]] = frozenset()
_VERSION = re.compile(r"v\d+(?:(?:alpha|beta)\d+)?")
_SERVICE = "k8s.io"
_CODE_MARK = "kubewitness/code-mapped-from"
_COMMAND_LABEL = "command.gke.io/command"
_HTTP_CODES = (
    200,
    499,
    500,
    400,
    504,
    404,
    409,
    403,
    429,
    400,
    409,
    400,
    501,
    500,
    503,
    500,
    401,
)  # by gRPC code


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim log entries: audit entries of Kubernetes become events, all others are another category."""
    fields = record.fields
    if "logName" not in fields and "insertId" not in fields and "protoPayload" not in fields:
        return None
    if not any(payload in fields for payload in ("protoPayload", "jsonPayload", "textPayload")):
        if record.is_cut:
            return (Rejected(record.line, f"{record.problem or 'cut'}, before the payload of its log entry"),)
        return None
    payload = value_of(fields.get("protoPayload"))
    if not isinstance(payload, dict) or payload.get("serviceName", _SERVICE) != _SERVICE:
        return (Other(record.line, (record.string("logName") or "log entry").rpartition("/")[2]),)
    event = _event(record, payload)
    if not {"auditID", "verb", "requestURI"} & event.keys():
        return (Rejected(record.line, "a log entry of k8s.io without method or id"),)
    envelope = record.envelope.inside(
        cluster=_cluster(value_of(fields.get("resource"))), logged_at=rfc3339(record.string("timestamp"))
    )
    return (event_of_fields(event, record, envelope),)


def _event(record: Record, payload: dict[str, Any]) -> dict[str, Any]:
    operation = _dict(value_of(record.fields.get("operation")))
    metadata = _dict(payload.get("requestMetadata"))
    annotations = dict(_dict(value_of(record.fields.get("labels"))))
    address = metadata.get("callerIp")
    caller = _dict(payload.get("authenticationInfo"))
    principal, authority = caller.get("principalEmail"), caller.get("authoritySelector")
    event: dict[str, Any] = {
        "auditID": operation.get("id") or record.string("insertId"),
        "user": None if principal is None else {"username": principal},
        "impersonatedUser": None if authority in (None, principal) else {"username": authority},
        "sourceIPs": None if address is None else [address],
        "userAgent": metadata.get("callerSuppliedUserAgent"),
        **_request(payload, annotations.pop(_COMMAND_LABEL, None)),
        "responseStatus": None if record.is_cut and "status" not in payload else _status(payload, annotations),
        "requestObject": _body(payload.get("request")),
        "responseObject": _body(payload.get("response")),
        # The entry has one time and does not say of what; the server wrote it then, so it is a stage's time.
        "stageTimestamp": rfc3339(record.string("timestamp")),
        "annotations": annotations or None,
    }
    return {field: value for field, value in event.items() if value is not None}


def _request(payload: dict[str, Any], command: object) -> dict[str, Any]:
    """Give verb, and objectRef or URI or both, of `io.k8s.core.v1.pods.exec.create` and `core/v1/namespaces/..`."""
    method, name = payload.get("methodName"), payload.get("resourceName")
    if not isinstance(method, str):
        return {}
    words = method.split(".")
    version = next((index for index, word in enumerate(words) if _VERSION.fullmatch(word)), None)
    if version is None or version + 2 >= len(words):  # io.k8s.get: a path, not a resource
        path = {"requestURI": f"/{name.lstrip('/')}"} if isinstance(name, str) else {}
        return {"verb": words[-1], **path}
    group, *rest = name.split("/") if isinstance(name, str) else [""]
    target = object_of_parts("" if group == "core" else group, words[version], rest[1:])
    target = {"apiVersion": words[version], **(target or {}), "resource": words[version + 1]}
    if version + 3 < len(words):
        target["subresource"] = ".".join(words[version + 2 : -1])
    found = {"verb": words[-1], "objectRef": target}
    if isinstance(command, str) and isinstance(name, str) and group == "core":
        found["requestURI"] = f"/api/{'/'.join(rest)}?command={quote_plus(command)}"
    return found


def _status(payload: dict[str, Any], annotations: dict[str, Any]) -> dict[str, Any] | None:
    """Give the responseStatus, or None; note in the annotations where its code is from."""
    status = payload.get("status")
    if status is None and _is_granted(payload):
        annotations[_CODE_MARK] = "no status"
        return {"code": _HTTP_CODES[0]}
    if not isinstance(status, dict):
        return None
    code = status.get("code", 0)  # protobuf's JSON leaves out a zero
    annotations[_CODE_MARK] = f"grpc {code}"
    found: dict[str, Any] = {}
    if isinstance(code, int) and 0 <= code < len(_HTTP_CODES):
        found["code"] = _HTTP_CODES[code]
    if "message" in status:
        found["message"] = status["message"]
    return found


def _is_granted(payload: dict[str, Any]) -> bool:
    """Say whether every permission is said to be granted and the response is no failure.

    A permission that was not granted has no `granted`: protobuf's JSON leaves out what is false.
    """
    permissions = payload.get("authorizationInfo")
    if not isinstance(permissions, list) or not permissions:
        return False
    granted = all(_dict(permission).get("granted") is True for permission in permissions)
    return granted and _dict(payload.get("response")).get("status") != "Failure"


def _body(body: object) -> object:
    """Give a body without the type that Google adds."""
    return {key: value for key, value in body.items() if key != "@type"} if isinstance(body, dict) else body


def _cluster(resource: object) -> str | None:
    labels = _dict(_dict(resource).get("labels"))
    project, location, name = (labels.get(key) for key in ("project_id", "location", "cluster_name"))
    return f"projects/{project}/locations/{location}/clusters/{name}" if project and location and name else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
