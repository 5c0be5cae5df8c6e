-- One row per event: labels and annotations of what is written, and the settings of objects other than pods and roles.
SELECT
    *,
    CASE WHEN resource = 'services' THEN from_json(written[3], kw_service_specs()) END AS service_specs,
    CASE WHEN resource = 'ingresses' THEN from_json(written[3], kw_ingress_specs()) END AS ingress_specs,
    CASE WHEN subresource IS NULL AND written_labels IS NOT NULL THEN kw_pairs(written_labels) END AS object_labels,
    CASE
        WHEN verb = 'patch' AND starts_with(request_object, '[') THEN kw_distinct(list_transform(
            from_json(request_object, '[{"op":"VARCHAR","path":"VARCHAR"}]'),
            lambda operation: operation.op || ' ' || operation.path
        ))
    END AS patch_operations,
    CASE
        WHEN verb <> 'patch' OR subresource IS NOT NULL THEN NULL
        WHEN request_parts IS NOT NULL THEN kw_nulled_labels(request_parts[1])
        WHEN starts_with(request_object, '[') AND contains(request_object, 'labels') THEN kw_removed_labels(request_object)
    END AS removed_labels,
    CASE
        WHEN subresource IS NULL AND written_annotations IS NOT NULL THEN kw_pairs(written_annotations)
    END AS object_annotations,
    CASE WHEN resource = 'configmaps' THEN written[3] END AS config_data,
    CASE
        WHEN is_write AND resource IN (
            'deployments', 'statefulsets', 'replicasets', 'replicationcontrollers'
        ) THEN list_any_value(
            from_json(kw_asked(verb, response_parts, request_parts, patched_parts, 6), '["INTEGER"]')
        )
    END AS replicas,
    CASE
        WHEN is_write AND resource = 'nodes' THEN list_bool_or(
            from_json(kw_asked(verb, response_parts, request_parts, patched_parts, 3), '["BOOLEAN"]')
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
