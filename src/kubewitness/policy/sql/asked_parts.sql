-- One row per event: API group and namespace, and the parts of the path from the resource on, where they are taken from it.
SELECT
    * EXCLUDE (asked_parts, asked_rest),
    CASE
        WHEN asked_by <> 'uri' THEN coalesce(namespace, '')
        WHEN asked_rest[1] = 'namespaces' THEN coalesce(asked_rest[2], '')
        ELSE ''
    END AS asked_namespace,
    -- What follows a namespace is a resource of its own, but for these two parts of the namespace itself.
    CASE
        WHEN asked_rest[1] = 'namespaces' AND asked_rest[3] NOT IN ('status', 'finalize') THEN asked_rest[3:]
        ELSE asked_rest
    END AS asked_rest
FROM (
    SELECT
        * EXCLUDE (asked_rest),
        CASE
            WHEN asked_by = 'uri' THEN asked_rest IS NOT NULL
            WHEN asked_by = 'object' THEN resource IS NOT NULL
            ELSE asked_by <> 'nothing'
        END AS is_resource_request,
        CASE
            WHEN asked_by <> 'uri' THEN coalesce(api_group, '')
            WHEN asked_rest IS NOT NULL AND asked_parts[1] = 'apis' THEN asked_parts[2]
            ELSE ''
        END AS asked_api_group,
        -- Verbs of old that stand before the resource.
        CASE WHEN asked_rest[1] IN ('watch', 'proxy') AND len(asked_rest) > 1 THEN asked_rest[1] END AS asked_special,
        CASE WHEN asked_rest[1] IN ('watch', 'proxy') AND len(asked_rest) > 1 THEN asked_rest[2:] ELSE asked_rest END
            AS asked_rest
    FROM (
        SELECT
            *,
            CASE
                WHEN asked_parts[1] = 'api' AND len(asked_parts) > 2 THEN asked_parts[3:]
                WHEN asked_parts[1] = 'apis' AND len(asked_parts) > 3 THEN asked_parts[4:]
            END AS asked_rest
        FROM (
            SELECT *, CASE WHEN asked_by = 'uri' THEN string_split(trim(asked_path, '/'), '/') END AS asked_parts
            FROM asked_paths
        )
    )
)
