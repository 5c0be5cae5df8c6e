-- One row per event: what a write put into pods, workload templates, roles and bindings.
-- Bodies are looked into only for such writes.
SELECT
    *,
    CASE
        WHEN NOT is_write OR NOT (
            subresource IS NULL OR (resource = 'pods' AND subresource IN ('ephemeralcontainers', 'resize'))
        ) THEN NULL
        WHEN resource = 'pods' THEN kw_pod_facts(request_object, response_object, '$.spec')
        WHEN resource IN (
            'deployments', 'daemonsets', 'statefulsets', 'replicasets', 'replicationcontrollers', 'jobs'
        ) THEN kw_pod_facts(request_object, response_object, '$.spec.template.spec')
        WHEN resource = 'cronjobs'
            THEN kw_pod_facts(request_object, response_object, '$.spec.jobTemplate.spec.template.spec')
        WHEN resource = 'podtemplates' THEN kw_pod_facts(request_object, response_object, '$.template.spec')
    END AS pod_facts,
    CASE
        WHEN action IN ('bind', 'escalate') THEN kw_rbac_facts(request_object, response_object)
    END AS rbac_facts
FROM authorizations
