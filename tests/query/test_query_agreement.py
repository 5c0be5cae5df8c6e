"""Three ways to one answer over random events: a predicate's SQL, a scan of many rules, plain Python."""

from __future__ import annotations

import base64
import ipaddress
import json
import operator
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, assert_never

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubewitness.app.scan import ScanOptions, scan
from kubewitness.detect.pack import Pack
from kubewitness.detect.planning import build_plan
from kubewitness.detect.rule import Rule
from kubewitness.model.alert import Severity
from kubewitness.model.event import COLUMNS, FACTS, Action
from kubewitness.model.rule import RuleClass, RuleInfo, RuleKind
from kubewitness.query.fields import find_field
from kubewitness.query.lower import lower
from kubewitness.query.predicate import (
    And,
    Compare,
    Exists,
    Flag,
    InNetwork,
    Keyword,
    Moment,
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
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from kubewitness.query.fields import Field

    Ask = Callable[..., list[dict[str, Any]]]

# Events: few values, so that rules often meet them.

VERBS = ["get", "list", "create", "update", "patch", "delete", "connect", ""]
RESOURCES = ["pods", "secrets", "deployments", "rolebindings", "clusterroles", "serviceaccounts", "nodes"]
SUBRESOURCES = ["exec", "attach", "proxy", "token", "ephemeralcontainers", "status", ""]
NAMES = ["alice", "Alice", "web-0", "a*b", "50%_", "system:anonymous", "system:node:n1", "é", "x\\y", ""]
ADDRESSES = [
    "10.0.0.1",
    "10.0.1.7",
    "203.0.113.9",
    "2001:db8::1",
    "::ffff:10.0.0.1",
    "nonsense",
    "1.2.3.4.",
    "",
]
URIS = ["/x", "/x?command=sh&command=-c&container=app", "/x?dryRun=All", "/X?cmd=id", "/a*b"]
COMMANDS = [["sh", "-c"], ["id"], []]


def absent_or(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


def sparse(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=parts)


names = st.sampled_from(NAMES)
containers = st.lists(
    sparse(
        image=st.sampled_from(["nginx:1", "Evil:2"]),
        command=absent_or(st.sampled_from(COMMANDS)),
        securityContext=absent_or(sparse(privileged=st.booleans())),
        ports=st.lists(st.sampled_from([{"containerPort": 80}, {"containerPort": 8443}, {}]), max_size=2),
    ),
    max_size=2,
)
specs = sparse(
    hostPID=st.booleans(),
    replicas=absent_or(st.integers(0, 9)),
    containers=containers,
    serviceAccountName=st.sampled_from(NAMES),
)
bodies = st.one_of(
    sparse(
        kind=st.sampled_from(["Pod", "Status"]),
        metadata=sparse(name=st.sampled_from(NAMES), labels=sparse(app=st.sampled_from(NAMES))),
        spec=absent_or(specs),
        roleRef=sparse(name=st.sampled_from(NAMES), kind=st.just("ClusterRole")),
        subjects=st.lists(sparse(kind=st.just("User"), name=st.sampled_from(NAMES)), max_size=2),
        rules=st.lists(sparse(verbs=st.lists(st.sampled_from(["get", "*"]))), max_size=2),
    ),
    st.lists(
        st.fixed_dictionaries({"op": st.just("add"), "path": st.just("/spec/hostPID"), "value": st.booleans()}),
        max_size=2,
    ),
)
events = sparse(
    level=st.sampled_from(["Metadata", "Request"]),
    requestReceivedTimestamp=st.sampled_from(["2026-11-17T08:00:00.000000Z", "2026-11-17T08:00:00.5+01:00"]),
    verb=st.sampled_from(VERBS),
    requestURI=st.sampled_from(URIS),
    user=absent_or(sparse(username=names, groups=absent_or(st.lists(names, max_size=3)))),
    impersonatedUser=sparse(username=st.sampled_from(NAMES)),
    sourceIPs=absent_or(st.lists(st.sampled_from(ADDRESSES), max_size=2)),
    userAgent=st.sampled_from(NAMES),
    objectRef=absent_or(
        sparse(
            resource=st.sampled_from(RESOURCES),
            subresource=st.sampled_from(SUBRESOURCES),
            namespace=st.sampled_from(NAMES),
            name=st.sampled_from(NAMES),
        )
    ),
    responseStatus=sparse(code=st.sampled_from([101, 200, 201, 401, 403, 404]), message=names),
    requestObject=absent_or(bodies),
    responseObject=absent_or(bodies),
    annotations=sparse(
        **{"authorization.k8s.io/decision": st.sampled_from(["allow", "forbid"]), "note": names}
    ),
)  # fmt: skip

# Predicates of every kind of node, over every kind of column.

FIELDS = [
    find_field(name)
    for name in (
        *(
            "verb",
            "objectRef.resource",
            "objectRef.subresource",
            "objectRef.namespace",
            "objectRef.name",
            "action",
        ),
        *(
            "user.username",
            "user.groups",
            "sourceIPs",
            "userAgent",
            "requestURI",
            "responseStatus.code",
            "allowed",
        ),
        *(
            "succeeded",
            "dry_run",
            "actor",
            "actor_kind",
            "source_ip",
            "exec_command",
            "exec_container",
            "privileged",
        ),
        *(
            "host_pid",
            "images",
            "service_account",
            "pod_commands",
            "role_verbs",
            "role_ref",
            "subjects",
            "annotations",
        ),
        *("annotations.note", "requestObject", "requestObject.kind", "requestObject.spec.replicas"),
        *("requestObject.spec.containers.image", "requestObject.spec.containers.securityContext.privileged"),
        *("requestObject.spec.containers.ports.containerPort", "requestObject.spec.containers.command"),
        *("responseObject.metadata.labels.app", "requestObject.metadata", "object_name", "owner_kind"),
    )
]
NODES = {Text, Number, Compare, Moment, Flag, InNetwork, Exists, Same, Keyword, Not, And, Or}
fields = st.sampled_from(FIELDS)
constants = st.sampled_from(
    [
        *VERBS,
        *RESOURCES,
        *SUBRESOURCES,
        *NAMES,
        *ADDRESSES,
        "POD",
        "exec",
        "bind",
        "escalate",
        "user",
        "true",
        "sh",
        "201",
    ]
)
patterns = st.lists(st.sampled_from(["*", "?", r"\*", r"\?", r"\\", "a", "B", "web", "-0", "%", "e"]), max_size=4).map(
    "".join
)
regexes = st.sampled_from([r"^a", r"A", r"\d+$", r"^\S+$", r"(?i)ALICE|web", r"[^a-z]", r"\.", r"x\\y", r"^$"])


def texts() -> st.SearchStrategy[Text]:
    plain = st.sampled_from(
        [Operator.EQUALS, Operator.EQUALS, Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH]
    )
    return st.one_of(
        st.builds(Text, fields, plain, constants, st.booleans()),
        st.builds(Text, fields, st.just(Operator.LIKE), patterns, st.booleans()),
        st.builds(Text, fields, st.just(Operator.REGEX), regexes, st.booleans()),
        st.builds(Text, st.sampled_from(FIELDS[:6]), st.just(Operator.EQUALS), constants, st.booleans()),
    )


numeric = [field for field in FIELDS if field.path or field.column.type == "INTEGER"]
networks = st.sampled_from(["10.0.0.0/8", "10.0.0.1/32", "0.0.0.0/0", "2001:db8::/32", "::/0"]).map(
    ipaddress.ip_network
)
moments = st.sampled_from([datetime(2026, 11, 17, 8), datetime(2026, 11, 17, 7, 0, 0, 500_000)])  # noqa: DTZ001 - UTC
leaves = st.one_of(
    texts(),
    texts(),
    st.builds(Number, st.sampled_from(numeric), st.sampled_from([80.0, 3.0, 201.0, 403.0, 0.5])),
    st.builds(Compare, fields, st.sampled_from(Order), st.sampled_from([0.0, 4.5, 101.0, 8443.0])),
    st.builds(Moment, st.just(find_field("happened_at")), st.sampled_from(Order), moments),
    st.builds(Flag, fields, st.booleans()),
    st.builds(InNetwork, fields, networks),
    st.builds(Exists, fields),
    st.builds(Same, fields, fields, st.sampled_from([Operator.EQUALS, Operator.STARTS_WITH, Operator.ENDS_WITH])),
    st.builds(Keyword, st.sampled_from(["ALICE", "nginx", "evil*", "w?b", r"a\*b", "%_", "nowhere"])),
)
predicates: st.SearchStrategy[Predicate] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, max_size=3).map(tuple).map(And),
        st.lists(inner, max_size=3).map(tuple).map(Or),
    ),
    max_leaves=6,
)

# The plain evaluator: what predicates mean, over the columns of one row.

ORDERS = {
    Order.LESS: operator.lt,
    Order.LESS_OR_EQUAL: operator.le,
    Order.GREATER: operator.gt,
    Order.GREATER_OR_EQUAL: operator.ge,
}
SEARCHED = (
    "request_uri", "username", "impersonated_username", "user_agent", "name", "namespace", "status_message",
    "annotations", "request_object", "response_object",
)  # fmt: skip


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def texts_of(field: Field, row: Mapping[str, Any]) -> list[str]:
    """The values of a field, as text."""
    value = row[field.column.name]
    if value is None:
        return []
    if not field.path:
        return [as_text(each) for each in (value if field.column.is_list else [value])]
    body = json.loads(value)
    found = [body.get(field.path[0])] if isinstance(body, dict) else []
    for key in field.path[1:]:
        steps = [step for each in found for step in (each if isinstance(each, list) else [each])]
        found = [step.get(key) for step in steps if isinstance(step, dict)]
    ends = [end for each in found for end in (each if isinstance(each, list) else [each])]
    return [as_text(end) for end in ends if end is not None]


def number_of(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None


def pattern_to_regex(pattern: str) -> str:
    parts = re.findall(r"\\.|.", pattern, flags=re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return "(?s:" + "".join(wild.get(part) or re.escape(part[-1] if len(part) > 1 else part) for part in parts) + ")"


def compared(text: str, how: Operator, value: str) -> bool:
    match how:
        case Operator.EQUALS:
            return text == value
        case Operator.CONTAINS:
            return value in text
        case Operator.STARTS_WITH:
            return text.startswith(value)
        case Operator.ENDS_WITH:
            return text.endswith(value)
        case Operator.LIKE:
            return re.fullmatch(pattern_to_regex(value), text) is not None
        case Operator.REGEX:
            return re.search(value, text) is not None
        case _:
            assert_never(how)


def is_inside(text: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address) in network


def holds(predicate: Predicate, row: Mapping[str, Any]) -> bool:
    """Whether the predicate holds of the row of an event."""
    match predicate:
        case And(items):
            return all(holds(item, row) for item in items)
        case Or(items):
            return any(holds(item, row) for item in items)
        case Not(item):
            return not holds(item, row)
        case Text(field, Operator.REGEX, value, cased):
            return any(re.search(value, text, 0 if cased else re.IGNORECASE) for text in texts_of(field, row))
        case Text(field, how, value, True):
            return any(compared(text, how, value) for text in texts_of(field, row))
        case Text(field, how, value, _):
            return any(compared(text.lower(), how, value.lower()) for text in texts_of(field, row))
        case Number(field, number):
            return any(number_of(text) == number for text in texts_of(field, row))
        case Compare(field, order, number):
            numbers = [number_of(text) for text in texts_of(field, row)]
            return any(ORDERS[order](each, number) for each in numbers if each is not None)
        case Moment(field, order, moment):
            value = row[field.column.name]
            return value is not None and ORDERS[order](value, moment)
        case Flag(field, flag):
            return ("true" if flag else "false") in texts_of(field, row)
        case InNetwork(field, network):
            return any(is_inside(text, network) for text in texts_of(field, row))
        case Exists(field) if field.path:
            return bool(texts_of(field, row))
        case Exists(field):
            return row[field.column.name] is not None
        case Same(field, other, how):
            return any(compared(one, how, two) for one in texts_of(field, row) for two in texts_of(other, row))
        case Keyword(value):
            pattern = pattern_to_regex(value.lower())
            return any(re.search(pattern, row[name].lower()) for name in SEARCHED if row[name] is not None)
        case _:
            assert_never(predicate)


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
        "ownerReferences": [{"kind": "ReplicaSet"}],
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
    # These need an answer, an address, a time, a service account or an impersonated user, which these events have not.
    assert silent == {
        "IMPERSONATE", "happened_at", "source_ip", "source_network", "source_is_private", "allowed",
        "succeeded", "authorized_by", "authorized_binding", "authorized_role", "actor_namespace",
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
