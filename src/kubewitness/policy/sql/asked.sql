-- One row per event: what the server knew of its request when it asked the policy (policy/attributes.py says the same of
-- one request). Text is never null, but for the user of a request without one.
SELECT
    * EXCLUDE (asked_path_name, asked_selector, asked_selected_name),
    CASE WHEN asked_subresource = '' THEN asked_resource ELSE asked_resource || '/' || asked_subresource END
        AS asked_combined_resource,
    CASE
        WHEN asked_selector IS NULL THEN asked_path_name
        WHEN asked_selected_name IN ('.', '..') OR contains(asked_selected_name, '/') OR contains(asked_selected_name, '%')
            THEN ''
        ELSE asked_selected_name
    END AS asked_name
FROM (
    SELECT
        *,
        -- A selector that the server cannot read names nothing.
        CASE
            WHEN NOT contains(asked_selector, 'metadata.name') THEN ''
            WHEN regexp_full_match(
                asked_selector,
                '(?s)[^,=\\]*?(?:!=|==?)(?:[^\\,=]|\\[\\,=])*(?:,(?:[^,=\\]*?(?:!=|==?)(?:[^\\,=]|\\[\\,=])*)?)*'
            ) THEN regexp_replace(
                regexp_extract(
                    asked_selector,
                    '(?s)^(?:(?:[^\\,]|\\.)*?,)*?metadata\.name==?((?:[^\\,=]|\\[\\,=])*)(?:,|$)',
                    1
                ),
                '\\(.)', '\1', 'g'
            )
            ELSE ''
        END AS asked_selected_name
    FROM asked_names
)
