"""From hits to groups: which hits make one alert, and which of their events it lists.

Hits of one rule and one cause belong to one alert as long as they follow each other closely. Millions may: an alert
lists the first of its events, and then the first one of each kind (see kinds.py), so that whoever took part, from
wherever, by whatever means and with whatever result, is among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubewitness.detect.plan import Plan

ALERT_GAP_S = 3600
"""Matches of one cause that lie further apart than this, in seconds, or than the rule's window, are two alerts."""

GROUPS = """
-- One row per alert, in the order of their numbers.
SELECT rule, cause, stretch, count(*) AS events, count(DISTINCT request_key) AS requests, max(happened_at) AS last_at
FROM grouped
GROUP BY rule, cause, stretch
ORDER BY rule, cause, stretch
"""

LISTED = """
-- One row per alert and event that it lists, in their order.
-- is_shown: whether it is among the first, or stands for others of its kind that are not listed.
WITH alike AS (
    SELECT rule, cause, stretch, min(place) AS place
    FROM grouped WHERE events > $most GROUP BY rule, cause, stretch, kind
),
others AS (
    SELECT * FROM alike WHERE place > $most
    QUALIFY row_number() OVER (PARTITION BY rule, cause, stretch ORDER BY place) <= $most
)
SELECT
    rule, cause, stretch, event, grouped.happened_at, source_id, record_line,
    place <= $shown OR place > $most AS is_shown
FROM grouped JOIN staged ON staged.rowid = event
WHERE place <= $most OR (rule, cause, stretch, place) IN (SELECT (rule, cause, stretch, place) FROM others)
ORDER BY rule, cause, stretch, place
"""

TIMES = """
-- How many events of an alert that lists not all of them happened from a time on, in at most 64 steps.
WITH spans AS (
    SELECT
        rule, cause, stretch, min(happened_at) AS first_at,
        greatest(60, epoch(max(happened_at) - min(happened_at)) / 63) AS step_s
    FROM grouped WHERE events > $most AND happened_at IS NOT NULL GROUP BY rule, cause, stretch
)
SELECT
    rule, cause, stretch,
    first_at + to_seconds(step_s * floor(epoch(happened_at - first_at) / step_s)) AS from_at, count(*) AS events
FROM grouped JOIN spans USING (rule, cause, stretch)
WHERE happened_at IS NOT NULL
GROUP BY ALL
ORDER BY ALL
"""


def create_grouped(plan: Plan) -> str:
    """Statement that fills `grouped` with a row per hit, from `hits`.

    rule, cause, stretch: which alert it belongs to. place: among its events, by time, from 1. events: how many.
    """
    longer = [
        f"WHEN {number} THEN INTERVAL {rule.correlation.window_s} SECOND"
        for number, rule in enumerate(plan.rules)
        if rule.correlation and rule.correlation.window_s > ALERT_GAP_S
    ]
    usual = f"INTERVAL {ALERT_GAP_S} SECOND"
    gap = f"CASE rule {' '.join(longer)} ELSE {usual} END" if longer else usual
    return f"""
CREATE OR REPLACE TEMP TABLE grouped AS
WITH events AS (
    SELECT hits.rule, hits.cause, hits.event, happened_at, request_key, kind
    FROM hits JOIN staged ON staged.rowid = hits.event
),
marked AS (
    SELECT *, coalesce(
        happened_at - lag(happened_at) OVER (PARTITION BY rule, cause ORDER BY happened_at, event) > {gap}, FALSE
    ) AS begins
    FROM events
),
stretched AS (
    SELECT *, sum(begins::INTEGER) OVER (PARTITION BY rule, cause ORDER BY happened_at, event) AS stretch
    FROM marked
)
SELECT
    * EXCLUDE (begins),
    row_number() OVER (PARTITION BY rule, cause, stretch ORDER BY happened_at, event) AS place,
    count(*) OVER (PARTITION BY rule, cause, stretch) AS events
FROM stretched
"""  # noqa: S608 - numbers only
