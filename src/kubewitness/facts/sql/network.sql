-- One row per event: facts about services and ingresses.
SELECT
    *,
    CASE
        WHEN service_specs IS NOT NULL THEN list_any_value(list_transform(service_specs, lambda spec: spec.type))
    END AS service_type,
    CASE
        WHEN service_specs IS NOT NULL THEN kw_distinct(list_filter(
            flatten(list_transform(
                service_specs,
                lambda spec: list_concat(spec.externalIPs, list_transform(spec.ingress, lambda address: address.ip))
            )),
            lambda address: address <> ''
        ))
    END AS external_ips,
    CASE
        WHEN service_specs IS NOT NULL THEN list_any_value(list_transform(service_specs, lambda spec: spec.externalName))
    END AS external_name,
    CASE
        WHEN service_specs IS NOT NULL THEN kw_distinct(flatten(list_transform(
            service_specs,
            lambda spec: list_transform(
                map_entries(spec.selector), lambda entry: entry.key || '=' || coalesce(entry.value, '')
            )
        )))
    END AS service_selector,
    CASE
        WHEN service_specs IS NOT NULL THEN kw_distinct(flatten(list_transform(
            flatten(list_transform(service_specs, lambda spec: spec.ports)),
            lambda port: [port.port, port.targetPort]
        )))
    END AS service_ports,
    CASE
        WHEN service_specs IS NOT NULL
            THEN kw_distinct(flatten(list_transform(service_specs, lambda spec: spec.loadBalancerSourceRanges)))
    END AS source_ranges,
    CASE
        WHEN resource = 'services' AND object_annotations IS NOT NULL THEN len(list_filter(
            object_annotations,
            -- What the clouds take for it: Azure, AWS (two), GKE (two), OpenStack, Oracle, IBM, Alibaba.
            lambda annotation: regexp_matches(
                annotation,
                '(?i)/(azure|aws|oci)-load-balancer-internal=(true|0\.0\.0\.0/0)$|/openstack-internal-load-balancer=true$'
                || '|aws-load-balancer-scheme=internal$|/load-balancer-type=internal$'
                || '|ibm-load-balancer-cloud-provider-ip-type=private$|-address-type=intranet$'
            )
        )) > 0
    END AS load_balancer_internal,
    CASE
        WHEN list_bool_or(list_transform(ingress_specs, lambda spec: len(spec.tls) > 0)) THEN TRUE
        -- A patch that says nothing of where traffic goes may leave TLS as it was.
        WHEN list_bool_or(list_transform(
            ingress_specs, lambda spec: spec.rules IS NOT NULL OR spec.defaultBackend IS NOT NULL OR spec.tls IS NOT NULL
        )) THEN FALSE
    END AS ingress_tls
FROM settings
