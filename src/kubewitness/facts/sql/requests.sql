-- One row per event: what was asked, by whom, from where. Cheap, from the event's head alone.
SELECT
    *,
    coalesce(request_received_at, older_timestamp, stage_at, logged_at) AS happened_at,
    coalesce(nullif(impersonated_username, ''), nullif(username, '')) AS actor,
    CASE
        WHEN actor = 'system:anonymous' THEN 'anonymous'
        WHEN starts_with(actor, 'system:serviceaccount:') THEN 'service_account'
        WHEN starts_with(actor, 'system:node:') THEN 'node'
        WHEN actor IN (
            'system:apiserver', 'system:kube-controller-manager', 'system:kube-scheduler', 'system:kube-proxy',
            'system:cloud-controller-manager', 'aksService', 'hcpService', 'acsService', 'readinessChecker',
            'eks:cloud-controller-manager', 'eks:k8s-metrics', 'eks:addon-manager', 'eks:node-manager'
        ) THEN 'control_plane'
        WHEN actor IS NOT NULL THEN 'user'
    END AS actor_kind,
    impersonated_username IS NOT NULL
        OR coalesce(code = 403 AND contains(status_message, 'cannot impersonate'), FALSE) AS impersonated,
    source_ips[-1] AS source_ip,
    kw_network(source_ip) AS source_network,
    kw_path(request_uri) AS request_path,
    verb IN ('create', 'update', 'patch') AS is_write,
    CASE
        WHEN subresource = 'exec' AND resource = 'pods' THEN 'exec'
        WHEN subresource = 'attach' AND resource = 'pods' THEN 'attach'
        WHEN subresource = 'portforward' AND resource = 'pods' THEN 'port_forward'
        WHEN subresource = 'proxy' AND resource IN ('nodes', 'pods', 'services') THEN 'proxy'
        WHEN subresource = 'token' AND resource = 'serviceaccounts' AND verb = 'create' THEN 'token_request'
        WHEN subresource = 'eviction' AND resource = 'pods' AND verb = 'create' THEN 'evict'
        WHEN subresource = 'ephemeralcontainers' AND resource = 'pods' AND is_write THEN 'ephemeral_container'
        WHEN subresource = 'approval' AND resource = 'certificatesigningrequests' AND is_write THEN 'approve'
        WHEN subresource IS NULL AND is_write AND resource IN ('rolebindings', 'clusterrolebindings')
            AND coalesce(api_group, 'rbac.authorization.k8s.io') = 'rbac.authorization.k8s.io' THEN 'bind'
        WHEN subresource IS NULL AND is_write AND resource IN ('roles', 'clusterroles')
            AND coalesce(api_group, 'rbac.authorization.k8s.io') = 'rbac.authorization.k8s.io' THEN 'escalate'
        WHEN impersonated THEN 'impersonate'
    END AS action,
    CASE
        WHEN request_uri IS NULL THEN NULL
        WHEN contains(request_uri, 'dryRun=') THEN regexp_matches(request_uri, '[?&]dryRun=[^&]')
        WHEN verb IN ('delete', 'deletecollection') AND request_object IS NOT NULL
            THEN coalesce(json_type(request_object, '$.dryRun[0]') IS NOT NULL, FALSE)
        ELSE FALSE
    END AS dry_run,
    code BETWEEN 200 AND 299 OR code = 101 AS succeeded
FROM decoded
