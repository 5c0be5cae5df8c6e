"""Tests that can never hold: a table of what is found, and of look-alikes that may well hold."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.query.domains import impossible, without_impossible
from kubewitness.query.fields import find_field
from kubewitness.query.implication import is_never
from kubewitness.query.lower import lower
from kubewitness.query.predicate import (
    And,
    Compare,
    InNetwork,
    Not,
    Number,
    Operator,
    Or,
    Order,
    Text,
    TimePart,
    TimeUnit,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubewitness.query.predicate import Leaf

    Ask = Callable[..., list[dict[str, Any]]]


def text(name: str, value: str, operator: Operator = Operator.EQUALS, *, cased: bool = False) -> Text:
    return Text(find_field(name), operator, value, cased)


def above(name: str, value: float) -> Compare:
    return Compare(find_field(name), Order.GREATER, value)


CONTAINS, STARTS, LIKE, REGEX = Operator.CONTAINS, Operator.STARTS_WITH, Operator.LIKE, Operator.REGEX
NEVER_HOLDS: list[tuple[Leaf, str]] = [
    (text("verb", "replace"), "recorded as `update`"),
    (text("verb", "Edit"), "recorded as `patch`"),
    (text("verb", "exec"), "fact `action`"),
    (text("verb", "GET", cased=True), "lower case"),
    (text("verb", "delete-", STARTS), "Kubernetes API"),
    (text("verb", "^(bind|escalate)$", REGEX, cased=True), "Kubernetes API"),
    (text("level", "RequestBody"), "RequestResponse"),
    (text("stage", "Complete"), "ResponseComplete"),
    (text("action", "execute"), "exec"),
    (text("actor_kind", "system"), "control_plane"),
    (text("responseStatus.code", "ALLOW"), "`allowed`"),
    (text("responseStatus.code", "4xx"), "`allowed`"),
    (Number(find_field("responseStatus.code"), 1403), "100 to 599"),
    (above("responseStatus.code", 600), "100 to 599"),
    (text("privileged", "yes"), "privileged: true"),
    (above("privileged", 0), "privileged: true"),
    (above("requestReceivedTimestamp", 1700000000), "|hour"),
    (text("requestReceivedTimestamp", "2026-11-17T08:00:00Z"), "|hour"),
    (TimePart(find_field("happened_at"), TimeUnit.HOUR, 24, None), ""),
    (InNetwork(find_field("userAgent"), ip_network("10.0.0.0/8")), "sourceIPs"),
    (text("sourceIPs", "10.0.0.0/8"), "|cidr"),
    (text("objectRef.resource", "Pod"), "`pods`"),
    (text("objectRef.resource", "networkpolicy"), "plural"),
    (text("objectRef.resource", "pods/exec"), "objectRef.subresource: exec"),
    (text("objectRef.resource", "exec"), "objectRef.subresource: exec"),
    (text("objectRef.apiGroup", "core"), '""'),
    (text("objectRef.apiGroup", "rbac.authorization.k8s.io/v1"), "objectRef.apiVersion"),
    (text("objectRef.apiVersion", "apps/v1"), "objectRef.apiGroup"),
    (text("capabilities", "CAP_SYS_ADMIN"), "SYS_ADMIN"),
    (text("host_paths", "/etc/"), "/etc"),
]  # fmt: skip
MAY_HOLD: list[Leaf] = [
    text("verb", "GET"),
    text("verb", "del", STARTS),
    text("verb", "^(bind|get)$", REGEX, cased=True),
    text("verb", "*", LIKE),
    text("level", "metadata"),
    text("responseStatus.code", "40", STARTS),
    text("responseStatus.code", "4*", LIKE),
    text("responseStatus.code", "403"),
    Number(find_field("responseStatus.code"), 403),
    above("responseStatus.code", 499),
    text("privileged", "TRUE"),
    text("requestReceivedTimestamp", "2026-11", STARTS),
    TimePart(find_field("happened_at"), TimeUnit.HOUR, 22, None),
    InNetwork(find_field("requestObject.status.podIP"), ip_network("10.0.0.0/8")),
    text("sourceIPs", "10.0.", STARTS),
    text("objectRef.resource", "widget"),
    text("objectRef.resource", "endpoints"),
    text("objectRef.resource", "pod", CONTAINS),
    text("objectRef.apiGroup", "stable.example.com"),
    text("objectRef.apiVersion", "v1"),
    text("capabilities", "SYS_ADMIN"),
    text("host_paths", "/"),
    text("user.username", "replace"),
    text("requestObject.verb", "replace"),
    above("requestObject.spec.replicas", 600),
]


@pytest.mark.parametrize(("test", "hint"), NEVER_HOLDS, ids=str)
def test_what_can_never_hold_is_found_with_a_hint(test: Leaf, hint: str) -> None:
    found = impossible(test)
    assert found is not None
    assert hint in (found.hint or "")


@pytest.mark.parametrize("test", MAY_HOLD, ids=str)
def test_what_may_hold_is_left_alone(test: Leaf) -> None:
    assert impossible(test) is None


def test_a_choice_without_its_impossible_values_keeps_the_others() -> None:
    replace, update = text("verb", "replace"), text("verb", "update")
    assert without_impossible(Or((replace, update))) == Or((Or(()), update))
    assert is_never(without_impossible(And((replace, text("user.username", "a")))))
    assert not is_never(without_impossible(Not(replace)))


def test_an_ordinary_event_is_none_of_it(ask: Ask) -> None:
    event = {
        "level": "RequestResponse",
        "stage": "ResponseComplete",
        "verb": "create",
        "requestReceivedTimestamp": "2026-11-17T08:00:00.000000Z",
        "requestURI": "/api/v1/namespaces/shop/pods",
        "user": {"username": "alice"},
        "sourceIPs": ["10.1.2.3"],
        "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"},
        "responseStatus": {"code": 201},
        "requestObject": {
            "spec": {
                "volumes": [{"hostPath": {"path": "/etc/"}}],
                "containers": [{"securityContext": {"privileged": True, "capabilities": {"add": ["CAP_SYS_ADMIN"]}}}],
            }
        },
    }
    tests = [test for test, _ in NEVER_HOLDS]
    columns = ", ".join(f"({lower(test).sql('duckdb')}) AS c{number}" for number, test in enumerate(tests))
    (row,) = ask(f"SELECT {columns} FROM events", [event])  # noqa: S608 - what is tested makes it
    assert {number for number in range(len(tests)) if row[f"c{number}"]} == set()
