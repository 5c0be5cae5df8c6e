-- One row per event that was decoded one by one.
SELECT
    source AS source_id,
    line AS record_line,
    cluster AS record_cluster,
    logged_at::TIMESTAMP AS logged_at,
    partial,
    truncated AS record_truncated,
    NULL::BIGINT AS event_bytes,
    NULL::VARCHAR AS other_category,
    source IS NOT NULL AND event IS NOT NULL AS fits,
    unnest(event)
FROM lines
