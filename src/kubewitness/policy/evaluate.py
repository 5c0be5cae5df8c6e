"""Evaluation: what a policy decides for one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.model.recording import Level, Stage
from kubewitness.policy.meaning import holds, predicate_of

if TYPE_CHECKING:
    from kubewitness.policy.attributes import Attributes
    from kubewitness.policy.model import Policy
    from kubewitness.query.predicate import Predicate


@dataclass(frozen=True, slots=True)
class Decision:
    """What is recorded of a request.

    Attributes:
        level: None means nothing.
        omit_stages: at which stages no event is written.
        omit_managed_fields: whether metadata.managedFields is left out of bodies.
        rule: index of the rule that decided, from 0; None when no rule matched.
    """

    level: Level
    omit_stages: frozenset[Stage]
    omit_managed_fields: bool
    rule: int | None


def decision_of(policy: Policy, rule: int | None) -> Decision:
    """What the policy decides for the requests for which this rule is the first that matches; None for no rule."""
    if rule is None:
        return Decision(Level.NONE, frozenset(policy.omit_stages), policy.omit_managed_fields, None)
    chosen = policy.rules[rule]
    omits = chosen.omit_managed_fields
    return Decision(
        chosen.level,
        frozenset(policy.omit_stages) | frozenset(chosen.omit_stages),
        policy.omit_managed_fields if omits is None else omits,
        rule,
    )


class Evaluator:
    """Decides about requests, one by one."""

    def __init__(self, policy: Policy) -> None:
        self._predicates: tuple[Predicate, ...] = tuple(map(predicate_of, policy.rules))
        self._decisions = [decision_of(policy, rule) for rule in range(len(policy.rules))]
        self._default = decision_of(policy, None)

    def decide(self, attributes: Attributes) -> Decision:
        """What is recorded of a request: the first rule that matches it decides."""
        for predicate, decision in zip(self._predicates, self._decisions, strict=True):
            if holds(predicate, attributes):
                return decision
        return self._default


def decide(policy: Policy, attributes: Attributes) -> Decision:
    """What the policy decides for one request; for many, make an `Evaluator`."""
    return Evaluator(policy).decide(attributes)
