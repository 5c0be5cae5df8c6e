"""Predicates over single events: a table of what holds and what does not."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.query.fields import find_field
from kubewitness.query.lower import lower
from kubewitness.query.predicate import (
    And,
    Compare,
    Exists,
    Flag,
    InNetwork,
    Keyword,
    Not,
    Number,
    Operator,
    Or,
    Order,
    Predicate,
    Same,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., list[dict[str, Any]]]

EVENT: dict[str, Any] = {
    "auditID": "a-1",
    "requestReceivedTimestamp": "2026-11-17T08:00:00.000000Z",
    "verb": "create",
    "requestURI": "/api/v1/namespaces/shop/pods?fieldManager=kubectl",
    "user": {
        "username": "Alice@Contoso.com",
        "groups": ["ops", "System:Authenticated"],
        "extra": {"example.com/oid": ["7"]},
    },
    "sourceIPs": ["10.1.2.3", "2001:db8::7"],
    "userAgent": "kubectl/v1.34 (50%_*?\\[x])",
    "objectRef": {"resource": "pods", "namespace": "shop", "name": "web-0"},
    "responseStatus": {"code": 201},
    "annotations": {"authorization.k8s.io/decision": "allow", "empty": ""},
    "requestObject": {
        "metadata": {"labels": {"App": "Web", "example.com/tier": "front"}, "name": "web-0"},
        "spec": {
            "hostPID": True,
            "replicas": 3,
            "nothing": None,
            "none": [],
            "containers": [
                {
                    "image": "nginx:1",
                    "ports": [{"containerPort": 80}, {"containerPort": 8443}],
                    "args": ["-c", "id"],
                },
                {"image": "Sidecar:2", "securityContext": {"privileged": True}},
            ],
        },
    },
}


def text(name: str, value: str, operator: Operator = Operator.EQUALS, *, cased: bool = False) -> Text:
    return Text(find_field(name), operator, value, cased)


def many(name: str, parts: tuple[str, ...], last: tuple[Operator, str]) -> Or:
    """So many tests of one field that SQL asks them at once; only the last can hold."""
    fillers = [text(name, f"{part}{number}~", Operator.CONTAINS) for number in range(2) for part in parts]
    return Or((*fillers, text(name, last[1], last[0])))


BODY = "requestObject.spec.containers"
CASES: list[tuple[str, Predicate, bool]] = [
    # text
    ("equal", text("verb", "create"), True),
    ("equal but for case", text("user.username", "alice@contoso.COM"), True),
    ("equal, case counts", text("user.username", "alice@contoso.com", cased=True), False),
    ("equal in case too", text("user.username", "Alice@Contoso.com", cased=True), True),
    ("capitals in a rule's verb", text("verb", "CREATE"), True),
    ("capitals in a rule's verb where case counts", text("verb", "CREATE", cased=True), False),
    ("contains", text("userAgent", "V1.34", Operator.CONTAINS), True),
    ("contains a percent sign as itself", text("userAgent", "0%_", Operator.CONTAINS), True),
    ("a percent sign is no wildcard", text("userAgent", "kubectl%", Operator.CONTAINS), False),
    ("starts with", text("requestURI", "/API/", Operator.STARTS_WITH), True),
    ("does not start with", text("requestURI", "api", Operator.STARTS_WITH), False),
    ("ends with", text("requestURI", "=Kubectl", Operator.ENDS_WITH), True),
    ("pattern", text("userAgent", "kube*v1?34*", Operator.LIKE), True),
    ("pattern of escaped wildcards", text("userAgent", r"*_\*\?\\[x])", Operator.LIKE), True),
    ("an escaped wildcard is itself", text("userAgent", r"kubectl\*", Operator.LIKE), False),
    ("a pattern covers all of it", text("userAgent", "kube?tl", Operator.LIKE), False),
    ("regular expression anywhere", text("userAgent", r"v\d+\.\d+", Operator.REGEX, cased=True), True),
    ("regular expression heeds case", text("userAgent", r"KUBECTL", Operator.REGEX, cased=True), False),
    ("regular expression without case", text("userAgent", r"KUBECTL", Operator.REGEX), True),
    (
        "a class of a regular expression keeps its capital",
        text("verb", r"^\S+$", Operator.REGEX, cased=True),
        True,
    ),
    ("one of a list", text("user.groups", "system:authenticated"), True),
    ("none of a list", text("user.groups", "system"), False),
    ("part of one of a list", text("user.groups", "Authentic", Operator.CONTAINS), True),
    ("absent", text("objectRef.subresource", "exec"), False),
    ("a number as text", text("responseStatus.code", "20", Operator.STARTS_WITH), True),
    # bodies
    ("through a list", text(f"{BODY}.image", "sidecar:2"), True),
    ("through a list, none", text(f"{BODY}.image", "sidecar:3"), False),
    ("through a list into a flag", Flag(find_field(f"{BODY}.securityContext.privileged"), value=True), True),
    ("no element denies it", Flag(find_field(f"{BODY}.securityContext.privileged"), value=False), False),
    ("through two lists", Number(find_field(f"{BODY}.ports.containerPort"), 8443), True),
    ("a list at the end", text(f"{BODY}.args", "-c"), True),
    ("a number compared", Compare(find_field("requestObject.spec.replicas"), Order.GREATER, 2), True),
    ("text compared as a number", Compare(find_field(f"{BODY}.image"), Order.GREATER, 0), False),
    ("a key with dots in annotations", text("annotations.authorization.k8s.io/decision", "allow"), True),
    ("a key with dots in extra", text("user.extra.example.com/oid", "7"), True),
    ("keys keep their case", text("requestObject.metadata.labels.app", "web"), False),
    ("values do not", text("requestObject.metadata.labels.App", "WEB"), True),
    ("a body as a whole", text("requestObject", "nginx", Operator.CONTAINS), True),
    ("a body as a whole, in another case", text("requestObject", '"image":"SIDECAR:2"', Operator.CONTAINS), True),
    ("not in the body as a whole", text("requestObject", "sidecar.2", Operator.CONTAINS), False),
    ("no such body", text("responseObject.kind", "Pod"), False),
    ("a key that holds a quote", text('requestObject.spec."x', "y"), False),
    # numbers, flags
    ("number", Number(find_field("responseStatus.code"), 201), True),
    ("another number", Number(find_field("responseStatus.code"), 200), False),
    ("below", Compare(find_field("responseStatus.code"), Order.LESS, 201), False),
    ("not above", Compare(find_field("responseStatus.code"), Order.LESS_OR_EQUAL, 201), True),
    ("text is no number", Compare(find_field("userAgent"), Order.GREATER, 1), False),
    ("a list is no number", Compare(find_field("user.groups"), Order.GREATER, 1), False),
    ("a time is no number", Compare(find_field("requestReceivedTimestamp"), Order.GREATER, 1), False),
    ("a fact", Flag(find_field("host_pid"), value=True), True),
    ("a fact's contrary", Flag(find_field("host_pid"), value=False), False),
    ("an absent fact", Flag(find_field("host_network"), value=False), False),
    # networks
    ("inside", InNetwork(find_field("sourceIPs"), ip_network("10.0.0.0/8")), True),
    ("inside, IPv6", InNetwork(find_field("sourceIPs"), ip_network("2001:db8::/32")), True),
    ("outside", InNetwork(find_field("sourceIPs"), ip_network("192.168.0.0/16")), False),
    ("everywhere of one kind", InNetwork(find_field("source_ip"), ip_network("0.0.0.0/0")), False),
    ("an agent is no address", InNetwork(find_field("userAgent"), ip_network("0.0.0.0/0")), False),
    ("a code is no address", InNetwork(find_field("responseStatus.code"), ip_network("::/0")), False),
    # there or not
    ("there", Exists(find_field("objectRef.name")), True),
    ("not there", Exists(find_field("objectRef.subresource")), False),
    ("there in a body", Exists(find_field(f"{BODY}.securityContext")), True),
    ("null in a body is not there", Exists(find_field("requestObject.spec.nothing")), False),
    ("an empty list is not there", Exists(find_field("requestObject.spec.none")), False),
    ("empty text is there", Exists(find_field("annotations.empty")), True),
    # two fields
    ("same", Same(find_field("objectRef.name"), find_field("requestObject.metadata.name")), True),
    ("not the same", Same(find_field("objectRef.name"), find_field("objectRef.namespace")), False),
    (
        "part of the other",
        Same(find_field("requestURI"), find_field("objectRef.name"), Operator.ENDS_WITH),
        False,
    ),
    ("a number and text", Same(find_field("responseStatus.code"), find_field("objectRef.name")), False),
    (
        "absent twice is not the same",
        Same(find_field("objectRef.subresource"), find_field("responseStatus.reason")),
        False,
    ),
    # keywords
    ("keyword in a body", Keyword("SIDECAR"), True),
    ("keyword nowhere", Keyword("mimikatz"), False),
    ("keyword with wildcards", Keyword("side*r:?"), True),
    ("keyword with escaped wildcards", Keyword(r"_\*\?"), True),
    # negation
    ("not", Not(text("verb", "create")), False),
    ("not what is absent", Not(text("objectRef.subresource", "exec")), True),
    ("not what is absent in a body", Not(text("responseObject.kind", "Pod")), True),
    ("not an absent flag", Not(Flag(find_field("host_network"), value=True)), True),
    ("not not", Not(Not(text("objectRef.subresource", "exec"))), False),
    ("not both, one absent", Not(And((text("verb", "create"), text("objectRef.subresource", "exec")))), True),
    ("all of none", And(()), True),
    ("any of none", Or(()), False),
    ("any of several values", Or((text("verb", "get"), text("verb", "create"), text("verb", "list"))), True),
    ("any of many patterns, by its part", many("userAgent", ("x", "Y", "z"), (Operator.CONTAINS, "V1.34")), True),
    ("any of many patterns, by its end", many("requestURI", ("x", "Y", "z"), (Operator.ENDS_WITH, "=Kubectl")), True),
    ("any of many patterns, an end inside", many("requestURI", ("x", "Y"), (Operator.ENDS_WITH, "shop")), False),
    ("any of many patterns, a beginning", many("user.groups", ("x", "Y", "z"), (Operator.STARTS_WITH, "SYS")), True),
    ("any of many patterns, none", many("userAgent", ("x.", "k.b", "z"), (Operator.LIKE, "kube?tl")), False),
    ("any of several fields", Or((text("verb", "get"), text("objectRef.name", "WEB-0"))), True),
]


@pytest.fixture(scope="module")
def answers(ask: Ask) -> dict[str, Any]:
    columns = (f"({lower(predicate).sql('duckdb')}) AS c{number}" for number, (_, predicate, _) in enumerate(CASES))
    (row,) = ask(f"SELECT {', '.join(columns)} FROM events", [EVENT])  # noqa: S608 - what is tested makes it
    return {name: row[f"c{number}"] is True for number, (name, _, _) in enumerate(CASES)}


@pytest.mark.parametrize(("name", "expected"), [(name, expected) for name, _, expected in CASES])
def test_a_predicate_holds_or_not(name: str, expected: bool, answers: dict[str, Any]) -> None:
    assert answers[name] is expected


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({name for name, _, _ in CASES}) == len(CASES)


ADDRESSES = [
    ("10.0.0.0", "10.0.0.0/8", True),
    ("10.255.255.255", "10.0.0.0/8", True),
    ("9.255.255.255", "10.0.0.0/8", False),
    ("11.0.0.0", "10.0.0.0/8", False),
    ("::ffff:10.1.1.1", "10.0.0.0/8", True),
    ("10.0.0.1", "10.0.0.1/32", True),
    ("10.0.0.2", "10.0.0.1/32", False),
    ("2001:DB8:0:0::1", "2001:db8::/48", True),
    ("2001:db8:1::", "2001:db8::/48", False),
    ("::1", "::1/128", True),
    ("::", "::/0", True),
    ("fe80::1:2", "fe80::/10", True),
    ("1:2:3:4:5:6:7:8", "1:2:3:4::/64", True),
    ("1.2.3.4", "::/0", False),
    ("1.2.3.4.", "0.0.0.0/0", False),
    ("1.2.3", "0.0.0.0/0", False),
    ("256.1.1.1", "0.0.0.0/0", False),
    ("1.2.3.4:80", "::/0", False),
    ("cafe", "::/0", False),
    (":::", "::/0", False),
    ("", "0.0.0.0/0", False),
    ("-", "0.0.0.0/0", False),
]


def test_addresses_are_inside_networks_or_not(ask: Ask) -> None:
    rows = ask(
        "SELECT kw_address(source_ip) AS number, source_ip FROM events",
        [{"sourceIPs": [ip]} for ip, _, _ in ADDRESSES],
    )
    assert len(rows) == len(ADDRESSES)
    tests = [InNetwork(find_field("source_ip"), ip_network(network)) for _, network, _ in ADDRESSES]
    columns = ", ".join(f"{lower(test).sql('duckdb')} AS c{number}" for number, test in enumerate(tests))
    found = ask(f"SELECT {columns} FROM events", [{"sourceIPs": [ip]} for ip, _, _ in ADDRESSES])  # noqa: S608
    for number, (ip, network, expected) in enumerate(ADDRESSES):
        assert (found[number][f"c{number}"] is True) is expected, (ip, network)
