-- One row per line of a file that holds one Azure Monitor record per line, as Event Hubs and storage accounts carry them;
-- `fits` is false for a line that is something else, or whose log is cut: those are decoded one by one.
SELECT
    NULL::INTEGER AS source_id,
    NULL::BIGINT AS record_line,
    regexp_extract(lower(resourceId), '^.*/(?:managedclusters|fleets|connectedclusters|openshiftclusters)/[^/]+') AS record_cluster,
    "time"::TIMESTAMP AS logged_at,
    FALSE AS partial,
    NULL::BOOLEAN AS record_truncated,
    strlen(log) AS event_bytes,
    CASE WHEN NOT is_audit THEN category END AS other_category,
    log IS NOT NULL AND (
        NOT is_audit OR event.auditID IS NOT NULL OR (event.verb IS NOT NULL AND event.requestURI IS NOT NULL)
    ) AS fits,
    unnest(event)
FROM (
    SELECT
        *,
        -- `log` is JSON text or, behind some forwarders, an object; a cut one is not valid.
        CASE WHEN is_audit AND json_valid(log) AND starts_with(ltrim(log), '{') THEN from_json(log, $event) END AS event
    FROM (
        SELECT
            resourceId,
            "time",
            category,
            coalesce(starts_with(lower(category), 'kube-audit'), TRUE) AS is_audit,
            properties.log AS log
        FROM lines
    )
)
