-- One row per event: pod specs and their containers, of every kind, parsed once.
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
