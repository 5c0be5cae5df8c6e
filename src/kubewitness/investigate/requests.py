"""Requests out of events: all stages of one request in one row, with its beginning, its end and how it ended.

A request is all events of one Audit-ID at one time and URI on one cluster. The Audit-ID alone does not do: clients may
choose it, and use it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kubewitness.model.event import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from kubewitness.model.ledger import Origin

TIMEOUT_S = 90
"""What began so shortly before the log ends may have ended after it. Source: kube-apiserver gives up after 60 s."""

NEEDED = (
    "cluster", "audit_id", "request_uri", "stage", "stage_at", "request_received_at", "verb", "subresource", "code",
    "username", "actor", "source_ip", "user_agent_family", "credential_id",
)  # fmt: skip
"""Columns of the events table that requests and sessions are made of: ask `open_events` for these and for your own."""

STEADY = frozenset(
    "cluster audit_id request_uri request_path verb username user_uid groups user_extra user_agent user_agent_family"
    " source_ips source_ip source_network source_is_private credential_id bound_pod bound_node api_group api_version"
    " resource subresource namespace request_received_at happened_at".split()
)
"""Columns that are the same in all stages of a request: a filter of them finds its end where it finds its beginning."""

LATER = frozenset({"name", "object_name", "impersonated_username", "code"})
"""Columns that the beginning of a request may lack: the same holds for a filter that demands them."""


class Ending(StrEnum):
    """How a request ended, as far as the log tells."""

    ENDED = "ended"
    PANICKED = "panicked"
    OPEN = "open"
    CUT = "cut"
    NEVER = "never"
    UNKNOWN = "unknown"

    @property
    def about(self) -> str:
        """In a few words."""
        return _ABOUT[self]


_ABOUT = {
    Ending.ENDED: "ended",
    Ending.PANICKED: "the server panicked",
    Ending.OPEN: "still open where the log ends",
    Ending.CUT: "the log ends before it does",
    Ending.NEVER: "never ended",
    Ending.UNKNOWN: "its end was not asked for",
}

_CREATE = """
-- One row per request: what its latest stage says, where that says anything. `request` is the row of its first event;
-- `rows` are those of all of them, in the order of stages.
CREATE TABLE requests AS
WITH staged AS (
    SELECT
        *,
        coalesce(request_received_at, happened_at) AS moment,
        CASE stage WHEN 'RequestReceived' THEN 0 WHEN 'ResponseStarted' THEN 1 WHEN 'Panic' THEN 3 ELSE 2 END AS step,
        -- Without an Audit-ID nobody can say what belongs together.
        CASE WHEN audit_id IS NULL THEN row END AS alone
    FROM events
),
paired AS (
    SELECT
        min(row) AS request,
        list(row ORDER BY step, row) AS rows,
        list(DISTINCT step) AS steps,
        min(moment) AS began_at,
        max(CASE WHEN step = 1 THEN stage_at END) AS started_at,
        -- A refusal to authenticate is written when the answer begins, and has no other event.
        max(CASE WHEN step >= 2 OR code = 401 THEN coalesce(stage_at, moment) END) AS last_at,
        bool_or(step >= 2 OR code = 401) AS has_end{columns}
    FROM staged
    GROUP BY cluster, audit_id, request_uri, moment, alone
)
SELECT
    * EXCLUDE (steps, last_at, has_end),
    CASE WHEN has_end THEN last_at END AS ended_at,
    CASE WHEN has_end AND last_at >= began_at THEN epoch(last_at - began_at)::DOUBLE END AS duration_s,
    CASE
        WHEN list_contains(steps, 3) THEN 'panicked'
        WHEN has_end THEN 'ended'
        WHEN NOT $whole THEN 'unknown'
        -- Streams and watches answer first and end much later, or not within the log.
        WHEN
            list_contains(steps, 1)
            OR verb = 'watch'
            OR subresource IN ('exec', 'attach', 'portforward', 'proxy', 'log')
            THEN 'open'
        WHEN began_at IS NULL OR $end_at IS NULL OR began_at >= $end_at::TIMESTAMP - to_seconds($timeout_s) THEN 'cut'
        ELSE 'never'
    END AS ending
FROM paired
"""


def create_requests(columns: Collection[str]) -> str:
    """The statement that makes the table `requests` of the table `events`; its parameters are `request_parameters`.

    Args:
        columns: names of columns of `events` that requests shall have; those of `NEEDED` they have.
    """
    names = dict.fromkeys((*NEEDED, *columns))
    kept = [name for name in names if name in BY_NAME and name not in _OF_EVENTS]
    # arg_max passes over nulls: of each column the latest stage that has it.
    return _CREATE.format(columns="".join(f',\n        arg_max("{name}", step) AS "{name}"' for name in kept))


_OF_EVENTS = frozenset({"stage", "stage_at", "request_received_at", "happened_at", "source", "line", "logged_at"})


def request_parameters(*, end_at: datetime | None, whole: bool = True) -> dict[str, Any]:
    """Parameters of `create_requests`.

    Args:
        end_at: when the log ends: `Events.last_at`.
        whole: whether each request whose beginning is there has its end there, if there is one (see `STEADY`), and
            whether the logs have ends at all (`Events.has_ends`). If not, nothing is said of requests without an end.
    """
    return {"end_at": end_at, "whole": whole, "timeout_s": TIMEOUT_S}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, of all its stages.

    Attributes:
        key: number of its own.
        began_at: when the server got it (UTC, naive); None where the log does not say.
        ended_at: when the answer was complete; None without an end.
        duration_s: seconds from beginning to end.
        ending: how it ended.
        session: number of the session it belongs to, from 1; 0 for none.
        origins: where its records stand, in the order of stages.
        details: columns of the events table by name, as the latest stage that has them says; nulls are absent.
    """

    key: int
    began_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    ending: Ending
    session: int = 0
    origins: tuple[Origin, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, row: Mapping[str, Any], origins: tuple[Origin, ...], details: Mapping[str, Any]) -> Request:
        """A request of a row of the table `requests`, or of `requests` with sessions."""
        return cls(
            key=row["request"],
            began_at=row["began_at"],
            ended_at=row["ended_at"],
            duration_s=row["duration_s"],
            ending=Ending(row["ending"]),
            session=row.get("session") or 0,
            origins=origins,
            details=details,
        )

    @property
    def code(self) -> int | None:
        """Code of the answer."""
        code = self.details.get("code")
        return int(code) if code is not None else None

    @property
    def is_failed(self) -> bool:
        """Whether it was refused or went wrong, as far as the log tells."""
        code = self.code
        return self.ending is Ending.PANICKED or (code is not None and code >= 400)  # noqa: PLR2004 - HTTP


DETAILS_LEFT_OUT = frozenset(
    "request rows began_at started_at ended_at duration_s ending session source line row happened_at".split()
)
"""Columns of the table `requests` that are no details."""
