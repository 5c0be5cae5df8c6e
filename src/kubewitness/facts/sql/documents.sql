-- One row per event: the documents that a write puts into pods, workload templates, roles and bindings.
-- Bodies are looked into only for such writes; `documents` is null for every other event.
SELECT
    *,
    CASE
        WHEN is_pod_write OR is_rbac_write THEN kw_written_documents(request_object, response_object)
    END AS documents
FROM (
    SELECT
        *,
        is_write AND resource IN (
            'pods', 'deployments', 'daemonsets', 'statefulsets', 'replicasets', 'replicationcontrollers', 'jobs', 'cronjobs',
            'podtemplates'
        ) AND (subresource IS NULL OR (resource = 'pods' AND subresource IN ('ephemeralcontainers', 'resize')))
            AS is_pod_write,
        is_write AND subresource IS NULL
            AND resource IN ('roles', 'clusterroles', 'rolebindings', 'clusterrolebindings')
            AND coalesce(api_group, 'rbac.authorization.k8s.io') = 'rbac.authorization.k8s.io' AS is_rbac_write
    FROM authorizations
)
