-- One row per record, in the columns of the events table; rows that are not events have nulls there.
SELECT
    source_id,
    record_line,
    coalesce(nullif(record_cluster, ''), $cluster) AS cluster,
    logged_at,
    partial,
    event_bytes,
    other_category,
    fits,
    auditID AS audit_id,
    level,
    stage,
    verb,
    requestURI AS request_uri,
    requestReceivedTimestamp::TIMESTAMP AS request_received_at,
    stageTimestamp::TIMESTAMP AS stage_at,
    "timestamp"::TIMESTAMP AS older_timestamp,
    userAgent AS user_agent,
    sourceIPs AS source_ips,
    annotations,
    authenticationMetadata AS authentication_metadata,
    "user".username AS username,
    "user".uid AS user_uid,
    "user".groups AS groups,
    "user".extra AS user_extra,
    impersonatedUser.username AS impersonated_username,
    impersonatedUser.uid AS impersonated_uid,
    impersonatedUser.groups AS impersonated_groups,
    impersonatedUser.extra AS impersonated_extra,
    objectRef.apiGroup AS api_group,
    objectRef.apiVersion AS api_version,
    objectRef.resource AS resource,
    nullif(objectRef.subresource, '') AS subresource,
    nullif(objectRef.namespace, '') AS namespace,
    nullif(objectRef.name, '') AS name,
    objectRef.uid AS object_uid,
    objectRef.resourceVersion AS resource_version,
    responseStatus.code AS code,
    responseStatus.status AS status,
    responseStatus.reason AS status_reason,
    responseStatus.message AS status_message,
    CASE
        WHEN NOT starts_with(requestObject, '"') THEN nullif(requestObject, 'null')
        WHEN requestObject <> '"skipped-too-big-size-object"' THEN kw_body(requestObject, verb)
    END AS request_object,
    CASE
        WHEN NOT starts_with(responseObject, '"') THEN nullif(responseObject, 'null')
        WHEN responseObject <> '"skipped-too-big-size-object"' THEN kw_body(responseObject, verb)
    END AS response_object,
    coalesce(record_truncated, FALSE)
        OR coalesce(requestObject = '"skipped-too-big-size-object"', FALSE)
        OR coalesce(responseObject = '"skipped-too-big-size-object"', FALSE)
        OR coalesce(contains(annotations, 'audit.k8s.io/truncated'), FALSE) AS truncated
FROM records
