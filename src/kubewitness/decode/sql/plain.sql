-- One row per line of a file that holds one audit event per line; `fits` is false for a line that is something else.
SELECT
    NULL::INTEGER AS source_id,
    NULL::BIGINT AS record_line,
    NULL::VARCHAR AS record_cluster,
    NULL::TIMESTAMP AS logged_at,
    FALSE AS partial,
    NULL::BOOLEAN AS record_truncated,
    NULL::BIGINT AS event_bytes,
    NULL::VARCHAR AS other_category,
    auditID IS NOT NULL OR (verb IS NOT NULL AND requestURI IS NOT NULL) AS fits,
    *
FROM lines
