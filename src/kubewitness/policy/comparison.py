"""Comparing policies: which requests are recorded in another way under one than under the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.policy.boxes import divide
from kubewitness.policy.boxes_text import describe
from kubewitness.policy.evaluate import decision_of

if TYPE_CHECKING:
    from kubewitness.policy.boxes import Box
    from kubewitness.policy.evaluate import Decision
    from kubewitness.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Change:
    """Requests that one rule of the old policy and one of the new decide, in another way.

    Attributes:
        old: what the old policy decides.
        new: what the new one decides.
        where: which requests, as dimension and values.
    """

    old: Decision
    new: Decision
    where: tuple[tuple[str, str], ...]


def compare(old: Policy, new: Policy) -> list[Change]:
    """What changes for which requests, in the order of the old policy's rules."""
    found: dict[tuple[int | None, int | None], list[Box]] = {}
    for before in divide(old):
        for after in divide(new, before.box):
            found.setdefault((before.rule, after.rule), []).append(after.box)
    changes: list[Change] = []
    for (old_rule, new_rule), boxes in found.items():
        before_, after_ = decision_of(old, old_rule), decision_of(new, new_rule)
        if _content(before_) != _content(after_):
            changes.append(Change(before_, after_, tuple(describe(boxes).items())))
    return changes


def _content(decision: Decision) -> tuple[object, ...]:
    """What is recorded, whichever rule says so; of what is not recorded nothing is left out."""
    if not decision.level.rank:
        return (decision.level,)
    return (decision.level, decision.omit_stages, decision.omit_managed_fields if decision.level.rank > 1 else None)
