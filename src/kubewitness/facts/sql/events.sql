-- One row per event: what a write put into pods, workload templates, roles and bindings; commands out of the URI.
SELECT
    *,
    CASE
        WHEN name IS NOT NULL THEN name
        WHEN verb = 'create' THEN json_extract_string(response_object, '$.metadata.name')
    END AS object_name,
    CASE
        WHEN is_pod_write THEN json_extract_string(documents[1], '$.metadata.ownerReferences[0].kind')
    END AS owner_kind,
    CASE
        WHEN containers IS NOT NULL
            THEN list_bool_or(list_transform(containers, lambda container: container.securityContext.privileged))
    END AS privileged,
    CASE
        WHEN pod_specs IS NOT NULL THEN list_bool_or(list_transform(pod_specs, lambda spec: spec.hostPID))
    END AS host_pid,
    CASE
        WHEN pod_specs IS NOT NULL THEN list_bool_or(list_transform(pod_specs, lambda spec: spec.hostIPC))
    END AS host_ipc,
    CASE
        WHEN pod_specs IS NOT NULL THEN list_bool_or(list_transform(pod_specs, lambda spec: spec.hostNetwork))
    END AS host_network,
    CASE
        WHEN pod_specs IS NOT NULL THEN kw_distinct(list_transform(
            flatten(list_transform(pod_specs, lambda spec: spec.volumes)),
            lambda volume: CASE WHEN volume.hostPath.path = '/' THEN '/' ELSE rtrim(volume.hostPath.path, '/') END
        ))
    END AS host_paths,
    CASE
        WHEN containers IS NOT NULL THEN kw_distinct(list_transform(
            flatten(list_transform(containers, lambda container: container.securityContext.capabilities.add)),
            lambda capability: regexp_replace(upper(capability), '^CAP_', '')
        ))
    END AS capabilities,
    CASE
        WHEN containers IS NOT NULL THEN kw_distinct(list_transform(containers, lambda container: container.image))
    END AS images,
    CASE
        WHEN pod_specs IS NOT NULL
            THEN list_any_value(
                list_transform(pod_specs, lambda spec: coalesce(spec.serviceAccountName, spec.serviceAccount))
            )
    END AS service_account,
    CASE
        WHEN containers IS NOT NULL THEN nullif(
            list_filter(
                list_transform(
                    containers, lambda container: array_to_string(list_concat(container.command, container.args), ' ')
                ),
                lambda command: command <> ''
            ),
            []
        )
    END AS pod_commands,
    CASE
        WHEN role_rules IS NOT NULL THEN kw_distinct(flatten(list_transform(role_rules, lambda rule: rule.verbs)))
    END AS role_verbs,
    CASE
        WHEN role_rules IS NOT NULL THEN kw_distinct(flatten(list_transform(role_rules, lambda rule: rule.resources)))
    END AS role_resources,
    CASE
        WHEN role_rules IS NOT NULL THEN kw_distinct(flatten(list_transform(role_rules, lambda rule: rule.apiGroups)))
    END AS role_api_groups,
    CASE
        WHEN is_rbac_write
            THEN list_any_value(list_transform(rbac_documents, lambda document: document.roleRef.kind))
    END AS role_ref_kind,
    CASE
        WHEN is_rbac_write
            THEN list_any_value(list_transform(rbac_documents, lambda document: document.roleRef.name))
    END AS role_ref,
    CASE
        WHEN is_rbac_write THEN kw_distinct(list_transform(
            flatten(list_transform(rbac_documents, lambda document: document.subjects)),
            lambda subject: coalesce(subject.kind, 'Subject') || ' ' || coalesce(subject.namespace || '/', '') || subject.name
        ))
    END AS subjects,
    CASE
        WHEN action IN ('exec', 'attach', 'proxy') AND contains(request_uri, 'command=')
            THEN array_to_string(kw_query_values(request_uri, 'command'), ' ')
        WHEN action = 'proxy' AND contains(request_uri, 'cmd=')
            THEN array_to_string(kw_query_values(request_uri, 'cmd'), ' ')
    END AS exec_command,
    CASE
        WHEN action IN ('exec', 'attach') THEN kw_query_values(request_uri, 'container')[1]
    END AS exec_container
FROM (
    SELECT
        *,
        CASE
            WHEN pod_specs IS NOT NULL THEN list_filter(
                flatten(list_transform(
                    pod_specs,
                    lambda spec: list_concat(spec.containers, spec.initContainers, spec.ephemeralContainers)
                )),
                lambda container: container IS NOT NULL AND container."$patch" IS DISTINCT FROM 'delete'
            )
        END AS containers,
        CASE
            WHEN is_rbac_write THEN flatten(list_transform(rbac_documents, lambda document: document.rules))
        END AS role_rules
    FROM parsed
)
