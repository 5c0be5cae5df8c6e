-- One row per record: its kind, what it is told by from others of its kind, and what keys are made of. Times, names, URIs
-- and bodies differ from event to event; the rest repeats, and all records that are the same in it are of one kind: they
-- have the same hash `kind`. What it is made of is KIND_COLUMNS, as their text where nobody looks inside, and what facts
-- about these need besides: whether somebody was refused to act as another one, whether it was a dry run, whether there is
-- a body at all.
SELECT
    source_id,
    record_line,
    logged_at,
    partial,
    other_category,
    fits,
    auditID AS audit_id,
    stage,
    verb,
    requestURI AS request_uri,
    split_part(requestURI, '?', 1) AS request_path,
    hash(auditID, requestURI) AS request_hash,
    requestReceivedTimestamp::TIMESTAMP AS request_received_at,
    stageTimestamp::TIMESTAMP AS stage_at,
    "timestamp"::TIMESTAMP AS older_timestamp,
    coalesce(requestReceivedTimestamp, "timestamp", stageTimestamp, logged_at)::TIMESTAMP AS happened_at,
    "user".username AS username,
    objectRef.resource AS resource,
    nullif(objectRef.subresource, '') AS subresource,
    nullif(objectRef.name, '') AS name,
    coalesce(nullif(record_cluster, ''), $cluster) AS cluster,
    hash(
        coalesce(nullif(record_cluster, ''), $cluster),
        partial,
        record_truncated,
        level,
        stage,
        verb,
        "user".username,
        "user".uid,
        "user".groups::VARCHAR,
        "user".extra::VARCHAR,
        impersonatedUser::VARCHAR,
        userAgent,
        sourceIPs::VARCHAR,
        objectRef.apiGroup,
        objectRef.apiVersion,
        objectRef.resource,
        objectRef.subresource,
        objectRef.namespace,
        responseStatus.code,
        responseStatus.status,
        responseStatus.reason,
        coalesce(contains(responseStatus.message, 'cannot impersonate'), FALSE),
        -- Of AND the engine asks both sides of every row.
        CASE
            WHEN contains(requestURI, 'dryRun=All')
                THEN regexp_matches(requestURI, '^[^?]*\?(?:[^&]*&)*dryRun=All(?:&|$)')
        END,
        requestURI IS NULL,
        CASE WHEN starts_with(verb, 'delete') THEN requestObject.dryRun::VARCHAR END,
        requestObject IS NULL AND responseObject IS NULL
    ) AS kind
FROM records
