-- One row per event: the parts that a write sets in objects of each kind, as JSON arrays.
-- Bodies are looked into only for such writes; a body is long and its parts are short, so each is cut out once.
SELECT
    *,
    CASE
        WHEN NOT is_write OR NOT (
            subresource IS NULL OR (resource = 'pods' AND subresource IN ('ephemeralcontainers', 'resize'))
        ) THEN NULL
        WHEN resource = 'pods' THEN kw_written(request_object, response_object, '$.spec')
        WHEN resource IN (
            'deployments', 'daemonsets', 'statefulsets', 'replicasets', 'replicationcontrollers', 'jobs'
        ) THEN kw_written(request_object, response_object, '$.spec.template.spec')
        WHEN resource = 'cronjobs'
            THEN kw_written(request_object, response_object, '$.spec.jobTemplate.spec.template.spec')
        WHEN resource = 'podtemplates' THEN kw_written(request_object, response_object, '$.template.spec')
    END AS pod_specs,
    CASE
        WHEN NOT is_write OR subresource IS NOT NULL THEN NULL
        WHEN resource = 'pods' THEN kw_written(request_object, response_object, '$.metadata.annotations')
        WHEN resource IN (
            'deployments', 'daemonsets', 'statefulsets', 'replicasets', 'replicationcontrollers', 'jobs'
        ) THEN kw_written(request_object, response_object, '$.spec.template.metadata.annotations')
        WHEN resource = 'cronjobs'
            THEN kw_written(request_object, response_object, '$.spec.jobTemplate.spec.template.metadata.annotations')
        WHEN resource = 'podtemplates'
            THEN kw_written(request_object, response_object, '$.template.metadata.annotations')
    END AS pod_annotations,
    CASE
        WHEN action = 'escalate' THEN kw_written(request_object, response_object, '$.rules')
    END AS role_rules,
    CASE
        WHEN action = 'bind' THEN kw_written(request_object, response_object, '$.roleRef')
    END AS role_refs,
    CASE
        WHEN action = 'bind' THEN kw_written(request_object, response_object, '$.subjects')
    END AS subject_lists,
    CASE
        WHEN is_write AND resource IN ('mutatingwebhookconfigurations', 'validatingwebhookconfigurations')
            THEN kw_written(request_object, response_object, '$.webhooks')
    END AS webhook_lists,
    CASE
        WHEN is_write AND resource = 'certificatesigningrequests'
            THEN kw_written(request_object, response_object, '$.spec')
    END AS certificate_specs,
    CASE
        WHEN is_write AND resource = 'persistentvolumes' AND subresource IS NULL
            THEN kw_written(request_object, response_object, '$.spec')
    END AS volume_specs
FROM authorizations
