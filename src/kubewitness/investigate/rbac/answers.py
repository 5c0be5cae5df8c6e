"""What is answered about somebody's rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.investigate.rbac.access import MASTERS

if TYPE_CHECKING:
    from datetime import datetime

    from kubewitness.investigate.rbac.access import Use
    from kubewitness.investigate.rbac.replay import Denied, Permission, Step
    from kubewitness.investigate.rbac.roles import Subject
    from kubewitness.model.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Observed:
    """What somebody used of their rights.

    Attributes:
        subject: who.
        user: user name to decide bindings by; the group's where it is a group.
        groups: groups their requests were authorised with.
        allowed: accesses that were allowed, also inferred ones.
        denied: accesses that were denied.
        undecided: number of requests of which the log does not say.
        by_azure: number of requests that role assignments of Azure allowed.
        first_at: time of their first request (UTC, naive).
        last_at: time of their last one.
        ledger: what became of every record.
    """

    subject: Subject
    user: str
    groups: tuple[str, ...]
    allowed: tuple[Use, ...]
    denied: tuple[Use, ...]
    undecided: int
    by_azure: int
    first_at: datetime | None
    last_at: datetime | None
    ledger: Ledger

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know before the answer is believed."""
        found: list[str] = []
        if MASTERS in self.groups:
            found.append(
                "some requests had the group system:masters, which RBAC does not limit: no role can take that away"
            )
        if self.user.startswith("system:node:"):
            found.append(
                "kubelets are allowed by the node authorizer, which looks at what runs on the node; no role says that"
            )
        if self.by_azure:
            found.append(f"{self.by_azure:,} requests were allowed by Azure RBAC: a role here does not take that away")
        verbs = {use.access.verb for use in self.allowed if use.access.is_for_resource}
        if not verbs & {"get", "list", "watch"}:
            found.append(
                "no read of a resource: either there was none, or this log does not record reads (AKS kube-audit-admin)"
            )
        if self.undecided:
            found.append(f"of {self.undecided:,} requests no event says whether they were allowed; they are left out")
        written = {use.access.combined for use in self.allowed if use.access.verb in {"create", "update", "patch"}}
        if written & {"roles", "clusterroles"}:
            found.append("wrote roles: needs to hold what these grant, or `escalate`, which is not proposed")
        if self.ledger.partial:
            found.append(f"{self.ledger.partial:,} records of this log were cut: what they asked for may be missing")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a role would have done in the past.

    Attributes:
        observed: what was used.
        denied: requests that it would have denied.
        gained: requests that were denied, and that it would have allowed.
        steps: alerts about the actor.
        permissions: of the role, and how often each was used.
        remarks: what to know before the answer is believed.
    """

    observed: Observed
    denied: tuple[Denied, ...]
    gained: tuple[Use, ...]
    steps: tuple[Step, ...]
    permissions: tuple[Permission, ...]
    remarks: tuple[str, ...]
