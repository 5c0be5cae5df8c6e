-- One row per event: pod specs, their containers and the security settings of both, of every kind, parsed once.
SELECT
    *,
    CASE
        WHEN specs IS NOT NULL THEN list_concat(
            list_transform(specs, lambda spec: spec.securityContext),
            list_transform(containers, lambda container: container.securityContext)
        )
    END AS securities
FROM (
    SELECT
        *,
        CASE
            WHEN specs IS NOT NULL THEN list_filter(
                flatten(list_transform(
                    specs, lambda spec: list_concat(spec.containers, spec.initContainers, spec.ephemeralContainers)
                )),
                -- A strategic merge patch names the containers that it deletes.
                lambda container: container IS NOT NULL AND container."$patch" IS DISTINCT FROM 'delete'
            )
        END AS containers
    FROM (
        SELECT *, CASE WHEN pod_specs IS NOT NULL THEN from_json(pod_specs, kw_specs()) END AS specs
        FROM objects
    )
)
