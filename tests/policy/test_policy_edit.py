from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.recording import Level
from kubewitness.policy import edit as edits
from kubewitness.policy.edit import Edit, Subject, edited, without_managed_fields
from kubewitness.policy.members import members_of, object_of
from kubewitness.policy.secrets import SecretHasher
from kubewitness.policy.wrapped import edited_record

GATED = "patch.webhook.admission.k8s.io/round_0_index_0"


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


# Whatever a client may put into a body or a header, also what looks like the event's own members.
NAMES = [
    "a",
    "level",
    "requestObject",
    "responseObject",
    "requestReceivedTimestamp",
    "metadata",
    "managedFields",
    "items",
]
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=4), st.sampled_from([f',"{n}":"' for n in NAMES])
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)),
    max_leaves=12,
)
heads = st.fixed_dictionaries(
    {
        "kind": st.just("Event"),
        "level": st.sampled_from(["Request", "RequestResponse"]),
        "verb": st.sampled_from(["get", "patch"]),
    },
    optional={"user": st.dictionaries(st.sampled_from(NAMES), values, max_size=2), "userAgent": leaves},
)
bodies = st.fixed_dictionaries({}, optional={"requestObject": values, "responseObject": values})
tails = st.fixed_dictionaries(
    {"requestReceivedTimestamp": st.just("t"), "stageTimestamp": st.just("t")},
    optional={"annotations": st.dictionaries(st.sampled_from([GATED, "x"]), st.text(max_size=3), max_size=2)},
)
edits_ = st.builds(Edit, st.sampled_from([None, Level.METADATA, Level.REQUEST]), st.booleans())


def expected(event: dict[str, Any], edit: Edit) -> dict[str, Any]:
    """What the server would have written, the slow and plain way."""
    kept = dict(event)
    if edit.level is not None:
        kept["level"] = edit.level.value
        kept.pop("responseObject", None)
    if edit.level is Level.METADATA:
        kept.pop("requestObject", None)
        annotations = {k: v for k, v in kept.get("annotations", {}).items() if not k.startswith(GATED[:30])}
        if "annotations" in kept and annotations != kept["annotations"]:
            kept["annotations"] = annotations
            if not annotations:
                del kept["annotations"]
    for name in ("requestObject", "responseObject"):
        if edit.omit_managed_fields and name in kept and not (name == "requestObject" and kept["verb"] == "patch"):
            kept[name] = cleaned(kept[name])
    return kept


def cleaned(body: Any) -> Any:
    def own(value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
            return value
        return value | {"metadata": {k: v for k, v in value["metadata"].items() if k != "managedFields"}}

    body = own(body)
    if isinstance(body, dict) and isinstance(body.get("items"), list):
        body = body | {"items": [own(item) for item in body["items"]]}
    return body


@given(heads, bodies, tails, edits_, st.booleans())
def test_an_event_becomes_what_the_server_would_have_written(
    head: dict[str, Any], body: dict[str, Any], tail: dict[str, Any], edit: Edit, is_as_written: bool
) -> None:
    event = {**head, **body, **tail} if is_as_written else {**body, **tail, **head, "newer": 1}
    text = compact(event)
    assert edited(text, edit) == compact(expected(event, edit))


@given(heads, bodies, tails, edits_)
def test_the_quick_way_gives_what_the_sure_way_gives(
    head: dict[str, Any], body: dict[str, Any], tail: dict[str, Any], edit: Edit
) -> None:
    text = compact({**head, **body, **tail})
    quick = edits._edited_as_written(text, edit)
    assert quick in {None, edits._edited_anyhow(text, edit)}


@given(heads, bodies, tails, edits_)
def test_an_edit_does_not_mind_its_envelope(
    head: dict[str, Any], body: dict[str, Any], tail: dict[str, Any], edit: Edit
) -> None:
    text = compact({**head, **body, **tail})
    after = edited(text, edit)
    for wrap in (
        lambda event: {"time": "t", "properties": {"log": event.decode() + "\n", "pod": "p"}, "category": "kube-audit"},
        lambda event: {"properties": {"log": json.loads(event)}, "time": "t"},
        lambda event: {"TenantId": "x", "log_s": event.decode()},
    ):
        assert json.loads(edited_record(compact(wrap(text)), edit)) == json.loads(compact(wrap(after)))


def test_a_row_of_columns_loses_what_its_event_would() -> None:
    managed = {"metadata": {"name": "x", "managedFields": []}}
    row = {
        "AuditId": "a",
        "Level": "RequestResponse",
        "Verb": "update",
        "RequestObject": json.dumps(managed),
        "ResponseObject": managed,
        "Annotations": {GATED: "y", "z": ""},
    }
    lowered = json.loads(edited_record(compact(row), Edit(Level.METADATA)))
    assert lowered == {"AuditId": "a", "Level": "Metadata", "Verb": "update", "Annotations": {"z": ""}}
    slim = json.loads(edited_record(compact(row), Edit(None, omit_managed_fields=True)))
    assert json.loads(slim["RequestObject"]) == slim["ResponseObject"] == {"metadata": {"name": "x"}}
    assert edited_record(compact(row | {"Verb": "patch"}), Edit()) == compact(row | {"Verb": "patch"})


def test_members_of_one_name_all_stay() -> None:
    text = b'{"a" : 1, "b":{"x":[1 ,2]},"a":"\\u00e9","c":[]}'
    members = members_of(text)
    assert members is not None
    assert [(name, bytes(value)) for name, value in members] == [
        ("a", b"1"),
        ("b", b'{"x":[1 ,2]}'),
        ("a", b'"\\u00e9"'),
        ("c", b"[]"),
    ]
    assert object_of(members) == b'{"a":1,"b":{"x":[1 ,2]},"a":"\\u00e9","c":[]}'
    event = b'{"level":"Request","level":"RequestResponse","responseObject":1,"verb":"get","responseObject":2}'
    assert edited(event, Edit(Level.METADATA)) == b'{"level":"Metadata","level":"Metadata","verb":"get"}'


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ({"metadata": {"managedFields": [1]}}, {"metadata": {}}),
        ({"metadata": {"a": 1, "managedFields": [{"f": {}}], "b": 2}}, {"metadata": {"a": 1, "b": 2}}),
        (
            {"metadata": {"a": 1, "managedFields": []}, "spec": {"a": 1, "managedFields": []}},
            {"metadata": {"a": 1}, "spec": {"a": 1, "managedFields": []}},
        ),
        (
            {"kind": "PodList", "items": [{"metadata": {"managedFields": 1, "x": 2}}]},
            {"kind": "PodList", "items": [{"metadata": {"x": 2}}]},
        ),
        (
            {"kind": "Table", "rows": [{"cells": [], "object": {"metadata": {"managedFields": []}}}]},
            {"kind": "Table", "rows": [{"cells": [], "object": {"metadata": {}}}]},
        ),
        ({"rows": [{"object": {"metadata": {"managedFields": []}}}]}, None),
        ({"spec": {"template": {"metadata": {"managedFields": []}}}}, None),
        ("managedFields", None),
    ],
)
def test_managed_fields_are_removed_where_the_server_removes_them(body: Any, after: Any) -> None:
    assert without_managed_fields(compact(body)) == compact(body if after is None else after)


SECRET = {"kind": "Secret", "metadata": {"name": "db"}, "data": {"password": "aHVudGVyMg=="}}
HASH = "hmac-sha256:"


def hashed(body: object, verb: str = "create", resource: str = "") -> tuple[Any, dict[str, int]]:
    hasher = SecretHasher(b"0123456789abcdef")
    return json.loads(hasher(compact(body), Subject(verb, resource))), dict(hasher.found)


def test_equal_secrets_have_equal_hashes_and_other_keys_give_other_ones() -> None:
    one, found = hashed(SECRET)
    assert found == {"secret_data": 1}
    assert one["data"]["password"].startswith(HASH)
    plain, _ = hashed({"kind": "Secret", "stringData": {"other": "hunter2"}})
    assert plain["stringData"]["other"] == one["data"]["password"]
    other = SecretHasher(b"fedcba9876543210")(compact(SECRET), Subject("create"))
    assert one["data"]["password"] not in other.decode()


@pytest.mark.parametrize(
    ("body", "resource", "kinds"),
    [
        ({"kind": "SecretList", "items": [{"data": {"a": "eA=="}}, {"data": {"a": "eA=="}}]}, "", {"secret_data": 2}),
        ({"data": {"a": "eA=="}}, "secrets", {"secret_data": 1}),
        ({"data": {"a": "eA=="}}, "configmaps", {}),
        ({"kind": "List", "items": [SECRET]}, "", {"secret_data": 1}),
        ([{"op": "add", "path": "/data/a", "value": "eA=="}], "secrets", {"secret_data": 1}),
        ([{"op": "replace", "path": "/stringData", "value": {"a": "x"}}], "secrets", {"secret_data": 1}),
        ([{"op": "add", "path": "/metadata/labels/a", "value": "x"}], "secrets", {}),
        ({"kind": "TokenRequest", "status": {"token": "ey.."}}, "serviceaccounts", {"token": 1}),
        ({"kind": "TokenReview", "spec": {"token": "ey.."}}, "tokenreviews", {"token": 1}),
        (
            {"kind": "Secret", "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}},
            "secrets",
            {"last_applied": 1},
        ),
        (
            {
                "kind": "Pod",
                "spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": "x"}, {"name": "A", "value": "y"}]}]},
            },
            "pods",
            {"env_value": 1},
        ),
        ({"kind": "Status", "details": {"kind": "secrets"}}, "secrets", {}),
        ("text", "secrets", {}),
    ],
)
def test_secrets_are_found_where_they_stand(body: Any, resource: str, kinds: dict[str, int]) -> None:
    after, found = hashed(body, resource=resource)
    assert found == kinds
    assert json.dumps(after).count(HASH) == sum(kinds.values())


def test_a_body_without_secrets_stays_byte_for_byte() -> None:
    body = b'{"kind": "ConfigMap", "n": 1e3, "kind2":"Secrets"}'
    assert SecretHasher(b"0123456789abcdef")(body, Subject("get")) is body


def test_an_event_loses_the_secrets_in_both_its_bodies() -> None:
    hasher = SecretHasher(b"0123456789abcdef")
    event = {"level": "RequestResponse", "verb": "patch", "objectRef": {"resource": "secrets"}}
    event |= {"requestObject": {"data": {"a": "eA=="}}, "responseObject": SECRET, "requestReceivedTimestamp": "t"}
    text = edited(compact(event), Edit(redact=hasher)).decode()
    assert hasher.found == {"secret_data": 2}
    assert "eA==" not in text
    assert "aHVudGVyMg" not in text


HEAD = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"a"'


@pytest.mark.parametrize(
    ("event", "lowered"),
    [
        (HEAD + b',"verb":"get"}', b'"level":"Metadata","auditID":"a","verb":"get"}'),
        (HEAD + b',"requestURI":"/x?a=1\\u0026b=2"}', b'"requestURI":"/x?a=1\\u0026b=2"}'),
        (HEAD + b',"request\\u004fbject":{"a":1}}', b'"level":"Metadata","auditID":"a"}'),
        (HEAD + b',"userAgent":"\\"requestObject\\":{}"}', b'"userAgent":"\\"requestObject\\":{}"}'),
        (HEAD + b',"requestObject":{"level":"x"}}', b'"level":"Metadata","auditID":"a"}'),
    ],
)
def test_an_event_without_bodies_loses_its_level_only(event: bytes, lowered: bytes) -> None:
    found = edited(event, Edit(Level.METADATA))
    assert found.endswith(lowered)
    assert found.startswith(b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata"')
