-- One row per event: the parts of those documents that facts are made of, parsed once.
SELECT
    *,
    CASE
        WHEN is_pod_write THEN list_filter(
            list_transform(
                documents,
                lambda document: from_json(
                    json_extract(
                        document,
                        CASE resource
                            WHEN 'pods' THEN '$.spec'
                            WHEN 'cronjobs' THEN '$.spec.jobTemplate.spec.template.spec'
                            WHEN 'podtemplates' THEN '$.template.spec'
                            ELSE '$.spec.template.spec'
                        END
                    ),
                    '{
                "hostPID": "BOOLEAN", "hostIPC": "BOOLEAN", "hostNetwork": "BOOLEAN",
                "serviceAccountName": "VARCHAR", "serviceAccount": "VARCHAR",
                "volumes": [{"hostPath": {"path": "VARCHAR"}}],
                "containers": [{
                    "image": "VARCHAR", "command": ["VARCHAR"], "args": ["VARCHAR"], "$patch": "VARCHAR",
                    "securityContext": {"privileged": "BOOLEAN", "capabilities": {"add": ["VARCHAR"]}}
                }],
                "initContainers": [{
                    "image": "VARCHAR", "command": ["VARCHAR"], "args": ["VARCHAR"], "$patch": "VARCHAR",
                    "securityContext": {"privileged": "BOOLEAN", "capabilities": {"add": ["VARCHAR"]}}
                }],
                "ephemeralContainers": [{
                    "image": "VARCHAR", "command": ["VARCHAR"], "args": ["VARCHAR"], "$patch": "VARCHAR",
                    "securityContext": {"privileged": "BOOLEAN", "capabilities": {"add": ["VARCHAR"]}}
                }]
            }'
                )
            ),
            lambda spec: spec IS NOT NULL
        )
    END AS pod_specs,
    CASE
        WHEN is_rbac_write THEN list_transform(
            documents,
            lambda document: from_json(document, '{
                "rules": [{"verbs": ["VARCHAR"], "resources": ["VARCHAR"], "apiGroups": ["VARCHAR"]}],
                "roleRef": {"kind": "VARCHAR", "name": "VARCHAR"},
                "subjects": [{"kind": "VARCHAR", "name": "VARCHAR", "namespace": "VARCHAR"}]
            }')
        )
    END AS rbac_documents
FROM documents
