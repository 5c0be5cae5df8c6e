-- One row per event: the events table. Looking for a key as text is a tenth of the price of parsing, and most have none.
SELECT
    *,
    CASE
        WHEN name IS NOT NULL THEN name
        WHEN verb = 'create' THEN json_extract_string(response_object, '$.metadata.name')
    END AS object_name,
    CASE
        WHEN pod_specs IS NOT NULL THEN json_extract_string(
            CASE WHEN response_object IS NOT NULL THEN response_object ELSE request_object END,
            '$.metadata.ownerReferences[0].kind'
        )
    END AS owner_kind,
    CASE
        WHEN contains(pod_specs, '"privileged"')
            THEN kw_any_true(kw_in_containers(pod_specs, '.securityContext.privileged'))
    END AS privileged,
    CASE WHEN contains(pod_specs, '"hostPID"') THEN kw_any_true(json_extract_string(pod_specs, '$[*].hostPID')) END AS host_pid,
    CASE WHEN contains(pod_specs, '"hostIPC"') THEN kw_any_true(json_extract_string(pod_specs, '$[*].hostIPC')) END AS host_ipc,
    CASE
        WHEN contains(pod_specs, '"hostNetwork"')
            THEN kw_any_true(json_extract_string(pod_specs, '$[*].hostNetwork'))
    END AS host_network,
    CASE
        WHEN contains(pod_specs, '"hostPath"') THEN kw_distinct(list_transform(
            json_extract_string(pod_specs, '$[*].volumes[*].hostPath.path'), lambda path: kw_clean_path(path)
        ))
    END AS host_paths,
    CASE
        WHEN contains(pod_specs, '"capabilities"') AND contains(pod_specs, '"add"') THEN kw_distinct(list_transform(
            kw_in_containers(pod_specs, '.securityContext.capabilities.add[*]'),
            lambda capability: regexp_replace(upper(capability), '^CAP_', '')
        ))
    END AS capabilities,
    CASE
        -- A volume may have an image too, but that is an object.
        WHEN pod_specs IS NOT NULL THEN kw_distinct(
            list_filter(kw_in_containers(pod_specs, '.image'), lambda image: NOT starts_with(image, '{'))
        )
    END AS images,
    CASE
        WHEN pod_specs IS NOT NULL THEN coalesce(
            json_extract_string(pod_specs, '$[*].serviceAccountName')[1],
            json_extract_string(pod_specs, '$[*].serviceAccount')[1]
        )
    END AS service_account,
    CASE
        WHEN contains(pod_specs, '"command"') OR contains(pod_specs, '"args"') THEN nullif(
            list_filter(
                list_transform(
                    list_concat(
                        json_extract(pod_specs, '$[*].containers[*]'),
                        json_extract(pod_specs, '$[*].initContainers[*]'),
                        json_extract(pod_specs, '$[*].ephemeralContainers[*]')
                    ),
                    lambda container: array_to_string(
                        list_concat(
                            json_extract_string(container, '$.command[*]'), json_extract_string(container, '$.args[*]')
                        ),
                        ' '
                    )
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
FROM objects
