-- One row per event: whether it was carried out, whether it was authorised, and by what.
SELECT
    *,
    -- The server writes a code with every answer. Where an export has lost it, what no status tells to have failed is taken
    -- for carried out, which is the safe side. The decision is not asked, so that the same holds for all events of a kind.
    coalesce(
        succeeded,
        CASE WHEN verb IS NOT NULL AND coalesce(stage NOT IN ('RequestReceived', 'Panic'), TRUE) THEN TRUE END
    ) AS carried_out,
    kw_authorized_by(authorization_reason, authorized_binding, allowed, coalesce(impersonated_groups, groups)) AS authorized_by
FROM (
    SELECT
        *,
        kw_authorized_binding(authorization_reason, authorized) AS authorized_binding,
        kw_authorized_role(authorization_reason, authorized) AS authorized_role
    FROM (
        SELECT
            *,
            authorization_parts[2] AS authorization_reason,
            kw_authorized(authorization_parts[2]) AS authorized,
            CASE authorization_parts[1]
                WHEN 'allow' THEN TRUE
                WHEN 'forbid' THEN FALSE
                ELSE CASE
                    -- Without a decision only these codes prove that authorization was passed, or refused.
                    WHEN code BETWEEN 100 AND 399 OR code IN (404, 405, 409, 410, 415, 422) THEN TRUE
                    WHEN code IN (401, 403) THEN FALSE
                END
            END AS allowed
        FROM (
            -- Looked into once for both.
            SELECT
                *,
                CASE
                    WHEN annotations IS NOT NULL THEN json_extract_string(
                        annotations, ['$."authorization.k8s.io/decision"', '$."authorization.k8s.io/reason"']
                    )
                END AS authorization_parts
            FROM requests
        )
    )
)
