"""Sessions: requests that belong together.

Requests of one actor from one address with one program and one credential on one cluster are one session as long as no
more than a stated time lies between the end of one and the beginning of the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

IDLE_S = 900
"""Seconds without a request after which a session is over, unless something else is asked for."""

CREATE_REQUEST_SESSIONS = """
-- One row per request that has a time, with the number of its session; sessions are numbered by when they begin.
CREATE TABLE request_sessions AS
WITH followed AS (
    SELECT
        request, began_at,
        hash(cluster, username, actor, source_ip, program, credential_id) AS who,
        -- A request that lasts keeps its session open; a watch does not, or a session of a controller had no end.
        max(CASE WHEN verb = 'watch' THEN began_at ELSE coalesce(ended_at, began_at) END) OVER (
            PARTITION BY cluster, username, actor, source_ip, program, credential_id
            ORDER BY began_at, request ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS busy_until
    -- kubectl and its plugins are one program: a person uses them together.
    FROM (
        SELECT
            *,
            CASE WHEN starts_with(user_agent_family, 'kubectl') THEN 'kubectl' ELSE user_agent_family END AS program
        FROM requests
        WHERE began_at IS NOT NULL
    )
),
cut AS (
    SELECT
        request, began_at, who,
        sum(CASE WHEN busy_until IS NULL OR began_at > busy_until + to_seconds($idle_s) THEN 1 ELSE 0 END)
            OVER (PARTITION BY who ORDER BY began_at, request) AS part
    FROM followed
),
firsts AS (
    SELECT who, part, row_number() OVER (ORDER BY min(began_at), min(request)) AS session FROM cut GROUP BY who, part
)
SELECT cut.request, firsts.session FROM cut JOIN firsts USING (who, part)
"""
"""Makes the table `request_sessions` of the table `requests`; its parameter is `idle_s`."""

CREATE_SESSIONS = """
-- One row per session.
CREATE TABLE sessions AS
SELECT
    session,
    any_value(cluster) AS cluster,
    any_value(username) AS username,
    any_value(actor) AS actor,
    any_value(actor_kind) AS actor_kind,
    any_value(source_ip) AS source_ip,
    min(user_agent_family) AS user_agent_family,
    any_value(credential_id) AS credential_id,
    min(began_at) AS began_at,
    max(coalesce(ended_at, began_at)) AS ended_at,
    count(*) AS requests,
    count(*) FILTER (code IN (401, 403)) AS refused,
    count(*) FILTER (code >= 400 AND code NOT IN (401, 403)) AS failed,
    count(*) FILTER (
        verb IN ('create', 'update', 'patch', 'delete', 'deletecollection')
        AND code < 300
        -- Questions are asked by creating them, and so are streams.
        AND NOT coalesce(ends_with(resource, 'reviews'), FALSE)
        AND coalesce(subresource, '') NOT IN ('exec', 'attach', 'portforward', 'proxy')
    ) AS changes,
    count(*) FILTER (ending = 'never') AS unended,
    count(*) FILTER (ending = 'open') AS still_open
FROM requests JOIN request_sessions USING (request)
GROUP BY session
"""
"""Makes the table `sessions` of the other two."""

NEEDED = ("actor_kind", "resource")
"""Columns of `requests` that sessions need besides those that requests have anyway."""

SESSIONS = "SELECT * FROM sessions ORDER BY session"
SESSION_REQUESTS = """
SELECT requests.*, coalesce(session, 0) AS session
FROM requests LEFT JOIN request_sessions USING (request)
ORDER BY began_at NULLS LAST, request
"""


@dataclass(frozen=True, slots=True)
class Session:
    """Requests that belong together.

    Attributes:
        number: its number, from 1, by when it began.
        cluster: cluster; None where the log does not say.
        username: who authenticated; None where nobody did.
        actor: as whom they acted, which is the same unless they impersonated somebody.
        actor_kind: kind of actor.
        source_ip: address that the server observed.
        program: program that the user agent names.
        credential_id: id of the token or certificate, where the log has it.
        began_at: when its first request began (UTC, naive).
        ended_at: when the last one ended, or began where its end is not known.
        requests: how many.
        refused: how many of them were refused (401, 403).
        failed: how many failed otherwise.
        changes: how many changed something.
        unended: how many began and never ended.
        still_open: how many go on where the log ends.
    """

    number: int
    cluster: str | None
    username: str | None
    actor: str | None
    actor_kind: str | None
    source_ip: str | None
    program: str | None
    credential_id: str | None
    began_at: datetime
    ended_at: datetime
    requests: int
    refused: int
    failed: int
    changes: int
    unended: int
    still_open: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Session:
        """A session of a row of the table `sessions`."""
        names = {"session": "number", "user_agent_family": "program"}
        return cls(**{names.get(name, name): value for name, value in row.items()})

    @property
    def duration_s(self) -> float:
        """Seconds from its beginning to its end."""
        return (self.ended_at - self.began_at).total_seconds()
