"""Requests that begin and never end: the server can lose the completion of a change that it carried out.

Nothing is said of the last moments of a log, of clusters and kinds of requests whose ends the log does not record, nor
where many are missing: then parts of the log are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.correlate.matches import LIVE, matched_rows, rows_of
from kubewitness.detect.plan import Form, Table

if TYPE_CHECKING:
    from kubewitness.detect.plan import Plan, PlannedRule

_MOST_MISSING = 0.02
"""Share of the beginnings of a cluster that may be without an end before its log is taken for incomplete."""
_ALWAYS_BELIEVED = 5
"""So many of them may be without an end whatever their share."""
_ALIKE = 3
"""Where so many of a kind begin and none of them ends, the log does not record their ends."""


def unfinished_requests(plan: Plan, rule: PlannedRule) -> str:
    """Query for (event, cause) of requests that should have ended."""
    unfinished = rule.unfinished
    assert unfinished is not None  # noqa: S101 - only such rules come here
    columns = {f"by_{number}": (field.name, Form.HASH) for number, field in enumerate(unfinished.by)}
    alike = ", ".join(columns) or "0"
    others = {f"unless_{number}": (field.name, Form.HASH) for number, field in enumerate(unfinished.unless)}
    same = f"hash({', '.join(others)})" if others else "found.request_key"
    return f"""
WITH base AS MATERIALIZED (
    SELECT found.*, hash({alike}) AS alike, {same} AS same, known.cluster_key, known.begun_key, known.actor_key
    FROM ({matched_rows(plan, rule, columns | others)}) AS found
    JOIN {rows_of(Table.KINDS, "cluster_key, actor_key, begun_key")} AS known USING (event)
    WHERE known.begun_key IS NOT NULL
),
-- Few logs show beginnings: without any, nobody looks for ends.
ended AS (
    SELECT DISTINCT ended_key FROM staged
    WHERE ended_key IN (SELECT request_key FROM base UNION ALL SELECT begun_key FROM base)
),
latest AS (
    SELECT cluster_key, max(reached_s) AS ends_s
    FROM {rows_of(Table.KINDS, "cluster_key, reached_s")} WHERE {LIVE} AND (SELECT count(*) FROM base) > 0
    GROUP BY cluster_key
),
requests AS (
    SELECT
        any_value(cluster_key) AS cluster_key, alike, request_key, any_value(same) AS same,
        min(happened_at) AS happened_at,
        bool_or(request_key IN (SELECT ended_key FROM ended) OR begun_key IN (SELECT ended_key FROM ended)) AS has_end
    FROM base GROUP BY alike, request_key
),
due AS MATERIALIZED (
    SELECT requests.*, epoch(happened_at) <= ends_s - {unfinished.within_s} AS is_due
    FROM requests JOIN latest ON latest.cluster_key IS NOT DISTINCT FROM requests.cluster_key
),
-- Counted by groups: windows over a hundred thousand rows with the same key took half a minute.
kinds_of_requests AS (
    SELECT alike, count(*) AS alike_begun, count(*) FILTER (has_end) AS alike_ended FROM due GROUP BY alike
),
others AS (SELECT same, count(*) FILTER (has_end) AS same_ended FROM due GROUP BY same),
clusters AS (
    SELECT
        cluster_key, count(*) FILTER (NOT has_end AND is_due) AS missing, count(*) AS begun,
        count(*) FILTER (has_end) AS ended
    FROM due GROUP BY cluster_key
),
judged AS (
    SELECT *
    FROM (SELECT * FROM due WHERE NOT has_end AND is_due) AS due
    JOIN kinds_of_requests USING (alike)
    JOIN others USING (same)
    JOIN clusters ON clusters.cluster_key IS NOT DISTINCT FROM due.cluster_key
)
SELECT base.event, base.actor_key AS cause
FROM base JOIN judged USING (alike, request_key)
WHERE ended > 0 AND same_ended = 0
    AND (alike_ended > 0 OR alike_begun < {_ALIKE})
    AND (missing <= {_ALWAYS_BELIEVED} OR missing <= {_MOST_MISSING} * begun)
"""  # noqa: S608 - numbers and column names of the plan
