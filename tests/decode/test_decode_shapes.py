"""Every shape gives the same event, whole and cut at every place."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from kubewitness.decode import (
    Event,
    Other,
    Outcome,
    Rejected,
    canonical_line,
    decode_document,
    decode_lines,
    sniff,
)

RESOURCE_ID = "/SUBSCRIPTIONS/0A/RESOURCEGROUPS/Shop/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/SHOP-PROD"
CLUSTER = RESOURCE_ID.lower()
EVENT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "RequestResponse",
    "auditID": "a-1",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/shop/pods?dryRun=All",
    "verb": "create",
    "user": {"username": 'é"\\', "groups": ["ops", "system:authenticated"], "extra": {"oid": ["7"]}},
    "sourceIPs": ["203.0.113.7"],
    "userAgent": "kubectl \u2028 \U0001f600",
    "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"},
    "responseStatus": {"metadata": {}, "code": 201},
    "requestObject": {"kind": "Pod", "spec": {"n": [1, 2.5e3, -7, True, None, {"b": '{"x":"\\u0041"}'}]}},
    "requestReceivedTimestamp": "2026-11-15T21:00:02.083684Z",
    "annotations": {"authorization.k8s.io/decision": "allow"},
}


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


LOG = compact(EVENT)
AZURE = {
    "category": "kube-audit",
    "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
    "properties": {"pod": "kube-apiserver-1", "log": LOG + "\n", "stream": "stdout"},
    "resourceId": RESOURCE_ID,
    "time": "2026-11-15T21:00:02.091524459Z",
}
AZURE_2020 = {
    "Cloud": "AzureCloud",
    "category": "kube-audit-admin",
    "ccpNamespace": "5e",
    "properties": {"log": LOG},
    "resourceId": RESOURCE_ID,
    "time": "2026-11-15T21:00:02.0000000Z",
}
ROW_TEXT = {
    "TenantId": "t",
    "TimeGenerated": "2026-11-15T21:00:02.091Z",
    "Level": EVENT["level"],
    "AuditId": EVENT["auditID"],
    "Stage": EVENT["stage"],
    "RequestUri": EVENT["requestURI"],
    "Verb": EVENT["verb"],
    "User": compact(EVENT["user"]),
    "SourceIps": compact(EVENT["sourceIPs"]),
    "UserAgent": EVENT["userAgent"],
    "ObjectRef": compact(EVENT["objectRef"]),
    "ResponseStatus": compact(EVENT["responseStatus"]),
    "RequestObject": compact(EVENT["requestObject"]),
    "ResponseObject": "",
    "RequestReceivedTime": EVENT["requestReceivedTimestamp"],
    "Annotations": compact(EVENT["annotations"]),
    "PodName": "kube-apiserver-1",
    "_ResourceId": RESOURCE_ID,
    "Type": "AKSAudit",
}
_DYNAMIC = ("User", "SourceIps", "ObjectRef", "ResponseStatus", "RequestObject", "Annotations")
ROW_OBJECTS = {
    **ROW_TEXT,
    "ResponseObject": None,
    **{column: json.loads(str(ROW_TEXT[column])) for column in _DYNAMIC},
}
# As a pipeline writes them that names columns in its own way.
ROW_LOWER = {re.sub("[A-Z]", lambda first: first[0].lower(), key, count=1): value for key, value in ROW_OBJECTS.items()}
DIAGNOSTICS = {
    "TimeGenerated": "2026-11-15T21:00:02.091Z",
    "Category": "kube-audit",
    "log_s": LOG,
    "ResourceId": RESOURCE_ID,
}
ANSWER = {
    "tables": [
        {
            "name": "PrimaryResult",
            "columns": [{"name": name, "type": "string"} for name in ROW_TEXT],
            "rows": [list(ROW_TEXT.values())] * 2,
        }
    ],
    "error": {"code": "PartialError"},
}
SUBSCRIPTION = {
    "messageType": "DATA_MESSAGE",
    "logGroup": "/aws/eks/shop/cluster",
    "logStream": "kube-apiserver-audit-0f",
    "logEvents": [{"id": "1", "timestamp": 1763240402091, "message": LOG}] * 2,
}
FILTERED = {
    "events": [{"logStreamName": "kube-apiserver-audit-0f", "timestamp": 1763240402091, "message": LOG}],
    "searchedLogStreams": [],
}
WITHOUT_KIND = {key: value for key, value in EVENT.items() if key not in ("kind", "apiVersion")}

# name: text, number of events, cluster, time of the envelope
SHAPES: dict[str, tuple[str, int, str | None, str | None]] = {
    "plain": (LOG, 1, None, None),
    "plain, not ASCII": (json.dumps(EVENT, ensure_ascii=False), 1, None, None),
    "pretty": (json.dumps(EVENT, indent=2), 1, None, None),
    "array": (json.dumps([EVENT] * 3, indent=1), 3, None, None),
    "two on a line": (LOG + LOG, 2, None, None),
    "EventList": (compact({"kind": "EventList", "metadata": {}, "items": [EVENT] * 2}), 2, None, None),
    "EventList, item by line": (
        '{"kind":"EventList","items":[\n' + ",\n".join([LOG] * 2) + "\n]}",
        2,
        None,
        None,
    ),
    "azure": (json.dumps(AZURE).replace("audit.k8s.io/", r"audit.k8s.io\/"), 1, CLUSTER, str(AZURE["time"])),
    "azure 2020": (compact(AZURE_2020), 1, CLUSTER, str(AZURE_2020["time"])),
    "azure, log as object": (
        compact({**AZURE, "properties": {"log": EVENT, "pod": "p"}}),
        1,
        CLUSTER,
        str(AZURE["time"]),
    ),
    "event hub": (compact({"records": [AZURE] * 3}), 3, CLUSTER, str(AZURE["time"])),
    "event hub, pretty": (json.dumps({"records": [AZURE] * 2}, indent=1), 2, CLUSTER, str(AZURE["time"])),
    "event hubs listed": (
        compact([{"records": [AZURE] * 2, "PartitionId": 1}] * 2),
        4,
        CLUSTER,
        str(AZURE["time"]),
    ),
    "row, text": (compact(ROW_TEXT), 1, CLUSTER, str(ROW_TEXT["TimeGenerated"])),
    "row, objects": (compact(ROW_OBJECTS), 1, CLUSTER, str(ROW_TEXT["TimeGenerated"])),
    "row, small initials": (compact(ROW_LOWER), 1, CLUSTER, str(ROW_TEXT["TimeGenerated"])),
    "rows listed": (
        json.dumps([{**ROW_TEXT, "TableName": "PrimaryResult"}] * 2, indent=2),
        2,
        CLUSTER,
        "2026-11-15T21:00:02.091Z",
    ),
    "diagnostics row": (compact(DIAGNOSTICS), 1, CLUSTER, "2026-11-15T21:00:02.091Z"),
    "query answer": (compact(ANSWER), 2, CLUSTER, "2026-11-15T21:00:02.091Z"),
    "subscription": (compact(SUBSCRIPTION), 2, "shop", "2025-11-15T21:00:02.091Z"),
    "filter-log-events": (json.dumps(FILTERED, indent=1), 1, None, "2025-11-15T21:00:02.091Z"),
    "node prefix": ("master-0.example.internal " + LOG, 1, None, None),
    "container prefix": ("2026-11-15T21:00:02.1Z stdout F " + LOG, 1, None, "2026-11-15T21:00:02.1Z"),
    "container log": (
        compact({"log": LOG + "\n", "stream": "stdout", "time": "2026-11-15T21:00:02Z"}),
        1,
        None,
        "2026-11-15T21:00:02Z",
    ),
    "forwarded message": (
        compact({"@timestamp": "2026-11-15T21:00:02.1Z", "host": {"name": "h"}, "message": LOG}),
        1,
        None,
        "2026-11-15T21:00:02.1Z",
    ),
    "forwarded log": (compact({"date": 1763240402.09, "log": LOG, "kubernetes": {"pod_name": "p"}}), 1, None, None),
    "Splunk's result": (compact({"preview": False, "result": {"sourcetype": "kube", "_raw": LOG}}), 1, None, None),
    "indexed": (compact({"_index": "i", "_source": {"kubernetes": {"audit": EVENT}}}), 1, None, None),
}
# The head of a list, without an item, is no record.
LISTS = frozenset(name for name, (_, count, *_) in SHAPES.items() if count > 1) | {"filter-log-events"}
ROWS = ("row, text", "row, objects", "row, small initials", "rows listed", "query answer")


def read(text: bytes) -> tuple[list[Outcome], list[Outcome]]:
    """Decode as lines and as a document."""
    return (
        list(decode_lines(enumerate(text.split(b"\n"), 1))),
        list(decode_document(io.BytesIO(text))),
    )


def fields(event: Event) -> dict[str, Any]:
    found = json.loads(canonical_line(event, 1))["event"]
    assert b"\n" not in event.text
    assert isinstance(found, dict)
    return found


def is_part(part: object, whole: object) -> bool:
    """Whether everything in a salvaged value is in the whole one, in its place."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(is_part, part, whole))
    return part == whole


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_gives_the_event(name: str) -> None:
    text, count, cluster, logged_at = SHAPES[name]
    expected = WITHOUT_KIND if name in ROWS else EVENT
    for outcomes in read(text.encode()):
        events = [outcome for outcome in outcomes if isinstance(outcome, Event)]
        assert len(events) == len(outcomes) == count
        for event in events:
            assert fields(event) == expected
            assert (event.cluster, event.logged_at) == (cluster, logged_at)
            assert (event.truncated, event.partial) == (False, False)


@pytest.mark.parametrize("name", SHAPES)
def test_every_prefix_of_every_shape_decodes_is_salvaged_or_is_rejected(name: str) -> None:
    text = SHAPES[name][0].encode()
    expected = WITHOUT_KIND if name in ROWS else EVENT
    for end in range(len(text) % 5, len(text), 5):
        for outcomes in read(text[:end]):
            assert outcomes or name in LISTS or end == 0, text[:end]
            for outcome in outcomes:
                assert not isinstance(outcome, Other)
                if isinstance(outcome, Rejected):
                    assert outcome.reason
                    continue
                found = fields(outcome)
                assert is_part(found, expected), text[:end]
                assert outcome.partial == outcome.truncated
                if not outcome.partial:
                    assert found == expected
        assert sniff(text[:end])


def test_a_cut_log_in_a_whole_envelope_keeps_its_head_and_the_time_of_the_envelope() -> None:
    record = {**AZURE, "properties": {"log": LOG[: LOG.index('"requestReceived') + 30], "stream": "stdout"}}
    (event,), _ = read(compact(record).encode())
    assert isinstance(event, Event)
    assert fields(event) == {
        key: value for key, value in EVENT.items() if key not in ("requestReceivedTimestamp", "annotations")
    }
    assert (event.cluster, event.logged_at, event.partial) == (CLUSTER, AZURE["time"], True)


def test_a_cut_column_makes_the_row_partial() -> None:
    (event,), _ = read(compact({**ROW_TEXT, "RequestObject": str(ROW_TEXT["RequestObject"])[:-12]}).encode())
    assert isinstance(event, Event)
    assert event.partial
    assert is_part(fields(event), EVENT)
    assert fields(event)["requestObject"]["kind"] == "Pod"


@pytest.mark.parametrize(
    ("record", "category"),
    [
        ({**AZURE, "category": "guard", "properties": {"log": "I0624 text"}}, "guard"),
        ({**AZURE, "category": "kube-apiserver"}, "kube-apiserver"),
        (
            {**AZURE, "category": "kube-audit", "properties": {"log": "I0624 20:14:59.855669 1 w.go:47] x"}},
            "klog text",
        ),
        ({**DIAGNOSTICS, "Category": "kube-scheduler"}, "kube-scheduler"),
        ({"Category": "guard", "Level": "INFO", "Message": "x", "PodName": "p"}, "guard"),
        ({"messageType": "CONTROL_MESSAGE", "logGroup": "", "logEvents": []}, "CloudWatch control message"),
        (
            {**SUBSCRIPTION, "logStream": "authenticator-0f", "logEvents": [{"message": 'time="x"'}]},
            "authenticator",
        ),
        ({"insertId": "1", "logName": "projects/p/logs/events", "jsonPayload": {}}, "events"),
    ],
)
def test_logs_of_other_categories_are_other(record: dict[str, Any], category: str) -> None:
    assert read(compact(record).encode()) == ([Other(1, category)], [Other(1, category)])


def test_annotations_of_an_indexed_event_have_their_dots_again() -> None:
    indexed = {**EVENT, "annotations": {"authorization_k8s_io/decision": "allow", "mine": "a_k8s_io/b"}}
    for event in (
        event for outcomes in read(compact({"kubernetes": {"audit": indexed}}).encode()) for event in outcomes
    ):
        assert isinstance(event, Event)
        assert fields(event) == {
            **EVENT,
            "annotations": {"authorization.k8s.io/decision": "allow", "mine": "a_k8s_io/b"},
        }


@pytest.mark.parametrize(
    "record",
    [
        {"message": "a text that names an auditID"},
        {"message": '{"level":"info","msg":"started"}'},
        {"data": {"id": "a-1"}},
        {"kubernetes": {"pod": {"name": "web-0"}}, "log": "GET /"},
    ],
)
def test_what_forwarders_send_besides_is_no_event(record: dict[str, Any]) -> None:
    for outcomes in read(compact(record).encode()):
        assert [type(outcome) for outcome in outcomes] == [Rejected]


def test_a_klog_line_is_other() -> None:
    line = b"I0624 20:14:59.855669       1 wrap.go:47] PUT /api/v1/x: (9ms) 200"
    assert list(decode_lines([(4, line)])) == [Other(4, "klog text")]


@pytest.mark.parametrize(
    "change",
    [
        {"requestObject": "skipped-too-big-size-object"},
        {"responseObject": "skipped-too-big-size-object"},
        {"annotations": {"audit.k8s.io/truncated": "true"}},
    ],
)
def test_replaced_and_dropped_bodies_are_truncated_but_whole_events(change: dict[str, Any]) -> None:
    (event,), _ = read(compact({**EVENT, **change}).encode())
    assert isinstance(event, Event)
    assert (event.truncated, event.partial) == (True, False)


def test_the_mark_of_a_replaced_body_elsewhere_means_nothing() -> None:
    (event,), _ = read(compact({**EVENT, "userAgent": "skipped-too-big-size-object"}).encode())
    assert isinstance(event, Event)
    assert not event.truncated


GKE = {
    "insertId": "i-1",
    "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
    "timestamp": "2026-01-01T01:00:00Z",
    "labels": {"authorization.k8s.io/decision": "forbid"},
    "resource": {
        "type": "k8s_cluster",
        "labels": {"cluster_name": "c", "location": "us-central1", "project_id": "p"},
    },
    "protoPayload": {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "serviceName": "k8s.io",
        "authenticationInfo": {"principalEmail": "eve@example.com"},
        "methodName": "io.k8s.authorization.rbac.v1.clusterrolebindings.create",
        "resourceName": "rbac.authorization.k8s.io/v1/clusterrolebindings/all",
        "requestMetadata": {"callerIp": "203.0.113.7", "callerSuppliedUserAgent": "kubectl/v1"},
        "request": {"@type": "x", "kind": "ClusterRoleBinding"},
        "status": {"code": 7, "message": "no"},
    },
}


def gke(**payload: object) -> dict[str, Any]:
    changed = {**GKE["protoPayload"], **payload}  # type: ignore[dict-item]
    record = {**GKE, "protoPayload": {key: value for key, value in changed.items() if value is not None}}
    (event,), _ = read(compact(record).encode())
    assert isinstance(event, Event)
    assert event.cluster == "projects/p/locations/us-central1/clusters/c"
    return fields(event)


def test_a_gke_entry_becomes_what_it_tells_and_nothing_more() -> None:
    assert gke() == {
        "auditID": "i-1",
        "verb": "create",
        "user": {"username": "eve@example.com"},
        "sourceIPs": ["203.0.113.7"],
        "userAgent": "kubectl/v1",
        "objectRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "apiVersion": "v1",
            "resource": "clusterrolebindings",
            "name": "all",
        },
        "responseStatus": {"code": 403, "message": "no"},
        "requestObject": {"kind": "ClusterRoleBinding"},
        "stageTimestamp": "2026-01-01T01:00:00Z",
        "annotations": {
            "authorization.k8s.io/decision": "forbid",
            "kubewitness/code-mapped-from": "grpc 7",
        },
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [({}, {"code": 200}), ({"code": 5}, {"code": 404}), ({"code": 99}, {}), (None, None)],
)
def test_a_gke_status_is_mapped_and_an_absent_one_stays_absent(
    status: dict[str, int] | None, expected: dict[str, int] | None
) -> None:
    assert gke(status=status).get("responseStatus") == expected


GRANTED = {"granted": True, "permission": "io.k8s.core.v1.pods.create"}


@pytest.mark.parametrize(
    ("permissions", "response", "expected"),
    [
        ([GRANTED], None, {"code": 200}),
        ([GRANTED, GRANTED], {"kind": "Pod", "status": {"phase": "Pending"}}, {"code": 200}),
        ([GRANTED], {"kind": "Status", "status": "Failure"}, None),
        ([GRANTED, {"permission": "io.k8s.core.v1.pods.create"}], None, None),
        ([{"granted": False}], None, None),
        ([], None, None),
        ("granted", None, None),
    ],
)
def test_a_gke_entry_without_status_succeeded_where_all_was_granted(
    permissions: object, response: dict[str, object] | None, expected: dict[str, int] | None
) -> None:
    found = gke(status=None, authorizationInfo=permissions, response=response)
    assert found.get("responseStatus") == expected
    assert found["annotations"].get("kubewitness/code-mapped-from") == ("no status" if expected else None)


def test_a_cut_gke_entry_does_not_tell_that_it_succeeded() -> None:
    payload = {"serviceName": "k8s.io", "methodName": "io.k8s.core.v1.pods.create", "authorizationInfo": [GRANTED]}
    text = compact({"insertId": "i-1", "protoPayload": payload})
    (whole,), _ = read(text.encode())
    (cut,), _ = read(f'{text[:-1]},"labels":{{"a'.encode())
    assert isinstance(whole, Event)
    assert isinstance(cut, Event)
    assert fields(whole)["responseStatus"] == {"code": 200}
    assert "responseStatus" not in fields(cut)


@pytest.mark.parametrize(
    ("authority", "expected"),
    [("system:admin", {"username": "system:admin"}), ("eve@example.com", None), (None, None)],
)
def test_the_authority_that_a_gke_caller_selected_is_whom_it_impersonates(
    authority: str | None, expected: dict[str, str] | None
) -> None:
    found = gke(authenticationInfo={"principalEmail": "eve@example.com", "authoritySelector": authority})
    assert found["user"] == {"username": "eve@example.com"}
    assert found.get("impersonatedUser") == expected


def test_the_command_of_a_gke_exec_is_where_commands_are() -> None:
    payload = {
        "serviceName": "k8s.io",
        "methodName": "io.k8s.core.v1.pods.exec.create",
        "resourceName": "core/v1/namespaces/shop/pods/web/exec",
    }
    labels = {"command.gke.io/command": "sh -c 'cat /etc/shadow & id'", "authorization.k8s.io/decision": "allow"}
    (event,), _ = read(compact({"insertId": "i-1", "labels": labels, "protoPayload": payload}).encode())
    assert isinstance(event, Event)
    found = fields(event)
    assert found["requestURI"] == (
        "/api/v1/namespaces/shop/pods/web/exec?command=sh+-c+%27cat+%2Fetc%2Fshadow+%26+id%27"
    )
    assert found["annotations"] == {"authorization.k8s.io/decision": "allow"}


@pytest.mark.parametrize(
    ("method", "resource", "expected"),
    [
        (
            "io.k8s.core.v1.pods.exec.create",
            "core/v1/namespaces/shop/pods/web/exec",
            {
                "verb": "create",
                "objectRef": {
                    "resource": "pods",
                    "subresource": "exec",
                    "namespace": "shop",
                    "name": "web",
                    "apiVersion": "v1",
                },
            },
        ),
        (
            "io.k8s.core.v1.pods.status.patch",
            "core/v1/namespaces/shop/pods/web/status",
            {
                "verb": "patch",
                "objectRef": {
                    "resource": "pods",
                    "subresource": "status",
                    "namespace": "shop",
                    "name": "web",
                    "apiVersion": "v1",
                },
            },
        ),
        (
            "io.k8s.apps.v1.deployments.list",
            "apps/v1/deployments",
            {
                "verb": "list",
                "objectRef": {"resource": "deployments", "apiGroup": "apps", "apiVersion": "v1"},
            },
        ),
        ("io.k8s.get", "readyz", {"verb": "get", "requestURI": "/readyz"}),
        (
            "io.k8s.core.v1.pods.list",
            None,
            {"verb": "list", "objectRef": {"resource": "pods", "apiVersion": "v1"}},
        ),
    ],
)
def test_a_gke_method_and_resource_name_give_the_request(
    method: str, resource: str | None, expected: dict[str, Any]
) -> None:
    found = gke(methodName=method, resourceName=resource)
    assert {key: found.get(key) for key in ("verb", "objectRef", "requestURI") if key in found} == expected
