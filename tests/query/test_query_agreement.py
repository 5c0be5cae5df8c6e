"""Three ways to one answer over random events: a predicate's SQL, a scan of many rules, plain Python."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.query.predicates import FIELDS, NAMES, NODES, RESOURCES, SUBRESOURCES, VERBS, events, holds, predicates

from kubewitness.app.scan import ScanOptions, scan
from kubewitness.detect.contradictions import never_holds
from kubewitness.detect.pack import Pack
from kubewitness.detect.planning import build_plan
from kubewitness.detect.rule import Rule
from kubewitness.model.alert import Severity
from kubewitness.model.event import COLUMNS, FACTS, Action
from kubewitness.model.rule import RuleClass, RuleInfo, RuleKind
from kubewitness.query.fields import find_field
from kubewitness.query.lower import lower
from kubewitness.query.normal import normalise
from kubewitness.query.predicate import And, Exists, Flag, Not, Operator, Or, Predicate, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scan")


def rule_of(number: int, predicate: Predicate) -> Rule:
    info = RuleInfo(
        f"rule-{number}", "", "", Severity.LOW, RuleKind.SINGLE, RuleClass.CORE, (), (), (), None, "", (), ""
    )
    return Rule(info, predicate)


def answers_of_sql(ask: Ask, rules: Sequence[Predicate], log: Sequence[Mapping[str, Any]]) -> list[list[bool]]:
    columns = (f"({lower(rule).sql('duckdb')}) AS c{number}" for number, rule in enumerate(rules))
    rows = ask(f"SELECT {', '.join(columns)} FROM events", log)  # noqa: S608 - what is tested makes it
    return [[row[f"c{number}"] is True for number in range(len(rules))] for row in rows]


def answers_of_scan(folder: Path, rules: Sequence[Predicate], log: Sequence[Mapping[str, Any]]) -> list[list[bool]]:
    """What a whole scan says, in which an event meets only the rules that it could match."""
    file = folder / "audit.log"
    file.write_text("".join(json.dumps(event) + "\n" for event in log), encoding="utf-8")
    pack = Pack(tuple(rule_of(number, rule) for number, rule in enumerate(rules)))
    report = scan([str(file)], build_plan(pack), ScanOptions(matches=True))
    assert report.ledger.events == len(log)
    matched = {(match.line, match.rule_id) for match in report.matches}
    return [[(line, f"rule-{number}") in matched for number in range(len(rules))] for line in range(1, len(log) + 1)]


def answers_of_python(ask: Ask, rules: Sequence[Predicate], log: Sequence[Mapping[str, Any]]) -> list[list[bool]]:
    columns = ", ".join(f'"{column.name}"' for column in COLUMNS if column.name not in {"source", "line"})
    rows = ask(f"SELECT {columns} FROM events", log)  # noqa: S608 - names of columns
    return [[holds(rule, row) for rule in rules] for row in rows]


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rules=st.lists(predicates, min_size=1, max_size=16), log=st.lists(events, min_size=1, max_size=12))
def test_sql_scan_and_python_agree(ask: Ask, folder: Path, rules: list[Predicate], log: list[dict[str, Any]]) -> None:
    log = [event | {"auditID": f"a-{number}"} for number, event in enumerate(log)]
    expected = answers_of_python(ask, rules, log)
    assert answers_of_sql(ask, rules, log) == expected
    assert answers_of_scan(folder, rules, log) == expected
    # Proofs of lint: what can never match, and what is left of a predicate in one spelling.
    never = [never_holds(rule) for rule in rules]
    assert not any(answer and is_never for row in expected for answer, is_never in zip(row, never, strict=True))
    assert answers_of_sql(ask, [normalise(rule) for rule in rules], log) == expected


ALL_RESOURCES = [
    *(
        "pods",
        "deployments",
        "daemonsets",
        "statefulsets",
        "replicasets",
        "replicationcontrollers",
        "jobs",
        "cronjobs",
    ),
    *(
        "podtemplates",
        "roles",
        "clusterroles",
        "rolebindings",
        "clusterrolebindings",
        "serviceaccounts",
        "services",
    ),
    *("nodes", "certificatesigningrequests", "secrets", "ingresses", "configmaps", "persistentvolumes"),
    *("mutatingwebhookconfigurations", "validatingwebhookconfigurations", "namespaces"),
]
ALL_SUBRESOURCES = [
    *(
        "",
        "exec",
        "attach",
        "portforward",
        "proxy",
        "token",
        "eviction",
        "ephemeralcontainers",
        "resize",
        "approval",
    ),
    *("status", "scale"),
]
CERTIFICATE_REQUEST = base64.b64encode(
    b"-----BEGIN CERTIFICATE REQUEST-----\n"
    b"MIHwMIGYAgEAMDYxFTATBgNVBAoMDHN5c3RlbTpub2RlczEdMBsGA1UEAwwUc3lzdGVtOm5vZGU6YWtz\n"
    b"LW5wLTEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASMHz3V+38ddCPLIofEvzuv8E65CTM5ealxbRtk\n"
    b"AXAxukrtTKiog7s4YsHqq9/a3OvluA017UhMzqYOOyLi51P5oAAwCgYIKoZIzj0EAwIDRwAwRAIgKBUv\n"
    b"LfUod/AvN1lyAgitrT12El2/3d9NaXT4yw+YB8oCIAWP75mJyNB9/qUbb93kLEIn5d9Xjs2TeQ44k93O\n"
    b"qVw5\n"
    b"-----END CERTIFICATE REQUEST-----\n"
).decode()
UNSAFE = {
    "privileged": True,
    "allowPrivilegeEscalation": True,
    "runAsUser": 0,
    "capabilities": {"add": ["BPF"]},
    "seccompProfile": {"type": "Unconfined"},
    "windowsOptions": {"hostProcess": True},
    "sysctls": [{"name": "kernel.msgmax"}],
}
POD = {
    "hostPID": True,
    "hostIPC": True,
    "hostNetwork": True,
    "shareProcessNamespace": True,
    "serviceAccountName": "web",
    "nodeName": "n",
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"operator": "Exists"}],
    "securityContext": UNSAFE,
    "volumes": [{"hostPath": {"path": "/"}}],
    "containers": [
        {"name": "c", "image": "a", "command": ["sh"], "ports": [{"hostPort": 80}], "securityContext": UNSAFE},
    ],
}
TELLING_BODY = {
    "metadata": {
        "name": "x",
        "generateName": "x-",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-7d4b"}],
        "labels": {"a": "b", "gone": None},
        "annotations": {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"},
    },
    "spec": {
        **POD,
        "template": {"spec": POD},
        "jobTemplate": {"spec": {"template": {"spec": POD}}},
        "type": "ExternalName",
        "externalIPs": ["203.0.113.7"],
        "externalName": "x.example",
        "selector": {"app": "x"},
        "ports": [{"port": 80}],
        "loadBalancerSourceRanges": ["203.0.113.0/24"],
        "tls": [{}],
        "rules": [{}],
        "replicas": 3,
        "unschedulable": True,
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
        "request": CERTIFICATE_REQUEST,
        "hostPath": {"path": "/etc"},
    },
    "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.8"}]}},
    "data": {"key": "value"},
    "webhooks": [
        {"clientConfig": {"url": "https://x.example"}, "failurePolicy": "Ignore", "rules": [{"resources": ["pods"]}]},
        {"clientConfig": {"service": {"namespace": "a", "name": "b"}}},
    ],
    "template": {"spec": POD},
    "rules": [{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}],
    "roleRef": {"kind": "Role", "name": "r"},
    "subjects": [{"kind": "User", "name": "u"}],
}


def test_the_gate_lets_through_every_event_that_has_a_fact(ask: Ask, folder: Path) -> None:
    log: list[dict[str, Any]] = [
        {
            "verb": verb,
            "requestURI": "/x?command=sh&container=app",
            "user": {"username": "alice"},
            "objectRef": {"resource": resource, "subresource": subresource},
            "requestObject": TELLING_BODY,
        }
        for verb in VERBS
        for resource in ALL_RESOURCES
        for subresource in ALL_SUBRESOURCES
    ]
    actions = [Text(find_field("action"), Operator.EQUALS, action.value.upper()) for action in Action]
    facts = [Exists(find_field(fact.name)) for fact in FACTS]
    flags = [Flag(find_field(fact.name), value) for fact in FACTS if fact.type == "BOOLEAN" for value in (True, False)]
    rules: list[Predicate] = [*actions, *facts, *flags]
    alone = answers_of_sql(ask, rules, log)
    assert answers_of_scan(folder, rules, log) == alone
    matched = {rule for row in alone for rule, answer in zip(rules, row, strict=True) if answer}
    silent = {rule.value for rule in actions if rule not in matched} | {
        rule.field.name for rule in facts if rule not in matched
    }
    # These need what these events have not: an answer, a JSON Patch, an address, a time, an account, a second user.
    assert silent == {
        "IMPERSONATE", "happened_at", "source_ip", "source_network", "source_is_private", "allowed",
        "succeeded", "authorized_by", "authorized_binding", "authorized_role", "actor_namespace",
        "patch_operations", "user_agent_family", "service_accounts",
        "credential_id", "bound_pod", "bound_node", "issued_credential_id",
    }  # fmt: skip


def test_rules_of_several_words_keep_their_answers(ask: Ask, folder: Path) -> None:
    """The plan has 63 rules to a column; every rule still says what it says alone."""
    values = [*VERBS, *RESOURCES, *SUBRESOURCES]
    rules: list[Predicate] = [
        And((Text(one, Operator.EQUALS, value), Text(find_field("userAgent"), Operator.CONTAINS, name)))
        for one in FIELDS[:3]
        for value in values
        for name in NAMES[:4]
    ]
    assert len(rules) > 2 * 63
    log = [
        {
            "verb": verb,
            "requestURI": "/x",
            "userAgent": agent,
            "objectRef": {"resource": resource, "subresource": "exec"},
        }
        for verb in VERBS[:3]
        for resource in RESOURCES[:2]
        for agent in NAMES[:3]
    ]
    expected = answers_of_python(ask, rules, log)
    assert any(any(row) for row in expected)
    assert answers_of_scan(folder, rules, log) == expected


def test_every_kind_of_predicate_is_drawn() -> None:
    seen: set[type[Any]] = set()

    def note(predicate: Predicate) -> None:
        seen.add(type(predicate))
        for item in (
            predicate.items
            if isinstance(predicate, And | Or)
            else [predicate.item]
            if isinstance(predicate, Not)
            else []
        ):
            note(item)

    @settings(max_examples=300, database=None)
    @given(predicates)
    def draw(predicate: Predicate) -> None:
        note(predicate)

    draw()
    assert seen == NODES
