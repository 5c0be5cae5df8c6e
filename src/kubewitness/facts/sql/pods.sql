-- One row per event: facts about pods and the pods of workload templates.
SELECT
    *,
    CASE WHEN pod_specs IS NOT NULL THEN json_extract_string(owner, '$.kind') END AS owner_kind,
    CASE WHEN pod_specs IS NOT NULL THEN json_extract_string(owner, '$.name') END AS owner_name,
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
                flatten(list_transform(
                    containers,
                    lambda container: [
                        array_to_string(list_concat(container.command, container.args), ' '),
                        array_to_string(container.lifecycle.postStart."exec".command, ' '),
                        array_to_string(container.lifecycle.preStop."exec".command, ' '),
                        array_to_string(container.startupProbe."exec".command, ' '),
                        array_to_string(container.livenessProbe."exec".command, ' '),
                        array_to_string(container.readinessProbe."exec".command, ' ')
                    ]
                )),
                lambda command: command <> ''
            ),
            []
        )
    END AS pod_commands,
    CASE
        WHEN containers IS NOT NULL THEN kw_distinct(list_transform(containers, lambda container: container.name))
    END AS container_names,
    CASE WHEN image_registries IS NOT NULL THEN array_to_string(image_registries, ' ') END AS registry_list,
    CASE
        WHEN containers IS NOT NULL THEN list_bool_or(
            list_transform(containers, lambda container: container.securityContext.allowPrivilegeEscalation)
        )
    END AS allow_privilege_escalation,
    CASE
        WHEN securities IS NOT NULL THEN list_bool_or(
            list_transform(securities, lambda security: security.runAsUser = 0 OR NOT security.runAsNonRoot)
        )
    END AS runs_as_root,
    CASE
        WHEN specs IS NOT NULL THEN list_bool_or(list_transform(specs, lambda spec: spec.shareProcessNamespace))
    END AS share_processes,
    CASE
        WHEN securities IS NOT NULL
            THEN list_bool_or(list_transform(securities, lambda security: security.windowsOptions.hostProcess))
    END AS host_process,
    CASE
        WHEN securities IS NOT NULL OR pod_annotations IS NOT NULL THEN kw_distinct(list_concat(
            flatten(list_transform(
                securities,
                lambda security: [
                    CASE WHEN security.seccompProfile.type = 'Unconfined' THEN 'seccomp' END,
                    CASE WHEN security.appArmorProfile.type = 'Unconfined' THEN 'apparmor' END,
                    CASE WHEN security.seLinuxOptions.type IN ('spc_t', 'unconfined_t') THEN 'selinux' END,
                    CASE WHEN security.procMount = 'Unmasked' THEN 'proc' END
                ]
            )),
            -- Before they had fields, the profiles were annotations.
            list_transform(
                kw_pairs(pod_annotations),
                lambda pair: CASE
                    WHEN NOT ends_with(pair, '=unconfined') THEN NULL
                    WHEN starts_with(pair, 'container.apparmor.security.beta.kubernetes.io/') THEN 'apparmor'
                    WHEN regexp_matches(pair, '^(container\.)?seccomp\.security\.alpha\.kubernetes\.io/') THEN 'seccomp'
                END
            )
        ))
    END AS unconfined,
    CASE
        WHEN securities IS NOT NULL THEN kw_distinct(list_transform(
            flatten(list_transform(securities, lambda security: security.sysctls)), lambda sysctl: sysctl.name
        ))
    END AS sysctls,
    CASE
        WHEN containers IS NOT NULL THEN kw_distinct(list_transform(
            flatten(list_transform(containers, lambda container: container.ports)),
            lambda port: CASE WHEN port.hostPort > 0 THEN port.hostPort::VARCHAR END
        ))
    END AS host_ports,
    CASE
        WHEN specs IS NOT NULL THEN kw_distinct(list_transform(
            list_filter(
                flatten(list_transform(specs, lambda spec: spec.volumes)),
                lambda volume: volume.hostPath.path IS NOT NULL
                    -- Read-only is a matter of each mount; a volume without any that is seen may be mounted elsewhere.
                    AND coalesce(
                        list_bool_or(list_transform(
                            list_filter(
                                flatten(list_transform(containers, lambda container: container.volumeMounts)),
                                lambda mount: mount.name = volume.name
                            ),
                            lambda mount: mount.readOnly IS DISTINCT FROM TRUE
                        )),
                        TRUE
                    )
            ),
            lambda volume: kw_clean_path(volume.hostPath.path)
        ))
    END AS writable_host_paths,
    CASE
        WHEN specs IS NOT NULL THEN list_any_value(list_transform(specs, lambda spec: spec.nodeName))
    END AS node_name,
    CASE
        WHEN specs IS NOT NULL
            THEN kw_pairs(to_json(list_transform(specs, lambda spec: spec.nodeSelector))::VARCHAR)
    END AS node_selector,
    CASE
        WHEN specs IS NOT NULL THEN kw_distinct(list_transform(
            flatten(list_transform(specs, lambda spec: spec.tolerations)),
            lambda toleration: CASE
                WHEN coalesce(toleration.key, '') <> '' THEN toleration.key
                WHEN toleration.operator = 'Exists' THEN '*'
            END
        ))
    END AS tolerations
FROM (
    SELECT
        *,
        CASE
            WHEN containers IS NOT NULL
                THEN kw_distinct(list_transform(containers, lambda container: kw_registry(container.image)))
        END AS image_registries
    FROM parts
)
