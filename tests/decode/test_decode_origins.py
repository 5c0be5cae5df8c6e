"""What paths, ids, times and legacy lines tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard

from kubewitness.decode import Event, cluster_from_path, decode_lines
from kubewitness.decode.clusters import cluster_of_log_group, cluster_of_resource_id
from kubewitness.decode.request_path import object_of_path, verb_of_method
from kubewitness.decode.times import rfc3339, rfc3339_of_milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parent / "data"
AKS = "/subscriptions/1/resourcegroups/r/providers/microsoft.containerservice/managedclusters/c"
ARC = "/subscriptions/1/resourcegroups/r/providers/microsoft.kubernetes/connectedclusters/c"


@pytest.mark.parametrize(
    ("path", "cluster"),
    [
        (f"x/insights-logs-kube-audit/resourceId={AKS.upper()}/y=2026/m=11/d=15/h=21/m=00/PT1H.json", AKS),
        (f"insights-logs-kube-audit-admin\\RESOURCEID={AKS}\\y=2026\\PT1H.json".replace("/", "\\"), AKS),
        (f"resourceId={ARC}/y=2026/PT1H.json", ARC),
        (f"am-AKSAudit/WorkspaceResourceId={AKS}/y=2026/PT05M.json", None),
        (
            "am-AKSAudit/WorkspaceResourceId=/subscriptions/1/resourcegroups/r/providers/x/y/z/PT05M.json",
            None,
        ),
        ("/var/log/audit.log", None),
    ],
)
def test_a_path_tells_the_cluster(path: str, cluster: str | None) -> None:
    assert cluster_from_path(path) == cluster


def test_a_resource_id_and_a_log_group_tell_the_cluster() -> None:
    assert cluster_of_resource_id(AKS.upper()) == AKS
    assert cluster_of_resource_id("/subscriptions/1/resourcegroups/r/providers/microsoft.storage/a/b") is None
    assert cluster_of_log_group("/aws/eks/Shop/cluster") == "Shop"
    assert cluster_of_log_group("/aws/lambda/x") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-11-15T21:00:02.091524459Z", "2024-11-15T21:00:02.091524459Z"),
        ("2024-11-15 21:00:02", "2024-11-15T21:00:02Z"),
        ("2024-11-15T21:00:02+01:00", "2024-11-15T21:00:02+01:00"),
        ("11/15/2024, 9:00:02.091 PM", "2024-11-15T21:00:02.091Z"),
        ("1/5/2024, 12:30:00 AM", "2024-01-05T00:30:00Z"),
        ("1/5/2024, 12:30:00.5 PM", "2024-01-05T12:30:00.5Z"),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times_become_rfc_3339(text: str | None, expected: str | None) -> None:
    assert rfc3339(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1741069338822, "2025-03-04T06:22:18.822Z"), (10**30, None), ("x", None), (True, None), (None, None)],
)
def test_milliseconds_become_rfc_3339(value: object, expected: str | None) -> None:
    assert rfc3339_of_milliseconds(value) == expected


def request_infos() -> Iterator[dict[str, object]]:
    """Give what a real API server made of 2,644 methods and URIs."""
    for line in zstandard.decompress((DATA / "requestinfo.jsonl.zst").read_bytes()).splitlines():
        yield json.loads(line)


def test_paths_are_read_as_the_api_server_reads_them() -> None:
    names = ("resource", "namespace", "name", "apiGroup", "apiVersion", "subresource")
    count = 0
    for request in request_infos():
        uri, info = request["uri"], request["info"]
        assert isinstance(uri, str)
        assert isinstance(info, dict)
        if "/v1/watch?" in f"{uri}?":  # the old prefix with nothing after it: a resource request without resource
            continue
        expected = {name: info[name] for name in names if info[name]} if info["isResourceRequest"] else None
        assert object_of_path(uri, str(info["verb"])) == expected, uri
        count += 1
    assert count > 2500


@pytest.mark.parametrize(
    ("method", "uri", "verb"),
    [
        ("get", "/readyz", "get"),
        ("watch", "/api/v1/pods?watch=true", "watch"),
        ("GET", "/api/v1/pods", "list"),
        ("GET", "/api/v1/pods?watch=true", "watch"),
        ("GET", "/api/v1/namespaces/x/pods/y", "get"),
        ("DELETE", "/api/v1/namespaces/x/pods", "deletecollection"),
        ("DELETE", "/api/v1/namespaces/x/pods/y", "delete"),
        ("POST", "/api/v1/namespaces/x/pods", "create"),
        ("POST", "/login", "post"),
        ("OPTIONS", "/x", "options"),
    ],
)
def test_methods_become_verbs(method: str, uri: str, verb: str) -> None:
    assert verb_of_method(method, uri) == verb


def test_legacy_lines_are_events_without_what_they_do_not_tell() -> None:
    text = (DATA / "legacy.log").read_bytes().splitlines()
    outcomes = list(decode_lines(enumerate(text, 1)))
    assert len(outcomes) == len(text)
    assert all(isinstance(outcome, Event) and not outcome.partial for outcome in outcomes)
    assert isinstance(outcomes[1], Event)
    assert json.loads(outcomes[1].text) == {
        "auditID": "46fbeca9-12d4-40b2-bc94-36938e4beca0",
        "stage": "ResponseComplete",
        "requestURI": "/readyz",
        "verb": "get",
        "user": {"username": "ops-admin", "groups": ["system:masters", "system:authenticated"]},
        "sourceIPs": ["127.0.0.1"],
        "userAgent": "curl/7.88.1",
        "responseStatus": {"code": 500},
        "requestReceivedTimestamp": "2026-11-23T03:13:00.942629433Z",
    }


def test_a_legacy_line_with_impersonation_quotes_and_an_object_is_read() -> None:
    line = (
        rb'2026-11-23T03:13:00Z AUDIT: id="x" stage="ResponseComplete" ip="<unknown>" method="delete" '
        rb'user="a\"b\u00e9" '
        rb'groups="<none>" as="system:admin" asgroups="\"g\\\"1\",\"g2\"" user-agent="k" namespace="shop" '
        rb'uri="/api/v1/namespaces/shop/pods/web" response="200"'
    )
    (event,) = decode_lines([(1, line)])
    assert isinstance(event, Event)
    assert json.loads(event.text) == {
        "auditID": "x",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods/web",
        "verb": "delete",
        "user": {"username": 'a"b\u00e9'},
        "impersonatedUser": {"username": "system:admin", "groups": ['g"1', "g2"]},
        "userAgent": "k",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-11-23T03:13:00Z",
    }


def test_every_prefix_of_a_legacy_line_is_partial_or_rejected() -> None:
    line = (DATA / "legacy.log").read_bytes().splitlines()[1]
    for end in range(1, len(line)):
        (outcome,) = decode_lines([(1, line[:end])])
        assert not isinstance(outcome, Event) or outcome.partial
