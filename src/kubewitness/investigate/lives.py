"""The lives of an object: numbered revisions, from its creation to its end, and again where it was made anew.

What the server answered is taken where it is recorded, then what was asked; where neither is, the revision is there
without a state, and what comes after it is uncertain until an answer says more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubewitness.investigate.changes import leaves
from kubewitness.investigate.writes import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kubewitness.investigate.changes import Change, Path
    from kubewitness.investigate.deletions import Deletion
    from kubewitness.investigate.requests import Request
    from kubewitness.investigate.writes import State


@dataclass(frozen=True, slots=True)
class Revision:
    """A state of an object.

    Attributes:
        number: from 1 in each life.
        at: when it came about (UTC, naive).
        request: what made it, or the read in which it was found; None where the log has neither.
        evidence: how the state is known.
        state: the object; None where it is not known.
        changes: what changed since the last state that is known.
        notes: what is uncertain.
        is_certain: whether nothing before it that is not known can show in it.
        resource_version: the server's number of it, where it is known.
    """

    number: int
    at: datetime | None
    request: Request | None
    evidence: Evidence
    state: State | None
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    is_certain: bool = True
    resource_version: str | None = None

    @property
    def by(self) -> Request | None:
        """The request that made it; None where the log does not have it."""
        return self.request if self.evidence is not Evidence.READ else None


@dataclass(slots=True)
class Life:
    """One object of a name, from its creation to its end.

    Attributes:
        uid: the server's id of it; None where the log does not say.
        is_born: whether its creation is in the log.
        revisions: its states, in order.
        touches: requests on it that changed nothing of it: reads, exec, what failed.
        deletion: its end, or that it was asked for.
    """

    uid: str | None = None
    is_born: bool = False
    revisions: list[Revision] = field(default_factory=list)
    touches: list[Request] = field(default_factory=list)
    deletion: Deletion | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is gone."""
        return self.deletion is not None and self.deletion.gone_at is not None

    @property
    def state(self) -> State | None:
        """The last state that is known."""
        return next((each.state for each in reversed(self.revisions) if each.state is not None), None)


@dataclass(frozen=True, slots=True)
class Blame:
    """Who last set a field.

    Attributes:
        path: the field.
        value: its value.
        revision: the revision since which it is so.
    """

    path: Path
    value: object
    revision: Revision


def state_at(lives: Iterable[Life], moment: datetime) -> tuple[Life, Revision] | None:
    """The life and the revision of a moment; None before the first one and where the object was gone."""
    found: tuple[Life, Revision] | None = None
    for life in lives:
        for revision in life.revisions:
            if revision.at is None or revision.at <= moment:
                found = life, revision
        if found and found[0] is life and life.deletion and life.deletion.gone_at and life.deletion.gone_at <= moment:
            found = None
    return found


def blame(life: Life) -> tuple[Blame, ...]:
    """Who last set each field of the last state, in the order of the fields."""
    found: dict[Path, tuple[object, Revision]] = {}
    for revision in life.revisions:
        if revision.state is None:
            continue
        now = dict(leaves(revision.state))
        found = {
            path: found[path] if path in found and found[path][0] == value else (value, revision)
            for path, value in now.items()
        }
    return tuple(Blame(path, value, revision) for path, (value, revision) in found.items())
