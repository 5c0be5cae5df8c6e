"""Pod and RBAC facts of a real log, computed again in the plainest way there is."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Derive = Callable[[Sequence[Mapping[str, Any]]], list[dict[str, Any]]]
    Document = dict[str, Any]

LOG = Path(__file__).parents[1] / "fixtures" / "cluster" / "cluster.ndjson.zst"
TEMPLATES = {
    "pods": ("spec",),
    "cronjobs": ("spec", "jobTemplate", "spec", "template", "spec"),
    "podtemplates": ("template", "spec"),
    **dict.fromkeys(
        ("deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs"),
        ("spec", "template", "spec"),
    ),
}
ROLES = {"roles", "clusterroles", "rolebindings", "clusterrolebindings"}
POD_PARTS = {None, "ephemeralcontainers", "resize"}


def writes_of(log: Path) -> Iterator[dict[str, Any]]:
    """Events of the log that write pods, workloads, roles or bindings."""
    marks = [f'"resource":"{resource}"' for resource in (*TEMPLATES, *ROLES)]
    verbs = ('"verb":"create"', '"verb":"update"', '"verb":"patch"')
    with log.open("rb") as file:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8"):
            if any(verb in line for verb in verbs) and any(mark in line for mark in marks):
                yield json.loads(line)


def documents_of(event: Mapping[str, Any]) -> list[Document]:
    response, request = event.get("responseObject"), event.get("requestObject")
    if isinstance(response, dict) and response.get("kind") not in {
        "Status",
        "PartialObjectMetadata",
        "Table",
    }:
        return [response]
    if isinstance(request, list):
        patched = [operation for operation in request if operation["op"] in {"add", "replace"}]
        return [grown(operation["path"].split("/")[1:], operation["value"]) for operation in patched]
    return [request] if isinstance(request, dict) else []


def grown(keys: list[str], value: Any) -> Any:
    if not keys:
        return value
    rest = grown(keys[1:], value)
    key = keys[0].replace("~1", "/").replace("~0", "~")
    return [rest] if key == "-" or key.isdigit() else {key: rest}


def within(document: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def whether_any(values: list[Any]) -> bool | None:
    said = [value for value in values if value is not None]
    return any(said) if said else None


def distinct(values: list[Any]) -> list[Any] | None:
    return sorted({value for value in values if value is not None}) or None


def first(values: list[Any]) -> Any:
    return next((value for value in values if value is not None), None)


def pod_facts(event: Mapping[str, Any]) -> dict[str, Any]:
    specs = [
        spec
        for document in documents_of(event)
        if (spec := within(document, TEMPLATES[event["objectRef"]["resource"]])) is not None
    ]
    containers = [
        container
        for spec in specs
        for kind in ("containers", "initContainers", "ephemeralContainers")
        for container in spec.get(kind) or ()
        if container.get("$patch") != "delete"
    ]
    security = [container.get("securityContext") or {} for container in containers]
    commands = [[*(each.get("command") or ()), *(each.get("args") or ())] for each in containers]
    volumes = [volume for spec in specs for volume in spec.get("volumes") or ()]
    return {
        "privileged": whether_any([each.get("privileged") for each in security]),
        "host_pid": whether_any([spec.get("hostPID") for spec in specs]),
        "host_ipc": whether_any([spec.get("hostIPC") for spec in specs]),
        "host_network": whether_any([spec.get("hostNetwork") for spec in specs]),
        "host_paths": distinct([within(volume, ("hostPath", "path")) for volume in volumes]),
        "capabilities": distinct([name for each in security for name in within(each, ("capabilities", "add")) or ()]),
        "images": distinct([container.get("image") for container in containers]),
        "service_account": first([spec.get("serviceAccountName") for spec in specs]),
        "pod_commands": [" ".join(words) for words in commands if words] or None,
        "container_names": distinct([container.get("name") for container in containers]),
        "allow_privilege_escalation": whether_any([each.get("allowPrivilegeEscalation") for each in security]),
        "share_processes": whether_any([spec.get("shareProcessNamespace") for spec in specs]),
        "host_ports": distinct(
            [str(port["hostPort"]) for each in containers for port in each.get("ports") or () if port.get("hostPort")]
        ),
        "node_name": first([spec.get("nodeName") for spec in specs]),
        "tolerations": distinct([each.get("key") or "*" for spec in specs for each in spec.get("tolerations") or ()]),
    }


def grant(rule: Mapping[str, Any]) -> str:
    words = {"verbs": "verbs", "apiGroups": "groups", "resources": "resources", "resourceNames": "names"}
    lists = {
        **{key: rule.get(key) or [] for key in (*words, "nonResourceURLs")},
        "apiGroups": rule.get("apiGroups", [""]),
    }
    texts = {key: f",{','.join(values)}," if values else "," for key, values in lists.items()}
    return " ".join([*(f"{word} {texts[key]}" for key, word in words.items()), f"urls {texts['nonResourceURLs']}"])


def rbac_facts(event: Mapping[str, Any]) -> dict[str, Any]:
    documents = documents_of(event)
    rules = [rule for document in documents for rule in document.get("rules") or ()]
    subjects = [subject for document in documents for subject in document.get("subjects") or ()]
    places = [f"{subject['namespace']}/" if "namespace" in subject else "" for subject in subjects]
    return {
        "role_verbs": distinct([verb for rule in rules for verb in rule.get("verbs") or ()]),
        "role_resources": distinct([name for rule in rules for name in rule.get("resources") or ()]),
        "role_api_groups": distinct([group for rule in rules for group in rule.get("apiGroups") or ()]),
        "role_grants": distinct([grant(rule) for rule in rules]),
        "role_ref_kind": first([within(document, ("roleRef", "kind")) for document in documents]),
        "role_ref": first([within(document, ("roleRef", "name")) for document in documents]),
        "subjects": distinct(
            [f"{each['kind']} {place}{each['name']}" for each, place in zip(subjects, places, strict=True)]
        ),
    }


def expected_of(event: Mapping[str, Any]) -> dict[str, Any]:
    reference = event["objectRef"]
    if reference["resource"] in TEMPLATES and reference.get("subresource") in POD_PARTS:
        return pod_facts(event)
    if reference["resource"] in ROLES and reference.get("subresource") is None:
        return rbac_facts(event)
    return {}


def test_facts_of_a_real_log_are_those_computed_plainly(derive: Derive) -> None:
    events = list(writes_of(LOG))
    seen: Counter[str] = Counter()
    for event, facts in zip(events, derive(events), strict=True):
        expected = expected_of(event)
        assert {name: facts[name] for name in expected} == expected, event["auditID"]
        seen.update(name for name, value in expected.items() if value is not None)
    never = {
        "host_pid",
        "host_ipc",
        "host_network",
        "privileged",
        "role_ref",
        "subjects",
        "role_verbs",
    } - set(seen)
    assert not never
