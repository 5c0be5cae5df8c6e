"""What is known of an exception, and what it did in a scan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003 - read at run time: plans are read from JSON by their types
from enum import StrEnum


class ExceptionState(StrEnum):
    """What became of an exception in a scan."""

    USED = "used"
    UNUSED = "unused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ExceptionInfo:
    """What people read about an exception.

    Attributes:
        id: name of its own; file and line when it was given none.
        rules: ids or patterns of ids of the rules it is about.
        reason: why what it takes out is harmless.
        owner: who answers for it; None for those of this package.
        expires: last day on which it holds (UTC); None for those of this package.
        origin: file and line.
        platform: platform on which alone it holds; None for those that users write.
    """

    id: str
    rules: tuple[str, ...]
    reason: str
    owner: str | None
    expires: date | None
    origin: str
    platform: str | None = None

    def is_expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return self.expires is not None and self.expires < today


@dataclass(frozen=True, slots=True)
class ExceptionUse:
    """What an exception did in a scan.

    Attributes:
        info: the exception.
        state: used, unused or expired.
        requests: number of requests that it took out of the rules, each counted once.
        by_rule: the same for each rule that lost any.
    """

    info: ExceptionInfo
    state: ExceptionState
    requests: int
    by_rule: dict[str, int]


@dataclass(frozen=True, slots=True)
class ClusterPlatform:
    """The platform that a cluster runs on.

    Attributes:
        cluster: its name; None where the log does not say.
        platform: name of the platform; None when nothing in the log showed it.
        is_given: whether it was given rather than found out.
    """

    cluster: str | None
    platform: str | None
    is_given: bool
