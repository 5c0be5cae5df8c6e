-- One row per event: labels and annotations of what is written, and the settings of objects other than pods and roles.
-- Bodies are looked into only for writes of such objects.
SELECT
    *,
    CASE
        WHEN NOT is_write THEN NULL
        WHEN resource = 'services' AND subresource IS NULL
            THEN from_json(kw_written(request_object, response_object, '$.spec'), kw_service_specs())
        WHEN resource = 'services' AND subresource = 'status'
            THEN from_json(kw_written(request_object, response_object, '$.status.loadBalancer'), kw_service_specs())
    END AS service_specs,
    CASE
        WHEN is_write AND resource = 'ingresses' AND subresource IS NULL
            THEN from_json(kw_written(request_object, response_object, '$.spec'), kw_ingress_specs())
    END AS ingress_specs,
    CASE
        WHEN is_write AND subresource IS NULL
            THEN kw_pairs(kw_written(request_object, response_object, '$.metadata.labels'))
    END AS object_labels,
    CASE
        WHEN verb = 'patch' AND starts_with(request_object, '[') THEN kw_distinct(list_transform(
            from_json(request_object, '[{"op":"VARCHAR","path":"VARCHAR"}]'),
            lambda operation: operation.op || ' ' || operation.path
        ))
    END AS patch_operations,
    CASE
        WHEN verb = 'patch' AND subresource IS NULL AND contains(request_object, 'labels')
            THEN kw_removed_labels(request_object)
    END AS removed_labels,
    CASE
        WHEN is_write AND subresource IS NULL
            THEN kw_pairs(kw_written(request_object, response_object, '$.metadata.annotations'))
    END AS object_annotations,
    CASE
        WHEN is_write AND resource = 'configmaps' THEN kw_written(request_object, response_object, '$.data')
    END AS config_data,
    CASE
        WHEN is_write AND coalesce(subresource, 'scale') = 'scale' AND resource IN (
            'deployments', 'statefulsets', 'replicasets', 'replicationcontrollers'
        ) THEN list_any_value(from_json(kw_asked(verb, request_object, response_object, '$.spec.replicas'), '["INTEGER"]'))
    END AS replicas,
    CASE
        WHEN is_write AND resource = 'nodes' AND subresource IS NULL THEN list_bool_or(
            from_json(kw_asked(verb, request_object, response_object, '$.spec.unschedulable'), '["BOOLEAN"]')
        )
    END AS unschedulable,
    CASE
        WHEN verb = 'patch' AND subresource IS NULL AND resource IN (
            'services', 'ingresses', 'nodes', 'deployments', 'daemonsets', 'statefulsets', 'replicasets', 'cronjobs'
        ) THEN kw_distinct(flatten(
            list_transform(kw_documents(request_object), lambda document: json_keys(document, '$.spec'))
        ))
    END AS patched_spec
FROM roles
