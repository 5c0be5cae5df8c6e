"""Records that are the same as others: what counts once."""

from __future__ import annotations

REQUEST_HASH = "hash(audit_id, request_uri)"
RECORD_KEY = "CASE WHEN audit_id IS NOT NULL THEN hash(request_hash, stage, verb, username) END"
"""With TIME_KEY the same for the same record again, as SQL over events with `request_hash`; null without auditID."""
TIME_KEY = (
    "hash(cluster, CASE WHEN partial THEN request_received_at ELSE coalesce(request_received_at, happened_at) END)"
)

CREATE_DUPLICATES = """
-- One row per record that is the same as an earlier one. Cut records are looked at apart. Without a time nobody can
-- say.
CREATE OR REPLACE TEMP TABLE duplicates AS
SELECT rowid AS event
FROM staged
WHERE outcome = 1 AND happened_at IS NOT NULL AND (record_key, time_key) IN (
    SELECT (record_key, time_key) FROM staged
    WHERE outcome = 1 AND happened_at IS NOT NULL AND record_key IS NOT NULL
    GROUP BY ALL HAVING count(*) > 1
)
QUALIFY row_number() OVER (PARTITION BY record_key, time_key ORDER BY rowid) > 1
"""

CREATE_CUT_TWINS = """
-- One row per cut record and another record of the same request and stage, which may be the same one: a whole one,
-- or one that was cut too and has the same time. Of many others only the first ones: a record that is taken for
-- another one is lost, one that is not is merely there twice.
CREATE OR REPLACE TEMP TABLE cut_twins AS
WITH cut AS (
    SELECT
        rowid AS event, record_key, happened_at,
        row_number() OVER (PARTITION BY record_key, happened_at ORDER BY rowid) AS place
    FROM staged
    WHERE outcome = 2 AND record_key IS NOT NULL
),
whole AS (
    SELECT rowid AS event, record_key
    FROM staged
    WHERE outcome = 1 AND record_key IN (SELECT record_key FROM cut)
    QUALIFY row_number() OVER (PARTITION BY record_key ORDER BY rowid) <= 8
)
SELECT *, (dense_rank() OVER (ORDER BY cut) - 1) // 5000 AS batch
FROM (
    SELECT cut.event AS cut, whole.event AS twin, TRUE AS is_whole FROM cut JOIN whole USING (record_key)
    UNION ALL
    SELECT cut.event, earlier.event, FALSE
    FROM cut JOIN cut AS earlier USING (record_key, happened_at)
    WHERE earlier.place <= 8 AND earlier.event < cut.event
)
"""

CUT_TWINS = """
-- One batch of them, in the order in which to compare.
SELECT cut, twin FROM cut_twins WHERE batch = $batch ORDER BY cut, is_whole DESC, twin
"""

DUPLICATE = 4
"""Outcome of a record that is a duplicate: what comes later need not look it up."""

MARK_DUPLICATES = f"""
UPDATE staged SET outcome = {DUPLICATE} WHERE rowid IN (SELECT event FROM duplicates);
UPDATE candidates SET outcome = {DUPLICATE} WHERE event IN (SELECT event FROM duplicates)
"""  # noqa: S608 - constants of this module
