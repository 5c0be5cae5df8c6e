-- One row per line of a file that holds one row of the tables AKSAudit or AKSAuditAdmin per line (a data export rule
-- writes them so). Dynamic columns are objects or JSON text. The tables have no column for the impersonated user.
SELECT
    NULL::INTEGER AS source_id,
    NULL::BIGINT AS record_line,
    regexp_extract(lower(_ResourceId), '^.*/(?:managedclusters|fleets|connectedclusters|openshiftclusters)/[^/]+') AS record_cluster,
    TimeGenerated::TIMESTAMP AS logged_at,
    FALSE AS partial,
    NULL::BOOLEAN AS record_truncated,
    NULL::BIGINT AS event_bytes,
    NULL::VARCHAR AS other_category,
    (AuditId IS NOT NULL OR (Verb IS NOT NULL AND RequestUri IS NOT NULL))
        -- A dynamic column that is text and no JSON was cut: such rows are decoded one by one.
        AND coalesce(json_valid("User"), TRUE) AND coalesce(json_valid(ObjectRef), TRUE)
        AND coalesce(json_valid(RequestObject) OR RequestObject = 'skipped-too-big-size-object', TRUE)
        AND coalesce(json_valid(ResponseObject) OR ResponseObject = 'skipped-too-big-size-object', TRUE)
        AND coalesce(json_valid(Annotations), TRUE) AND coalesce(json_valid(ResponseStatus), TRUE)
        AND coalesce(json_valid(SourceIps), TRUE) AS fits,
    Level AS level,
    AuditId AS "auditID",
    Stage AS stage,
    RequestUri AS "requestURI",
    Verb AS verb,
    unnest(CASE WHEN fits THEN from_json(
        json_object(
            'user', TRY_CAST("User" AS JSON), 'sourceIPs', TRY_CAST(SourceIps AS JSON), 'objectRef', TRY_CAST(ObjectRef AS JSON),
            'responseStatus', TRY_CAST(ResponseStatus AS JSON)
        ),
        $heads
    ) END),
    NULL AS "impersonatedUser",
    UserAgent AS "userAgent",
    CASE WHEN RequestObject = 'skipped-too-big-size-object' THEN '"skipped-too-big-size-object"'::JSON WHEN fits THEN TRY_CAST(RequestObject AS JSON) END AS "requestObject",
    CASE WHEN ResponseObject = 'skipped-too-big-size-object' THEN '"skipped-too-big-size-object"'::JSON WHEN fits THEN TRY_CAST(ResponseObject AS JSON) END AS "responseObject",
    RequestReceivedTime AS "requestReceivedTimestamp",
    StageReceivedTime AS "stageTimestamp",
    NULL::TIMESTAMPTZ AS "timestamp",
    CASE WHEN fits THEN TRY_CAST(Annotations AS JSON) END AS annotations,
    NULL::JSON AS "authenticationMetadata"
FROM lines
