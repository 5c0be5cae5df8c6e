"""What an event must have before a predicate can hold of it: its verb, resource and subresource.

From this the plan knows which rules an event need not meet. Absent (null) is written as the empty text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.model.event import Action
from kubewitness.query.predicate import And, Exists, Flag, Not, Operator, Or, Text

if TYPE_CHECKING:
    from kubewitness.query.predicate import Predicate

ABSENT = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """Values that are necessary, None where any will do.

    Attributes:
        verbs: verbs.
        resources: resources.
        subresources: subresources; the empty text stands for none.
    """

    verbs: frozenset[str] | None = None
    resources: frozenset[str] | None = None
    subresources: frozenset[str] | None = None

    def both(self, other: Needs) -> Needs:
        """What is necessary when both are."""
        return Needs(
            _narrow(self.verbs, other.verbs),
            _narrow(self.resources, other.resources),
            _narrow(self.subresources, other.subresources),
        )

    def either(self, other: Needs) -> Needs:
        """What is necessary when one of them is."""
        return Needs(
            _widen(self.verbs, other.verbs),
            _widen(self.resources, other.resources),
            _widen(self.subresources, other.subresources),
        )


ANYTHING = Needs()
NOTHING = Needs(frozenset(), frozenset(), frozenset())

_WRITES = frozenset({"create", "update", "patch"})
_WORKLOADS = frozenset(
    "pods deployments daemonsets statefulsets replicasets replicationcontrollers jobs cronjobs podtemplates".split()
)
_ROLES = frozenset({"roles", "clusterroles"})
_BINDINGS = frozenset({"rolebindings", "clusterrolebindings"})
_PROXIED = frozenset({"nodes", "pods", "services"})
_PODS = frozenset({"pods"})
_NO_SUBRESOURCE = frozenset({ABSENT})

# The facts hold only for some requests (facts/sql); a rule that needs the fact needs those requests.
_POD_FACT = Needs(_WRITES, _WORKLOADS, frozenset({ABSENT, "ephemeralcontainers", "resize"}))
_RBAC_FACT = Needs(_WRITES, _ROLES | _BINDINGS, _NO_SUBRESOURCE)
_FACTS = {
    **dict.fromkeys(
        "privileged host_pid host_ipc host_network host_paths capabilities images service_account pod_commands"
        " owner_kind".split(),
        _POD_FACT,
    ),
    **dict.fromkeys("role_verbs role_resources role_api_groups role_ref role_ref_kind subjects".split(), _RBAC_FACT),
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
    Action.IMPERSONATE: ANYTHING,
}


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
        case Not():
            return ANYTHING
        case Text(field, Operator.EQUALS, value) if not field.path:
            return _needs_of_value(field.column.name, value.lower())
        case Text(field) | Flag(field) | Exists(field) if not field.path:
            return _FACTS.get(field.column.name, ANYTHING)
        case _:
            return ANYTHING


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
        case "action":
            return _ACTIONS[Action(value)] if value in set(Action) else NOTHING
        case _:
            return _FACTS.get(column, ANYTHING)


def _narrow(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None:
        return other
    return one if other is None else one & other


def _widen(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return None if one is None or other is None else one | other
