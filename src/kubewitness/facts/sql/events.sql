-- One row per event: the events table.
SELECT
    *,
    CASE
        WHEN action IN ('exec', 'attach') THEN kw_query_text(request_uri, kw_command_pattern())
        WHEN action = 'proxy' AND contains(request_uri, '?') THEN coalesce(
            kw_query_text(request_uri, kw_command_pattern()), kw_query_text(request_uri, kw_cmd_pattern())
        )
    END AS exec_command,
    CASE
        WHEN action IN ('exec', 'attach') THEN kw_query_text(request_uri, kw_container_pattern())
    END AS exec_container,
    CASE
        WHEN resource = 'serviceaccounts' THEN CASE
            WHEN namespace IS NOT NULL AND object_name IS NOT NULL
                THEN ['system:serviceaccount:' || namespace || ':' || object_name]
        END
        WHEN resource = 'secrets' THEN kw_distinct(list_transform(
            list_filter(object_annotations, lambda pair: starts_with(pair, 'kubernetes.io/service-account.name=')),
            lambda pair: 'system:serviceaccount:' || namespace || ':' || split_part(pair, '=', 2)
        ))
        WHEN subjects IS NOT NULL THEN kw_distinct(list_transform(
            list_filter(subjects, lambda subject: starts_with(subject, 'ServiceAccount ') AND contains(subject, '/')),
            lambda subject: 'system:serviceaccount:' || replace(subject[16:], '/', ':')
        ))
        WHEN service_account IS NOT NULL AND namespace IS NOT NULL
            THEN ['system:serviceaccount:' || namespace || ':' || service_account]
    END AS service_accounts
FROM (
    SELECT
        *,
        CASE
            WHEN name IS NOT NULL THEN name
            WHEN verb = 'create' THEN coalesce(
                json_extract_string(response_object, '$.metadata.name'),
                json_extract_string(request_object, '$.metadata.name')
            )
        END AS object_name,
        CASE
            WHEN verb = 'create' AND name IS NULL THEN json_extract_string(request_object, '$.metadata.generateName')
        END AS generate_name
    FROM certificates
)
