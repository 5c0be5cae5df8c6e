-- One row per event: the events table.
SELECT
    *,
    CASE
        WHEN name IS NOT NULL THEN name
        WHEN verb = 'create' THEN coalesce(
            json_extract_string(response_object, '$.metadata.name'), json_extract_string(request_object, '$.metadata.name')
        )
    END AS object_name,
    CASE
        WHEN action IN ('exec', 'attach') THEN kw_query_text(request_uri, kw_command_pattern())
        WHEN action = 'proxy' AND contains(request_uri, '?') THEN coalesce(
            kw_query_text(request_uri, kw_command_pattern()), kw_query_text(request_uri, kw_cmd_pattern())
        )
    END AS exec_command,
    CASE
        WHEN action IN ('exec', 'attach') THEN kw_query_text(request_uri, kw_container_pattern())
    END AS exec_container
FROM certificates
