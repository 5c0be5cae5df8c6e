-- One row per event: the events table.
SELECT
    *,
    CASE
        WHEN name IS NOT NULL THEN name
        WHEN verb = 'create' THEN coalesce(
            json_extract_string(response_object, '$.metadata.name'), json_extract_string(request_object, '$.metadata.name')
        )
    END AS object_name,
    CASE
        WHEN pod_specs IS NOT NULL THEN json_extract_string(
            CASE WHEN response_object IS NOT NULL THEN response_object ELSE request_object END,
            '$.metadata.ownerReferences[0].kind'
        )
    END AS owner_kind,
    CASE
        WHEN containers IS NOT NULL
            THEN list_bool_or(list_transform(containers, lambda container: container.securityContext.privileged))
    END AS privileged,
    CASE
        WHEN specs IS NOT NULL THEN list_bool_or(list_transform(specs, lambda spec: spec.hostPID))
    END AS host_pid,
    CASE
        WHEN specs IS NOT NULL THEN list_bool_or(list_transform(specs, lambda spec: spec.hostIPC))
    END AS host_ipc,
    CASE
        WHEN specs IS NOT NULL THEN list_bool_or(list_transform(specs, lambda spec: spec.hostNetwork))
    END AS host_network,
    CASE
        WHEN specs IS NOT NULL THEN kw_distinct(list_transform(
            flatten(list_transform(specs, lambda spec: spec.volumes)),
            lambda volume: kw_clean_path(volume.hostPath.path)
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
        WHEN specs IS NOT NULL THEN list_any_value(
            list_transform(specs, lambda spec: coalesce(spec.serviceAccountName, spec.serviceAccount))
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
        WHEN role_rules IS NOT NULL THEN kw_distinct(json_extract_string(role_rules, '$[*][*].verbs[*]'))
    END AS role_verbs,
    CASE
        WHEN role_rules IS NOT NULL THEN kw_distinct(json_extract_string(role_rules, '$[*][*].resources[*]'))
    END AS role_resources,
    CASE
        WHEN role_rules IS NOT NULL THEN kw_distinct(json_extract_string(role_rules, '$[*][*].apiGroups[*]'))
    END AS role_api_groups,
    CASE WHEN role_refs IS NOT NULL THEN json_extract_string(role_refs, '$[*].kind')[1] END AS role_ref_kind,
    CASE WHEN role_refs IS NOT NULL THEN json_extract_string(role_refs, '$[*].name')[1] END AS role_ref,
    CASE
        WHEN subject_lists IS NOT NULL THEN kw_distinct(list_transform(
            flatten(from_json(
                subject_lists, '[[{"kind": "VARCHAR", "name": "VARCHAR", "namespace": "VARCHAR"}]]'
            )),
            lambda subject: coalesce(subject.kind, 'Subject') || ' ' || coalesce(subject.namespace || '/', '') || subject.name
        ))
    END AS subjects,
    CASE
        WHEN action IN ('exec', 'attach') THEN kw_query_text(request_uri, kw_command_pattern())
        WHEN action = 'proxy' AND contains(request_uri, '?') THEN coalesce(
            kw_query_text(request_uri, kw_command_pattern()), kw_query_text(request_uri, kw_cmd_pattern())
        )
    END AS exec_command,
    CASE
        WHEN action IN ('exec', 'attach') THEN kw_query_text(request_uri, kw_container_pattern())
    END AS exec_container
FROM network
