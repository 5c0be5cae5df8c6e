"""Writes the log that named hunts are tried on, out of events in short."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).parent / "hunts" / "events.yaml"
_START = datetime(2026, 11, 17, 8, tzinfo=UTC)


def write_log(path: Path) -> None:
    """Write the log, one event per line."""
    document = yaml.safe_load(_FILE.read_text("utf-8"))
    shorts = [document["defaults"] | event for event in document["events"]]
    for burst in document["bursts"]:
        shorts += [document["defaults"] | burst | {"id": f"{burst['id']}-{number}"} for number in range(burst["count"])]
    path.write_text("".join(json.dumps(_event(short, number)) + "\n" for number, short in enumerate(shorts)))


def _event(short: dict[str, Any], number: int) -> dict[str, Any]:
    received = datetime.fromisoformat(short["at"]) if "at" in short else _START + timedelta(milliseconds=100 * number)
    ended = received + timedelta(seconds=short.get("took_s", 0.01))
    annotations = {"authorization.k8s.io/decision": "forbid" if short["code"] == 403 else "allow"}
    annotations |= {"authorization.k8s.io/reason": short["reason"]} if "reason" in short else {}
    event: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": short["id"],
        "stage": "ResponseComplete",
        "requestURI": short.get("uri") or _uri(short),
        "verb": short["verb"],
        "user": _user(short),
        "sourceIPs": [short["ip"]],
        "userAgent": short["agent"],
        "responseStatus": {"code": short["code"], "message": short.get("message", "")},
        "requestReceivedTimestamp": _time(received),
        "stageTimestamp": _time(ended),
        "annotations": annotations | short.get("annotations", {}),
    }
    if "what" in short:
        resource, _, subresource = short["what"].partition("/")
        resource, _, group = resource.partition(".")
        reference = {"resource": resource, "subresource": subresource, "apiGroup": group, "apiVersion": "v1"}
        reference |= {"namespace": short.get("ns", ""), "name": short.get("name", "")}
        event["objectRef"] = {key: value for key, value in reference.items() if value}
    if "as" in short:
        event["impersonatedUser"] = {"username": short["as"], "groups": short.get("as_groups", [])}
    if "request" in short:
        metadata = {"name": short.get("name"), "namespace": short.get("ns")} | short["request"].get("metadata", {})
        event["requestObject"] = short["request"] | {"metadata": metadata}
    return event


def _user(short: dict[str, Any]) -> dict[str, Any]:
    if short["user"] is None:
        return {}
    user = {"username": short["user"], "groups": short.get("groups", ["system:authenticated"])}
    if "credential" in short:
        user["extra"] = {"authentication.kubernetes.io/credential-id": [short["credential"]]}
    return user


def _uri(short: dict[str, Any]) -> str:
    resource, _, subresource = short["what"].partition("/")
    resource, _, group = resource.partition(".")
    parts = [f"/apis/{group}/v1" if group else "/api/v1"]
    parts += [f"namespaces/{short['ns']}"] if "ns" in short else []
    parts += [resource]
    parts += [short["name"]] if "name" in short and (short["verb"] != "create" or subresource) else []
    parts += [subresource] if subresource else []
    return "/".join(parts) + str(short.get("query", ""))


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
