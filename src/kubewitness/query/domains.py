"""What values columns can have, and so which tests can never hold.

Source: audit.k8s.io/v1, apiserver RequestInfo (verbs), and how facts are made (facts/sql). Only what is certain is
said: a custom resource may have any name, but a verb is one of twelve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.model.event import Action, ActorKind
from kubewitness.query.fields import find_field
from kubewitness.query.implication import is_never
from kubewitness.query.predicate import And, Compare, InNetwork, Not, Number, Operator, Or, Order, Text, TimePart

if TYPE_CHECKING:
    from kubewitness.query.predicate import Leaf, Predicate


@dataclass(frozen=True, slots=True)
class Impossible:
    """Why a test can never hold.

    Attributes:
        message: what no event has.
        hint: what was likely meant; None when nobody knows.
    """

    message: str
    hint: str | None


VERBS = frozenset(
    "get list watch create update patch delete deletecollection head options post put connect trace".split()
)
"""Verbs of requests; where there is no resource, the verb is the HTTP method in lower case."""

_BY_ACTION = "an event shows it in the fact `action`, by whatever verb"
_VERBS_INSTEAD = {
    "replace": "a replacement is recorded as `update`",
    "edit": "an edit is recorded as `patch`",
    "apply": "apply is recorded as `create` or `patch`",
    "impersonate": "whom a request acts as stands in `impersonatedUser.username`; see also the fact `action`",
    **dict.fromkeys(("exec", "attach", "portforward", "proxy", "approve", "bind", "escalate", "sign"), _BY_ACTION),
    "use": "who may use what stands in `annotations.authorization.k8s.io/reason` at best",
}
_CLOSED = {
    "verb": VERBS,
    "level": frozenset({"None", "Metadata", "Request", "RequestResponse"}),
    "stage": frozenset({"RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"}),
    "action": frozenset(Action),
    "actor_kind": frozenset(ActorKind),
}
"""Columns whose values are known."""

_CODE = find_field("code")
_CODES = And((Compare(_CODE, Order.GREATER_OR_EQUAL, 0), Compare(_CODE, Order.LESS_OR_EQUAL, 599)))
# Plurals that end otherwise than their singular and an s.
_ODD_PLURALS = {
    "ingress": "ingresses", "ingressclass": "ingressclasses", "networkpolicy": "networkpolicies",
    "priorityclass": "priorityclasses", "storageclass": "storageclasses", "endpoint": "endpoints",
    "podsecuritypolicy": "podsecuritypolicies", "validatingadmissionpolicy": "validatingadmissionpolicies",
}  # fmt: skip
_PLURALS = frozenset(
    """
    pods nodes services secrets configmaps serviceaccounts namespaces events deployments daemonsets statefulsets
    replicasets replicationcontrollers jobs cronjobs roles rolebindings clusterroles clusterrolebindings
    persistentvolumes persistentvolumeclaims mutatingwebhookconfigurations validatingwebhookconfigurations
    certificatesigningrequests customresourcedefinitions apiservices leases resourcequotas limitranges tokenreviews
    subjectaccessreviews selfsubjectaccessreviews selfsubjectrulesreviews horizontalpodautoscalers
    """.split()
)
_SUBRESOURCES = frozenset(
    "exec attach portforward proxy token status scale log eviction binding approval ephemeralcontainers".split()
)
_GROUPS = frozenset(
    """
    apps batch rbac.authorization.k8s.io admissionregistration.k8s.io networking.k8s.io certificates.k8s.io
    authentication.k8s.io authorization.k8s.io apiextensions.k8s.io apiregistration.k8s.io policy storage.k8s.io
    """.split()
)
_ADDRESSES = frozenset({"source_ips", "source_ip"})
_PLAIN = frozenset({Operator.EQUALS, Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH})


def impossible(test: Leaf) -> Impossible | None:
    """Why a test can never hold; None when it may."""
    match test:
        case Text():
            return _impossible_text(test)
        case Compare(field) | Number(field) if not field.path and field.column.type in {"BOOLEAN", "TIMESTAMP"}:
            return _wrong_type(test)
        case Compare(field) | Number(field) if field.column.name == "code" and is_never(And((test, _CODES))):
            return Impossible(f"no answer has a code such as `{test.value:g}`", "codes are HTTP's, from 100 to 599")
        case InNetwork(field) if not field.path and field.column.name not in _ADDRESSES:
            return Impossible(f"`{field.name}` holds no addresses", "addresses stand in sourceIPs and source_ip")
        case TimePart(field) if is_never(And((test, _whole(test)))):
            return Impossible(f"no time has such a {test.unit}", None)
        case _:
            return None


def without_impossible(predicate: Predicate) -> Predicate:
    """The predicate, with `NEVER` in place of tests that can never hold."""
    match predicate:
        case And(items):
            return And(tuple(map(without_impossible, items)))
        case Or(items):
            return Or(tuple(map(without_impossible, items)))
        case Not(item):
            return Not(without_impossible(item))
        case _:
            return Or(()) if impossible(predicate) else predicate


def _impossible_text(test: Text) -> Impossible | None:
    field, name, value = test.field, test.field.column.name, test.value
    if field.path:
        return None
    match field.column.type:
        case "BOOLEAN" if not any(_fits(test, text) for text in ("true", "false")):
            return _wrong_type(test)
        case "INTEGER" | "BIGINT" if test.operator in _PLAIN and not value.removeprefix("-").isdigit():
            hint = None
            if name == "code":
                hint = "whether a request was authorised stands in the facts `allowed` and `succeeded`"
            return Impossible(f"`{field.name}` is a number, never `{value}`", hint)
        case "TIMESTAMP" if test.operator is Operator.EQUALS:
            return _wrong_type(test)
    if name in _CLOSED:
        if value in _CLOSED[name] or any(_fits(test, text) for text in _CLOSED[name]):
            return None
        return _unknown_value(test, name)
    return _misspelt(test) if test.operator is Operator.EQUALS else None


def _misspelt(test: Text) -> Impossible | None:
    """A value that is spelt in another way where it stands."""
    name, value = test.field.column.name, test.value.lower()
    plural = _ODD_PLURALS.get(value) or f"{value}s"
    match name:
        case "resource" if value not in _PLURALS and (value in _ODD_PLURALS or plural in _PLURALS):
            return Impossible(f"no event has the resource `{test.value}`", f"resources are in the plural: `{plural}`")
        case "resource" | "subresource" if "/" in value:
            first, _, second = value.partition("/")
            hint = f"write objectRef.resource: {first} and objectRef.subresource: {second}"
            return Impossible(f"no event has the {name} `{test.value}`", hint)
        case "resource" if value in _SUBRESOURCES:
            return Impossible(f"no event has the resource `{test.value}`", f"write objectRef.subresource: {value}")
        case "api_group" if value in {"v1", "core"}:
            return Impossible(f"no event has the API group `{test.value}`", 'the core group is empty: ""')
        case "api_group" if value.partition("/")[0] in _GROUPS and "/" in value:
            return Impossible(
                f"no event has the API group `{test.value}`", "the version stands in objectRef.apiVersion"
            )
        case "api_version" if "/" in value:
            return Impossible(f"no event has the API version `{test.value}`", "the group stands in objectRef.apiGroup")
        case "source_ips" | "source_ip" if "/" in value:
            return Impossible(f"no address is `{test.value}`", f"a network needs a modifier: {test.field.name}|cidr")
        case "capabilities" if value.startswith("cap_"):
            return Impossible(f"no capability is called `{test.value}`", f"without CAP_: {test.value[4:]}")
        case "host_paths" if value.endswith("/") and value != "/":
            return Impossible(f"no path is written `{test.value}`", f"without a slash at the end: {test.value[:-1]}")
        case _:
            return None


def _unknown_value(test: Text, name: str) -> Impossible:
    hints = {
        "verb": _VERBS_INSTEAD.get(test.value.lower(), "verbs are those of the Kubernetes API, in lower case"),
        "level": "one of Metadata, Request, RequestResponse",
        "stage": "one of RequestReceived, ResponseStarted, ResponseComplete, Panic",
        "action": f"one of {', '.join(sorted(Action))}",
        "actor_kind": f"one of {', '.join(ActorKind)}",
    }
    return Impossible(f"no event has the {name.replace('_', ' ')} `{test.value}`", hints[name])


def _wrong_type(test: Text | Compare | Number) -> Impossible:
    kinds = {"BOOLEAN": "true or false", "TIMESTAMP": "a time"}
    hints = {
        "BOOLEAN": f"write {test.field.name}: true",
        "TIMESTAMP": f"compare a part of it, such as {test.field.name}|hour|gte: 22",
    }
    kind = test.field.column.type
    written = test.value if isinstance(test, Text) else f"{test.value:g}"
    return Impossible(f"`{test.field.name}` is {kinds[kind]}, never `{written}`", hints[kind])


def _fits(test: Text, value: str) -> bool:
    """Whether a test may hold of a value."""
    return not is_never(And((Text(test.field, Operator.EQUALS, value, cased=True), test)))


def _whole(test: TimePart) -> TimePart:
    """All that a part of a time can be."""
    ranges = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "week": (1, 53), "month": (1, 12), "year": (1, 9999)}
    lowest, highest = ranges[test.unit.value]
    return TimePart(test.field, test.unit, lowest, highest)
