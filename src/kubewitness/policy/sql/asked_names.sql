-- One row per event: resource, subresource and name that the path gives, and the field selector that may name an object.
SELECT
    * EXCLUDE (asked_special, asked_rest, asked_by, asked_raw_path, asked_base),
    CASE
        WHEN asked_by = 'uri' THEN coalesce(asked_rest[1], '')
        WHEN asked_by = 'nothing' THEN ''
        ELSE coalesce(resource, '')
    END AS asked_resource,
    CASE
        WHEN asked_by = 'uri' THEN CASE WHEN asked_special = 'proxy' THEN '' ELSE coalesce(asked_rest[3], '') END
        WHEN asked_by IN ('name', 'object') THEN coalesce(subresource, '')
        ELSE ''
    END AS asked_subresource,
    CASE
        WHEN asked_by = 'uri' THEN coalesce(asked_rest[2], '')
        WHEN asked_by IN ('name', 'object') THEN coalesce(name, '')
        ELSE ''
    END AS asked_path_name,
    -- The first parameter of that name; what holds a semicolon or a wrong escape is no parameter.
    CASE
        WHEN asked_by = 'uri' AND is_resource_request AND asked_special IS NULL AND verb IN ('list', 'watch')
            AND coalesce(asked_rest[2], '') = '' AND contains(request_uri, '?')
            THEN list_transform(
                list_filter(
                    string_split(substr(request_uri, strpos(request_uri, '?') + 1), '&'),
                    lambda part: NOT contains(part, ';')
                        AND NOT regexp_matches(part, '%(?:[^0-9a-fA-F]|.[^0-9a-fA-F]|.?$)')
                        AND kw_unescape(split_part(part, '=', 1)) = 'fieldSelector'
                )[:1],
                lambda part: kw_unescape(CASE WHEN contains(part, '=') THEN substr(part, strpos(part, '=') + 1) ELSE '' END)
            )[1]
    END AS asked_selector
FROM asked_parts
