-- One row per event: whether it was authorised, and by what.
SELECT
    *,
    kw_authorized_binding(kw_reason(annotations)) AS authorized_binding,
    kw_authorized_role(kw_reason(annotations)) AS authorized_role,
    kw_authorized_by(kw_reason(annotations), allowed, coalesce(impersonated_groups, groups)) AS authorized_by
FROM (
    SELECT
        *,
        CASE json_extract_string(annotations, '$."authorization.k8s.io/decision"')
            WHEN 'allow' THEN TRUE
            WHEN 'forbid' THEN FALSE
            ELSE CASE
                -- Without a decision only these codes prove that authorization was passed, or refused.
                WHEN code BETWEEN 100 AND 399 OR code IN (404, 405, 409, 410, 415, 422) THEN TRUE
                WHEN code IN (401, 403) THEN FALSE
            END
        END AS allowed
    FROM requests
)
