"""What an event must have before a predicate can hold of it: its verb, resource, subresource, or a rare trait.

From this the plan knows which rules an event need not meet. Absent (null) is written as the empty text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from kubewitness.model.event import Action, ActorKind
from kubewitness.query.fields import find_field
from kubewitness.query.predicate import And, Compare, Exists, Flag, Not, Number, Operator, Or, Text

if TYPE_CHECKING:
    from kubewitness.query.predicate import Predicate

ABSENT = ""

T = TypeVar("T")


class TraitKind(StrEnum):
    """What a trait is about; few events have any given one."""

    CODE = "code"
    USERNAME = "username"
    ACTOR = "actor"
    IMPERSONATED = "impersonated"
    API_GROUP = "api_group"
    USER_AGENT_FAMILY = "user_agent_family"


@dataclass(frozen=True, slots=True, order=True)
class Trait:
    """Something rare that an event has: an error code, a second user, a certain user, program or API group.

    Names are in lower case.
    """

    kind: TraitKind
    value: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """Values of which one is necessary, None where any will do.

    Attributes:
        verbs: verbs.
        resources: resources.
        subresources: subresources; the empty text stands for none.
        traits: traits; an event may have several.
        actor_kinds: kinds of actor; the empty text stands for none.
    """

    verbs: frozenset[str] | None = None
    resources: frozenset[str] | None = None
    subresources: frozenset[str] | None = None
    traits: frozenset[Trait] | None = None
    actor_kinds: frozenset[str] | None = None

    def both(self, other: Needs) -> Needs:
        """What is necessary when both are."""
        return Needs(
            _narrow(self.verbs, other.verbs),
            _narrow(self.resources, other.resources),
            _narrow(self.subresources, other.subresources),
            _fewer(self.traits, other.traits),
            _narrow(self.actor_kinds, other.actor_kinds),
        )

    def either(self, other: Needs) -> Needs:
        """What is necessary when one of them is."""
        return Needs(
            _widen(self.verbs, other.verbs),
            _widen(self.resources, other.resources),
            _widen(self.subresources, other.subresources),
            _widen(self.traits, other.traits),
            _widen(self.actor_kinds, other.actor_kinds),
        )


ANYTHING = Needs()
NOTHING = Needs(frozenset(), frozenset(), frozenset(), frozenset(), frozenset())
_ACTOR_KINDS = frozenset({*ActorKind, ABSENT})

_WRITES = frozenset({"create", "update", "patch"})
_WORKLOADS = frozenset(
    [
        "pods",
        "deployments",
        "daemonsets",
        "statefulsets",
        "replicasets",
        "replicationcontrollers",
        "jobs",
        "cronjobs",
        "podtemplates",
    ]
)
_ROLES = frozenset({"roles", "clusterroles"})
_BINDINGS = frozenset({"rolebindings", "clusterrolebindings"})
_PROXIED = frozenset({"nodes", "pods", "services"})
_PODS = frozenset({"pods"})
_NO_SUBRESOURCE = frozenset({ABSENT})

# The facts hold only for some requests (facts/sql); a rule that needs the fact needs those requests.
_POD_FACT = Needs(_WRITES, _WORKLOADS, frozenset({ABSENT, "ephemeralcontainers", "resize"}))
_RBAC_FACT = Needs(_WRITES, _ROLES | _BINDINGS, _NO_SUBRESOURCE)
_SERVICES = frozenset({"services"})
_SERVICE_FACT = Needs(_WRITES, _SERVICES, frozenset({ABSENT, "status"}))
_PATCHED = frozenset(
    ["services", "ingresses", "nodes", "deployments", "daemonsets", "statefulsets", "replicasets", "cronjobs"]
)
_SCALED = frozenset({"deployments", "statefulsets", "replicasets", "replicationcontrollers"})
_FACTS = {
    **dict.fromkeys(
        ["service_type", "external_ips", "external_name", "service_selector", "service_ports", "source_ranges"],
        _SERVICE_FACT,
    ),
    "load_balancer_internal": Needs(_WRITES, _SERVICES, _NO_SUBRESOURCE),
    "ingress_tls": Needs(_WRITES, frozenset({"ingresses"}), _NO_SUBRESOURCE),
    "config_data": Needs(_WRITES, frozenset({"configmaps"})),
    "replicas": Needs(_WRITES, _SCALED, frozenset({ABSENT, "scale"})),
    "unschedulable": Needs(_WRITES, frozenset({"nodes"}), _NO_SUBRESOURCE),
    "patched_spec": Needs(frozenset({"patch"}), _PATCHED, _NO_SUBRESOURCE),
    **dict.fromkeys(
        [
            "privileged",
            "host_pid",
            "host_ipc",
            "host_network",
            "host_paths",
            "capabilities",
            "images",
            "service_account",
            "pod_commands",
            "owner_kind",
            "owner_name",
            "container_names",
            "image_registries",
            "registry_list",
            "allow_privilege_escalation",
            "runs_as_root",
            "share_processes",
            "host_process",
            "unconfined",
            "sysctls",
            "host_ports",
            "writable_host_paths",
            "node_name",
            "node_selector",
            "tolerations",
        ],
        _POD_FACT,
    ),
    **dict.fromkeys(
        ["role_verbs", "role_resources", "role_api_groups", "role_grants", "role_ref", "role_ref_kind", "subjects"],
        _RBAC_FACT,
    ),
    **dict.fromkeys(["object_labels", "object_annotations"], Needs(verbs=_WRITES, subresources=_NO_SUBRESOURCE)),
    "patch_operations": Needs(verbs=frozenset({"patch"})),
    "removed_labels": Needs(verbs=frozenset({"patch"}), subresources=_NO_SUBRESOURCE),
    **dict.fromkeys(
        ["webhook_urls", "webhook_services", "webhook_resources", "webhook_failure_policies"],
        Needs(_WRITES, frozenset({"mutatingwebhookconfigurations", "validatingwebhookconfigurations"})),
    ),
    **dict.fromkeys(
        ["certificate_signer", "certificate_usages", "certificate_subject"],
        Needs(_WRITES, frozenset({"certificatesigningrequests"})),
    ),
    "volume_node_paths": Needs(_WRITES, frozenset({"persistentvolumes"}), _NO_SUBRESOURCE),
    "exec_command": Needs(None, _PROXIED, frozenset({"exec", "attach", "proxy"})),
    "exec_container": Needs(None, _PODS, frozenset({"exec", "attach"})),
}
_ACTIONS = {
    Action.EXEC: Needs(None, _PODS, frozenset({"exec"})),
    Action.ATTACH: Needs(None, _PODS, frozenset({"attach"})),
    Action.PORT_FORWARD: Needs(None, _PODS, frozenset({"portforward"})),
    Action.PROXY: Needs(None, _PROXIED, frozenset({"proxy"})),
    Action.TOKEN_REQUEST: Needs(frozenset({"create"}), frozenset({"serviceaccounts"}), frozenset({"token"})),
    Action.EVICT: Needs(frozenset({"create"}), _PODS, frozenset({"eviction"})),
    Action.EPHEMERAL_CONTAINER: Needs(_WRITES, _PODS, frozenset({"ephemeralcontainers"})),
    Action.APPROVE: Needs(_WRITES, frozenset({"certificatesigningrequests"}), frozenset({"approval"})),
    Action.BIND: Needs(_WRITES, _BINDINGS, _NO_SUBRESOURCE),
    Action.ESCALATE: Needs(_WRITES, _ROLES, _NO_SUBRESOURCE),
    Action.IMPERSONATE: Needs(traits=frozenset({Trait(TraitKind.IMPERSONATED), Trait(TraitKind.CODE, "403")})),
}
_IMPERSONATED = Needs(traits=frozenset({Trait(TraitKind.IMPERSONATED)}))
_RARE_CODES = frozenset({401, 403})
_ANONYMOUS = "system:anonymous"


def needs(predicate: Predicate) -> Needs:
    """What an event must have before the predicate can hold; never too narrow."""
    match predicate:
        case And(items):
            result = ANYTHING
            for item in items:
                result = result.both(needs(item))
            return result
        case Or(items):
            result = NOTHING
            for item in items:
                result = result.either(needs(item))
            return result
        case Not(Exists(field)) if field.column.name == "subresource":
            return Needs(subresources=_NO_SUBRESOURCE)
        case Not(Or(items)):
            return needs(And(tuple(Not(item) for item in items)))
        case Not(Text(field, Operator.EQUALS, value)) if field.column.name == "actor_kind":
            return Needs(actor_kinds=_ACTOR_KINDS - {value.lower()})
        case Not():
            return ANYTHING
        case Text(field) | Exists(field) if field.column.name.startswith("impersonated_"):
            return _IMPERSONATED
        case Flag(field, True) if field.column.name == "impersonated":
            return _ACTIONS[Action.IMPERSONATE]
        case Number(field, value) if field.column.name == "code" and value in _RARE_CODES:
            return Needs(traits=frozenset({Trait(TraitKind.CODE, f"{value:g}")}))
        case Text(field, Operator.EQUALS, value) if not field.path:
            return _needs_of_value(field.column.name, value.lower())
        case Text(field) | Flag(field) | Exists(field) | Number(field) | Compare(field) if not field.path:
            return _FACTS.get(field.column.name, ANYTHING)
        case _:
            return ANYTHING


def condition(need: Needs) -> Predicate:
    """Holds of events that have what is needed."""
    columns = {
        "verb": need.verbs,
        "resource": need.resources,
        "subresource": need.subresources,
        "actor_kind": need.actor_kinds,
    }
    parts = [_is_one_of(name, values) for name, values in columns.items() if values is not None]
    if need.traits is not None:
        parts.append(Or(tuple(map(_has, sorted(need.traits)))))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _is_one_of(name: str, values: frozenset[str]) -> Predicate:
    field = find_field(name)
    tests: list[Predicate] = [Text(field, Operator.EQUALS, value) for value in sorted(values - {ABSENT})]
    if ABSENT in values:
        tests.append(Not(Exists(field)))
    return Or(tuple(tests))


def _has(trait: Trait) -> Predicate:
    match trait.kind:
        case TraitKind.IMPERSONATED:
            return Exists(find_field("impersonated_username"))
        case TraitKind.CODE:
            return Number(find_field("code"), float(trait.value))
        case _:
            return Text(find_field(trait.kind.value), Operator.EQUALS, trait.value)


def _needs_of_value(column: str, value: str) -> Needs:
    if value == ABSENT:
        return ANYTHING  # empty text that is there is not absent
    match column:
        case "verb":
            return Needs(verbs=frozenset({value}))
        case "resource":
            return Needs(resources=frozenset({value}))
        case "subresource":
            return Needs(subresources=frozenset({value}))
        case "api_group":
            return Needs(traits=frozenset({Trait(TraitKind.API_GROUP, value)}))
        case "user_agent_family":
            return Needs(traits=frozenset({Trait(TraitKind.USER_AGENT_FAMILY, value)}))
        case "username":
            return Needs(traits=frozenset({Trait(TraitKind.USERNAME, value)}))
        case "actor":
            return Needs(traits=frozenset({Trait(TraitKind.ACTOR, value)}))
        case "actor_kind" if value == ActorKind.ANONYMOUS:
            return Needs(traits=frozenset({Trait(TraitKind.ACTOR, _ANONYMOUS)}), actor_kinds=frozenset({value}))
        case "actor_kind":
            return Needs(actor_kinds=frozenset({value}))
        case "action":
            return _ACTIONS[Action(value)] if value in set(Action) else NOTHING
        case _:
            return _FACTS.get(column, ANYTHING)


def _narrow(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None:
        return other
    return one if other is None else one & other


def _fewer(one: frozenset[Trait] | None, other: frozenset[Trait] | None) -> frozenset[Trait] | None:
    """Either is necessary; an event may have several traits, so what they share is not."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other, key=len)


def _widen(one: frozenset[T] | None, other: frozenset[T] | None) -> frozenset[T] | None:
    return None if one is None or other is None else one | other
