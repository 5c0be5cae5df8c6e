"""What an event said can be written back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubewitness.store.original import parse_record, rebuild, remainder, written_back

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(
    st.sampled_from(["kind", "level", "auditID", "user", "responseStatus", "new"]), JSON, max_size=5
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OBJECTS)
def test_a_remainder_makes_the_record_of_what_was_rebuilt(record: dict[str, Any]) -> None:
    rebuilt: dict[str, Any] = rebuild({"level": "Metadata", "username": "alice", "code": 200})
    patch = remainder(record, rebuilt)
    if patch is not None:
        values = {"level": "Metadata", "username": "alice", "code": 200, "remainder": json.dumps(patch)}
        assert json.loads(written_back(values)) == record


def test_a_field_that_is_not_known_is_in_the_remainder() -> None:
    record = rebuild({"audit_id": "a", "code": 403}) | {"traceID": "t"}
    record["responseStatus"]["details"] = {"kind": "pods"}
    assert remainder(record, rebuild({"audit_id": "a", "code": 403})) == {
        "traceID": "t",
        "responseStatus": {"details": {"kind": "pods"}},
    }


def test_nothing_remains_of_what_an_api_server_writes() -> None:
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "a",
        "user": {"username": "alice"},
        "responseStatus": {"metadata": {}, "code": 200},
    }
    assert remainder(record, rebuild({"audit_id": "a", "username": "alice", "code": 200})) == {}


@pytest.mark.parametrize("record", [{"requestObject": None}, {"user": {"uid": None}}, ["a"], None])
def test_what_no_patch_says_has_no_remainder(record: Any) -> None:
    assert remainder(record, rebuild({"username": "alice", "request_object": "{}"})) is None


@pytest.mark.parametrize(
    "text",
    [b'{"level":"a","level":"b"}', b'{"user":{"uid":"a","uid":"b"}}', b'{"level" : "a", "level": "b"}', b"{", b"\xff"],
)
def test_a_key_that_stands_twice_is_no_value(text: bytes) -> None:
    assert parse_record(text) is None


def test_spaces_and_escapes_make_no_difference() -> None:
    assert parse_record(b'{"requestURI" : "/a?b=1\\u0026c=2"}') == {"requestURI": "/a?b=1&c=2"}
