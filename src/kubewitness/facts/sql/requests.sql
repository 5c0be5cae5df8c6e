-- One row per event: what was asked, by whom, from where. Cheap, from the event's head alone.
SELECT
    *,
    coalesce(request_received_at, older_timestamp, stage_at, logged_at) AS happened_at,
    CASE
        WHEN actor IS NULL THEN NULL
        WHEN starts_with(actor, 'system:') THEN CASE
            WHEN starts_with(actor, 'system:serviceaccount:') THEN 'service_account'
            WHEN starts_with(actor, 'system:node:') THEN 'node'
            WHEN actor = 'system:anonymous' THEN 'anonymous'
            WHEN actor IN (
                'system:apiserver', 'system:kube-controller-manager', 'system:kube-scheduler', 'system:kube-proxy',
                'system:cloud-controller-manager'
            ) THEN 'control_plane'
            ELSE 'user'
        END
        WHEN actor IN (
            'aksService', 'hcpService', 'acsService', 'readinessChecker', 'eks:cloud-controller-manager', 'eks:k8s-metrics',
            'eks:addon-manager', 'eks:node-manager'
        ) THEN 'control_plane'
        ELSE 'user'
    END AS actor_kind,
    CASE
        WHEN starts_with(actor, 'system:serviceaccount:') THEN nullif(split_part(actor, ':', 3), '')
    END AS actor_namespace,
    token[1] AS credential_id,
    token[2] AS bound_pod,
    token[3] AS bound_node,
    CASE
        WHEN subresource = 'token'
            THEN json_extract_string(annotations, '$."authentication.kubernetes.io/issued-credential-id"')
    END AS issued_credential_id,
    regexp_extract_all(user_agent, '^[^/ ]+')[1] AS user_agent_family,
    kw_network(source_ip) AS source_network,
    kw_is_private(source_ip) AS source_is_private,
    kw_path(request_uri) AS request_path,
    coalesce(
        CASE
            WHEN subresource IS NOT NULL THEN CASE
                WHEN subresource IN ('status', 'scale', 'log', 'binding', 'finalize') THEN NULL
                WHEN subresource = 'exec' AND resource = 'pods' THEN 'exec'
                WHEN subresource = 'attach' AND resource = 'pods' THEN 'attach'
                WHEN subresource = 'portforward' AND resource = 'pods' THEN 'port_forward'
                WHEN subresource = 'proxy' AND resource IN ('nodes', 'pods', 'services') THEN 'proxy'
                WHEN subresource = 'token' AND resource = 'serviceaccounts' AND verb = 'create' THEN 'token_request'
                WHEN subresource = 'eviction' AND resource = 'pods' AND verb = 'create' THEN 'evict'
                WHEN subresource = 'ephemeralcontainers' AND resource = 'pods' AND is_write THEN 'ephemeral_container'
                WHEN subresource = 'approval' AND resource = 'certificatesigningrequests' AND is_write THEN 'approve'
            END
            WHEN is_write
                AND coalesce(api_group IN ('rbac.authorization.k8s.io', 'authorization.openshift.io'), TRUE) THEN CASE
                WHEN resource IN ('rolebindings', 'clusterrolebindings') THEN 'bind'
                WHEN resource IN ('roles', 'clusterroles') THEN 'escalate'
            END
        END,
        CASE WHEN impersonated THEN 'impersonate' END
    ) AS action,
    CASE
        WHEN request_uri IS NULL THEN NULL
        -- Reads, streams and token requests are carried out all the same: the server does not heed the parameter there.
        WHEN verb NOT IN ('create', 'update', 'patch', 'delete', 'deletecollection')
            OR subresource IN ('exec', 'attach', 'portforward', 'proxy', 'token') THEN FALSE
        -- A delete that has a body takes its options from there alone; whether it has one, only some levels show.
        WHEN starts_with(verb, 'delete') AND request_object IS NOT NULL
            THEN list_contains(json_extract_string(request_object, '$.dryRun[*]'), 'All')
        WHEN starts_with(verb, 'delete') AND (level IS NULL OR level = 'Metadata' OR stage = 'RequestReceived' OR truncated)
            THEN NULL
        -- Written in any other way than this, it is taken for the real thing, which is the safe side. It must be a parameter
        -- of its own: inside another one, or with a semicolon, the server does not see it.
        WHEN contains(request_uri, 'dryRun=All') THEN regexp_matches(request_uri, '^[^?]*\?(?:[^&]*&)*dryRun=All(?:&|$)')
        ELSE FALSE
    END AS dry_run,
    CASE
        WHEN code > 0 THEN code BETWEEN 200 AND 299 OR code = 101
        WHEN status = 'Failure' OR status_reason IS NOT NULL THEN FALSE
        WHEN status = 'Success' THEN TRUE
    END AS succeeded
FROM (
    -- What the rest is made of stands a floor below: a name that is used twice is else computed twice.
    SELECT
        *,
        coalesce(nullif(impersonated_username, ''), nullif(username, '')) AS actor,
        source_ips[-1] AS source_ip,
        -- Looked into once for all three.
        CASE
            WHEN user_extra IS NOT NULL THEN json_extract_string(
                user_extra,
                [
                    '$."authentication.kubernetes.io/credential-id"[0]',
                    '$."authentication.kubernetes.io/pod-name"[0]',
                    '$."authentication.kubernetes.io/node-name"[0]'
                ]
            )
        END AS token,
        verb IN ('create', 'update', 'patch') AS is_write,
        impersonated_username IS NOT NULL
            OR coalesce(code = 403 AND contains(status_message, 'cannot impersonate'), FALSE) AS impersonated
    FROM decoded
)
