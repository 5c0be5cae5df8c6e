-- One row per event: the events table.
SELECT
    *,
    CASE
        WHEN name IS NOT NULL THEN name
        WHEN verb = 'create' THEN json_extract_string(response_object, '$.metadata.name')
    END AS object_name,
    pod_facts.owner_kind AS owner_kind,
    pod_facts.privileged AS privileged,
    pod_facts.host_pid AS host_pid,
    pod_facts.host_ipc AS host_ipc,
    pod_facts.host_network AS host_network,
    pod_facts.host_paths AS host_paths,
    pod_facts.capabilities AS capabilities,
    pod_facts.images AS images,
    pod_facts.service_account AS service_account,
    pod_facts.pod_commands AS pod_commands,
    rbac_facts.role_verbs AS role_verbs,
    rbac_facts.role_resources AS role_resources,
    rbac_facts.role_api_groups AS role_api_groups,
    rbac_facts.role_ref_kind AS role_ref_kind,
    rbac_facts.role_ref AS role_ref,
    rbac_facts.subjects AS subjects,
    CASE
        WHEN action IN ('exec', 'attach') THEN array_to_string(kw_query_values(request_uri, 'command'), ' ')
        WHEN action = 'proxy' AND contains(request_uri, '?')
            THEN array_to_string(
                coalesce(kw_query_values(request_uri, 'command'), kw_query_values(request_uri, 'cmd')), ' '
            )
    END AS exec_command,
    CASE
        WHEN action IN ('exec', 'attach') THEN kw_query_values(request_uri, 'container')[1]
    END AS exec_container
FROM objects
