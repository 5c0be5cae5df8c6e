"""Random events and predicates for property tests, and what a predicate means in plain Python."""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, assert_never

from hypothesis import strategies as st

from kubewitness.model.event import COLUMNS
from kubewitness.query.fields import find_field
from kubewitness.query.lower import EXACT
from kubewitness.query.predicate import (
    SEARCHED,
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
    TimePart,
    TimeUnit,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubewitness.model.event import Column
    from kubewitness.query.fields import Field

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
TIMES = [
    "2026-11-17T08:00:00.5+01:00",
    "2026-11-17T08:00:00.000000Z",
    "2026-11-17T08:05:09.123456Z",
    "2027-01-01T23:59:59.000000Z",
    "2024-12-30T00:00:00Z",
]
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
        metadata=sparse(
            name=st.sampled_from(NAMES),
            creationTimestamp=st.sampled_from(TIMES),
            labels=sparse(app=st.sampled_from(NAMES)),
        ),
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
    verb=st.sampled_from(VERBS),
    requestURI=st.sampled_from(URIS),
    requestReceivedTimestamp=st.sampled_from(TIMES),
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
        *("requestReceivedTimestamp", "happened_at", "requestObject.metadata.creationTimestamp"),
        *("responseObject.metadata.labels.app", "requestObject.metadata", "object_name", "owner_kind"),
    )
]
REFERENCES = [Operator.EQUALS, Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH]
NODES = {Text, Number, Compare, Moment, TimePart, Flag, InNetwork, Exists, Same, Keyword, Not, And, Or}
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


def one_of_many() -> st.SearchStrategy[Or]:
    """Many tests of one field, as a list of values makes them; SQL asks them at once."""
    operators = st.sampled_from([Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH])
    plain = st.tuples(operators, constants)
    tests = st.lists(plain | st.tuples(st.just(Operator.LIKE), patterns), min_size=4, max_size=6)
    return st.builds(
        lambda field, tests: Or(tuple(Text(field, operator, value) for operator, value in tests)), fields, tests
    )


numeric = [field for field in FIELDS if field.path or field.column.type == "INTEGER"]
moments = st.sampled_from([datetime(2026, 11, 17, 8), datetime(2026, 11, 17, 7, 0, 0, 500_000)])  # noqa: DTZ001 - UTC
timed = st.sampled_from([field for field in FIELDS if field.path or field.column.type == "TIMESTAMP"])
bounds = st.none() | st.sampled_from([0, 1, 5, 8, 12, 23, 53, 2026])
networks = st.sampled_from(["10.0.0.0/8", "10.0.0.1/32", "0.0.0.0/0", "2001:db8::/32", "::/0"]).map(
    ipaddress.ip_network
)
leaves = st.one_of(
    texts(),
    texts(),
    one_of_many(),
    st.builds(Number, st.sampled_from(numeric), st.sampled_from([80.0, 3.0, 201.0, 403.0, 0.5])),
    st.builds(Compare, fields, st.sampled_from(Order), st.sampled_from([0.0, 4.5, 101.0, 8443.0])),
    st.builds(Moment, st.just(find_field("happened_at")), st.sampled_from(Order), moments),
    st.builds(Flag, fields, st.booleans()),
    st.builds(TimePart, timed, st.sampled_from(TimeUnit), bounds, bounds),
    st.builds(InNetwork, fields, networks),
    st.builds(Exists, fields),
    st.builds(Same, fields, fields, st.sampled_from(REFERENCES)),
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

# Rows of the events table, as free as predicates allow: no column knows of another.

MOMENTS = [datetime.fromisoformat(time).astimezone(UTC).replace(tzinfo=None) for time in TIMES]


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        text = str(value)
        return text.rstrip("0") if "." in text else text
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def column_values(column: Column) -> st.SearchStrategy[Any]:
    match column.type:
        case "VARCHAR" if column.name in EXACT:
            return st.sampled_from([name.lower() for name in (*VERBS, *RESOURCES, *SUBRESOURCES, "user", "bind")])
        case "VARCHAR":
            return st.sampled_from([*NAMES, *ADDRESSES, *URIS])
        case "VARCHAR[]":
            return st.lists(st.sampled_from([*NAMES, *ADDRESSES]), max_size=3)
        case "BOOLEAN":
            return st.booleans()
        case "TIMESTAMP":
            return st.sampled_from(MOMENTS)
        case "JSON":
            return st.one_of(bodies, sparse(note=names)).map(as_text)
        case _:
            return st.sampled_from([3, 80, 101, 201, 403])


LOOKED_AT = {*(field.column.name for field in FIELDS), *SEARCHED}
rows = st.fixed_dictionaries(
    {column.name: absent_or(column_values(column)) for column in COLUMNS if column.name in LOOKED_AT}
)


# The plain evaluator: what predicates mean, over the columns of one row.

ORDERS = {
    Order.LESS: operator.lt,
    Order.LESS_OR_EQUAL: operator.le,
    Order.GREATER: operator.gt,
    Order.GREATER_OR_EQUAL: operator.ge,
}


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


def part_of(unit: TimeUnit, text: str) -> int | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.isocalendar().week if unit is TimeUnit.WEEK else int(getattr(time, unit))


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
        case TimePart(field, unit, lowest, highest):
            parts = [part_of(unit, text) for text in texts_of(field, row)]
            return any(
                (lowest is None or part >= lowest) and (highest is None or part <= highest)
                for part in parts
                if part is not None
            )
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
