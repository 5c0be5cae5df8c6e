-- One row per event: who asked, with what verb, and where the parts of the path are to be taken from. Splitting paths is
-- dear: where a path is just what the objectRef says, its parts are known already.
SELECT
    *,
    CASE
        WHEN NOT contains(asked_raw_path, '%') THEN asked_raw_path
        ELSE coalesce(
            try(url_decode(asked_raw_path)),
            try(url_decode(regexp_replace(asked_raw_path, '%[89a-fA-F][0-9a-fA-F]', chr(65533), 'g'))),
            asked_raw_path
        )
    END AS asked_path,
    CASE
        -- No URI, so the objectRef has to do.
        WHEN coalesce(request_uri, '') = '' THEN 'object'
        WHEN contains(asked_raw_path, '%') THEN 'uri'
        WHEN asked_base IS NULL
            THEN CASE WHEN starts_with(ltrim(asked_raw_path, '/'), 'api') THEN 'uri' ELSE 'nothing' END
        -- These have a meaning of their own in a path, and a slash inside a part is two parts.
        WHEN resource IN ('namespaces', 'status', 'finalize', 'watch', 'proxy')
            OR contains(resource, '/') OR contains(api_version, '/') OR contains(coalesce(api_group, ''), '/')
            OR contains(coalesce(namespace, ''), '/') OR contains(coalesce(name, ''), '/')
            THEN 'uri'
        -- The path ends with the resource. A list may name an object in its query; any other name is out of the body.
        WHEN asked_raw_path = asked_base
            THEN CASE WHEN name IS NOT NULL AND verb IN ('list', 'watch') THEN 'uri' ELSE 'kind' END
        WHEN asked_raw_path = asked_base || '/' || name || coalesce('/' || subresource, '') THEN 'name'
        ELSE 'uri'
    END AS asked_by
FROM (
    SELECT
        *,
        CASE WHEN username IS NOT NULL OR len(groups) > 0 THEN coalesce(username, '') END AS asked_user,
        coalesce(groups, []) AS asked_groups,
        coalesce(verb, '') AS asked_verb,
        coalesce(split_part(request_uri, '?', 1), '') AS asked_raw_path,
        CASE WHEN api_group <> '' THEN '/apis/' || api_group || '/' || api_version ELSE '/api/' || api_version END
        || CASE WHEN namespace IS NULL THEN '' ELSE '/namespaces/' || namespace END
        || '/' || resource AS asked_base
    FROM unasked
)
