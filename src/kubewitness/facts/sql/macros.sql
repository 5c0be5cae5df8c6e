-- Functions over single values; every one returns null for absent input and none can fail.

-- The part of a request URI before its query.
CREATE OR REPLACE TEMP MACRO kw_path(uri) AS split_part(uri, '?', 1);

-- Text out of a query, decoded. Bytes that are no UTF-8 become U+FFFD: they must not hide what stands beside them.
CREATE OR REPLACE TEMP MACRO kw_unescape(text) AS
    CASE
        WHEN NOT contains(text, '%') THEN replace(text, '+', ' ')
        ELSE coalesce(
            try(url_decode(replace(text, '+', ' '))),
            try(url_decode(regexp_replace(replace(text, '+', ' '), '%[89a-fA-F][0-9a-fA-F]', chr(65533), 'g'))),
            text
        )
    END;

-- Values of a query parameter of a request URI, decoded, joined by spaces; null without that parameter. The pattern is for
-- the parameter's name, any letter of which may be escaped: hiding it so must not hide its value.
CREATE OR REPLACE TEMP MACRO kw_query_text(uri, pattern) AS
    list_filter(
        [
            list_aggregate(
                list_transform(
                    regexp_extract_all(uri, '[?&]' || pattern || '=([^&]*)', 1), lambda value: kw_unescape(value)
                ),
                'string_agg',
                ' '
            )
        ],
        lambda text: text <> ''
    )[1];
CREATE OR REPLACE TEMP MACRO kw_command_pattern() AS '(?:c|%63)(?:o|%6[fF])(?:m|%6[dD])(?:m|%6[dD])(?:a|%61)(?:n|%6[eE])(?:d|%64)';
CREATE OR REPLACE TEMP MACRO kw_cmd_pattern() AS '(?:c|%63)(?:m|%6[dD])(?:d|%64)';
CREATE OR REPLACE TEMP MACRO kw_container_pattern() AS '(?:c|%63)(?:o|%6[fF])(?:n|%6[eE])(?:t|%74)(?:a|%61)(?:i|%69)(?:n|%6[eE])(?:e|%65)(?:r|%72)';

-- A path of a node as it is meant: one slash for several, no `.`, none at the end.
CREATE OR REPLACE TEMP MACRO kw_clean_path(path) AS
    CASE
        WHEN path <> '' THEN coalesce(nullif(rtrim(regexp_replace(path || '/', '/(\.?/)+', '/', 'g'), '/'), ''), '/')
    END;

-- Whether an address is one that the internet does not route to: RFC 1918, RFC 6598, RFC 4193, loopback, link-local.
CREATE OR REPLACE TEMP MACRO kw_is_private(ip) AS
    CASE
        WHEN starts_with(ip, '10.') OR starts_with(ip, '127.') OR starts_with(ip, '192.168.') OR starts_with(ip, '169.254.')
            THEN TRUE
        WHEN starts_with(ip, '172.') THEN coalesce(try_cast(split_part(ip, '.', 2) AS INTEGER) BETWEEN 16 AND 31, FALSE)
        WHEN starts_with(ip, '100.') THEN coalesce(try_cast(split_part(ip, '.', 2) AS INTEGER) BETWEEN 64 AND 127, FALSE)
        WHEN contains(ip, ':') THEN regexp_matches(
            ip, '(?i)^(::1$|f[cd]|fe[89ab]|::ffff:(10|127|192\.168|169\.254|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.)'
        )
        WHEN ip IS NOT NULL THEN FALSE
    END;

-- JSON Patch (RFC 6902) as documents of the shape that a merge patch would have, one per operation that sets a value:
-- {"op":"add","path":"/spec/containers/-","value":V} becomes {"spec":{"containers":[V]}}.
CREATE OR REPLACE TEMP MACRO kw_patch_documents(patch) AS
    list_transform(
        list_filter(
            from_json(patch, '[{"op":"VARCHAR","path":"VARCHAR","value":"JSON"}]'),
            lambda operation: operation.op IN ('add', 'replace')
                AND operation.value IS NOT NULL
                AND (operation.path = '' OR starts_with(operation.path, '/'))
        ),
        lambda operation: list_reduce(
            list_reverse(string_split(operation.path, '/')[2:]),
            lambda document, key: CASE
                WHEN regexp_matches(key, '^(\d+|-)$') THEN '[' || document || ']'
                ELSE '{' || to_json(replace(replace(key, '~1', '/'), '~0', '~'))::VARCHAR || ':' || document || '}'
            END,
            operation.value::VARCHAR
        )::JSON
    );

-- What facts look at in a body, all of it in one parse; null for a body that is no object. Places in the list:
-- 1 labels, 2 annotations, and where the kind of object has more: 3 what it is about, 4 its owner (of a binding: its
-- subjects), 5 annotations of its pods, 6 replicas.
CREATE OR REPLACE TEMP MACRO kw_parts(body, resource, subresource) AS
    CASE
        WHEN NOT starts_with(body, '{') THEN NULL
        WHEN subresource IS NULL OR (resource = 'pods' AND subresource IN ('ephemeralcontainers', 'resize')) OR (
            subresource = 'scale' AND resource IN ('deployments', 'statefulsets', 'replicasets', 'replicationcontrollers')
        ) THEN CASE
            WHEN resource = 'pods' THEN json_extract(
                body, ['$.metadata.labels', '$.metadata.annotations', '$.spec', '$.metadata.ownerReferences[0]']
            )
            WHEN resource IN (
                'deployments', 'daemonsets', 'statefulsets', 'replicasets', 'replicationcontrollers', 'jobs'
            ) THEN json_extract(
                body,
                [
                    '$.metadata.labels', '$.metadata.annotations', '$.spec.template.spec', '$.metadata.ownerReferences[0]',
                    '$.spec.template.metadata.annotations', '$.spec.replicas'
                ]
            )
            WHEN resource = 'cronjobs' THEN json_extract(
                body,
                [
                    '$.metadata.labels', '$.metadata.annotations', '$.spec.jobTemplate.spec.template.spec',
                    '$.metadata.ownerReferences[0]', '$.spec.jobTemplate.spec.template.metadata.annotations'
                ]
            )
            WHEN resource = 'podtemplates' THEN json_extract(
                body,
                [
                    '$.metadata.labels', '$.metadata.annotations', '$.template.spec', '$.metadata.ownerReferences[0]',
                    '$.template.metadata.annotations'
                ]
            )
            WHEN resource IN ('roles', 'clusterroles')
                THEN json_extract(body, ['$.metadata.labels', '$.metadata.annotations', '$.rules'])
            WHEN resource IN ('rolebindings', 'clusterrolebindings')
                THEN json_extract(body, ['$.metadata.labels', '$.metadata.annotations', '$.roleRef', '$.subjects'])
            WHEN resource IN ('mutatingwebhookconfigurations', 'validatingwebhookconfigurations')
                THEN json_extract(body, ['$.metadata.labels', '$.metadata.annotations', '$.webhooks'])
            WHEN resource IN ('services', 'ingresses', 'certificatesigningrequests', 'persistentvolumes')
                THEN json_extract(body, ['$.metadata.labels', '$.metadata.annotations', '$.spec'])
            WHEN resource = 'configmaps'
                THEN json_extract(body, ['$.metadata.labels', '$.metadata.annotations', '$.data'])
            WHEN resource = 'nodes'
                THEN json_extract(body, ['$.metadata.labels', '$.metadata.annotations', '$.spec.unschedulable'])
            ELSE json_extract(body, ['$.metadata.labels', '$.metadata.annotations'])
        END
        WHEN resource = 'services' AND subresource = 'status' THEN [NULL, NULL, json_extract(body, '$.status.loadBalancer')]
        WHEN resource = 'configmaps' THEN [NULL, NULL, json_extract(body, '$.data')]
        WHEN resource = 'certificatesigningrequests' THEN [NULL, NULL, json_extract(body, '$.spec')]
        WHEN resource IN ('mutatingwebhookconfigurations', 'validatingwebhookconfigurations')
            THEN [NULL, NULL, json_extract(body, '$.webhooks')]
    END;

-- One part (see `kw_parts`) of the object that a write sets, as a JSON array: of the whole object out of the response where
-- it is there, else of the request's body, which for a JSON Patch is one small document per operation. Null when nothing
-- stands there.
CREATE OR REPLACE TEMP MACRO kw_written(response, request, patched, place) AS
    '[' || coalesce(
        response[place]::VARCHAR,
        request[place]::VARCHAR,
        CASE
            WHEN patched IS NOT NULL
                THEN list_aggregate(list_transform(patched, lambda parts: parts[place]::VARCHAR), 'string_agg', ',')
        END
    ) || ']';

-- One part of what a write asks for, as a JSON array: what a patch itself sets, where its body is there, since the answer
-- also holds what was so before.
CREATE OR REPLACE TEMP MACRO kw_asked(verb, response, request, patched, place) AS
    kw_written(
        CASE WHEN verb = 'patch' AND (request IS NOT NULL OR patched IS NOT NULL) THEN NULL ELSE response END,
        request,
        patched,
        place
    );

-- Lists as facts hold them: without nulls and repetitions; null when nothing is left. What is used twice in a macro is
-- computed twice (`nullif` is one too); what a lambda is given is not.
CREATE OR REPLACE TEMP MACRO kw_distinct(list) AS
    list_filter([list_sort(list_distinct(list))], lambda one: len(one) > 0)[1];

-- The documents of a request's body: the body itself, or the small ones that a JSON Patch amounts to.
CREATE OR REPLACE TEMP MACRO kw_documents(request) AS
    CASE WHEN starts_with(request, '{') THEN [request] WHEN starts_with(request, '[') THEN kw_patch_documents(request) END;

-- What facts about services and ingresses are made of, as structures for from_json. A service's status has its part
-- `ingress` where the other has the rest.
CREATE OR REPLACE TEMP MACRO kw_service_specs() AS
    '[{"type": "VARCHAR", "externalIPs": ["VARCHAR"], "externalName": "VARCHAR", "selector": "MAP(VARCHAR, VARCHAR)",'
    || ' "loadBalancerSourceRanges": ["VARCHAR"], "ports": [{"port": "VARCHAR", "targetPort": "VARCHAR"}],'
    || ' "ingress": [{"ip": "VARCHAR"}]}]';
CREATE OR REPLACE TEMP MACRO kw_ingress_specs() AS '[{"tls": ["JSON"], "rules": ["JSON"], "defaultBackend": "JSON"}]';

-- What facts about pods are made of, as a structure for from_json. Pods and containers have the same security settings.
CREATE OR REPLACE TEMP MACRO kw_security() AS
    '{"privileged": "BOOLEAN", "allowPrivilegeEscalation": "BOOLEAN", "runAsUser": "BIGINT", "runAsNonRoot": "BOOLEAN",'
    || ' "procMount": "VARCHAR", "capabilities": {"add": ["VARCHAR"]}, "seccompProfile": {"type": "VARCHAR"},'
    || ' "appArmorProfile": {"type": "VARCHAR"}, "seLinuxOptions": {"type": "VARCHAR"},'
    || ' "windowsOptions": {"hostProcess": "BOOLEAN"}, "sysctls": [{"name": "VARCHAR"}]}';
CREATE OR REPLACE TEMP MACRO kw_handler() AS '{"exec": {"command": ["VARCHAR"]}}';
CREATE OR REPLACE TEMP MACRO kw_containers() AS
    '[{"name": "VARCHAR", "image": "VARCHAR", "command": ["VARCHAR"], "args": ["VARCHAR"], "$patch": "VARCHAR",'
    || ' "ports": [{"hostPort": "BIGINT"}], "volumeMounts": [{"name": "VARCHAR", "readOnly": "BOOLEAN"}],'
    || ' "lifecycle": {"postStart": ' || kw_handler() || ', "preStop": ' || kw_handler() || '}, "livenessProbe": ' || kw_handler()
    || ', "readinessProbe": ' || kw_handler() || ', "startupProbe": ' || kw_handler()
    || ', "securityContext": ' || kw_security() || '}]';
CREATE OR REPLACE TEMP MACRO kw_specs() AS
    '[{"hostPID": "BOOLEAN", "hostIPC": "BOOLEAN", "hostNetwork": "BOOLEAN", "shareProcessNamespace": "BOOLEAN",'
    || ' "serviceAccountName": "VARCHAR", "serviceAccount": "VARCHAR", "nodeName": "VARCHAR", "nodeSelector": "JSON",'
    || ' "tolerations": [{"key": "VARCHAR", "operator": "VARCHAR"}],'
    || ' "volumes": [{"name": "VARCHAR", "hostPath": {"path": "VARCHAR"}}], "securityContext": ' || kw_security()
    || ', "containers": ' || kw_containers() || ', "initContainers": ' || kw_containers()
    || ', "ephemeralContainers": ' || kw_containers() || '}]';

-- The registry of an image: what stands before the first slash if it can be a host, else Docker Hub.
CREATE OR REPLACE TEMP MACRO kw_registry(image) AS
    CASE
        WHEN image <> '' THEN lower(
            CASE
                WHEN regexp_matches(image, '^([^/]+[.:][^/]*|localhost)/') THEN split_part(image, '/', 1)
                ELSE 'docker.io'
            END
        )
    END;

-- The pairs of JSON objects as `key=value`, of each object in a JSON array, without kubectl's copy of the whole object.
-- No maps: a key that stands twice would make them null.
CREATE OR REPLACE TEMP MACRO kw_pairs(objects) AS
    kw_distinct(flatten(list_transform(
        from_json(objects, '["JSON"]'),
        lambda one: list_transform(
            list_filter(
                list_zip(json_keys(one), json_extract_string(one, '$.*')),
                lambda pair: pair[1] <> 'kubectl.kubernetes.io/last-applied-configuration'
            ),
            lambda pair: pair[1] || '=' || pair[2]
        )
    )));

-- Labels that a merge patch removes, by null: `*` for all of them. Given are the labels that it sets.
CREATE OR REPLACE TEMP MACRO kw_nulled_labels(labels) AS
    CASE json_type(labels)
        WHEN 'NULL' THEN ['*']
        WHEN 'OBJECT' THEN kw_distinct(list_transform(
            list_filter(
                list_zip(json_keys(labels), json_extract_string(labels, '$.*')),
                lambda pair: pair[2] IS NULL OR pair[1] = '$patch'
            ),
            lambda pair: CASE WHEN pair[1] = '$patch' THEN '*' ELSE pair[1] END
        ))
    END;

-- Labels that a JSON Patch removes; `*` for all of them.
CREATE OR REPLACE TEMP MACRO kw_removed_labels(patch) AS
    kw_distinct(list_transform(
        list_filter(
            from_json(patch, '[{"op":"VARCHAR","path":"VARCHAR"}]'),
            lambda operation: operation.op = 'remove' AND starts_with(operation.path, '/metadata/labels')
        ),
        lambda operation: CASE
            WHEN operation.path = '/metadata/labels' THEN '*'
            ELSE replace(replace(substr(operation.path, 18), '~1', '/'), '~0', '~')
        END
    ));

-- The DER of a certificate request (RFC 2986) as hex digits; the API has it as base64 of PEM, which is base64 again.
CREATE OR REPLACE TEMP MACRO kw_request_hex(request) AS
    hex(try(from_base64(regexp_replace(
        regexp_extract(try(decode(from_base64(request))), '-----BEGIN[^-]*-----([^-]*)-----END', 1), '\s', '', 'g'
    ))));

-- Values of one attribute type in that DER: short texts (UTF8String, PrintableString, T61String, IA5String) after its OID.
CREATE OR REPLACE TEMP MACRO kw_attribute(der, oid) AS
    list_transform(
        list_filter(string_split(der, oid)[2:], lambda rest: regexp_matches(rest, '^(0C|13|14|16)[0-7]')),
        lambda rest: try(decode(unhex(substr(rest, 5, 2 * ('0x' || substr(rest, 3, 2))::INTEGER))))
    );

-- Values of a list between commas, with one at either end.
CREATE OR REPLACE TEMP MACRO kw_listed(list) AS
    CASE WHEN len(list) > 0 THEN ',' || array_to_string(list, ',') || ',' ELSE ',' END;

-- Colon-separated hextets as hex digits, each padded to four.
CREATE OR REPLACE TEMP MACRO kw_hextets(text) AS
    coalesce(
        list_aggregate(
            list_transform(
                list_filter(string_split(lower(text), ':'), lambda hextet: hextet <> ''),
                lambda hextet: lpad(hextet, 4, '0')
            ),
            'string_agg',
            ''
        ),
        ''
    );

-- An address as text that sorts like the number it is: `4:` and 8 hex digits, or `6:` and 32.
CREATE OR REPLACE TEMP MACRO kw_address(ip) AS
    CASE
        WHEN regexp_matches(ip, '^(?i:::ffff:)?((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)$')
            THEN '4:' || list_aggregate(
                list_transform(
                    string_split(regexp_extract(ip, '[\d.]+$'), '.'),
                    lambda octet: lpad(lower(hex(octet::UINTEGER::UBIGINT)), 2, '0')
                ),
                'string_agg',
                ''
            )
        WHEN regexp_matches(ip, '^(?i)([0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}|([0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,6})?::([0-9a-f]{1,4}(:[0-9a-f]{1,4}){0,6})?)$')
            THEN '6:' || kw_hextets(split_part(ip, '::', 1))
                || repeat(
                    '0',
                    greatest(
                        32 - length(kw_hextets(split_part(ip, '::', 1))) - length(kw_hextets(split_part(ip, '::', 2))), 0
                    )
                )
                || kw_hextets(split_part(ip, '::', 2))
    END;

-- The network that stands for an address: /24 of IPv4, /48 of IPv6. Every event may need it, so IPv4 costs one expression.
CREATE OR REPLACE TEMP MACRO kw_network(ip) AS
    CASE
        WHEN NOT contains(ip, ':') OR contains(ip, '.')
            -- The first of all, for that is null where there is none.
            THEN regexp_extract_all(ip, '^(?:::[fF]{4}:)?(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$', 1)[1] || '.0/24'
        WHEN kw_address(ip) IS NOT NULL THEN list_aggregate(
            list_transform([3, 7, 11], lambda start: regexp_replace(substr(kw_address(ip), start, 4), '^0{1,3}', '')),
            'string_agg',
            ':'
        ) || '::/48'
    END;

-- One step into JSON: the value under a key, of an object or of every element of an array, for each value given.
CREATE OR REPLACE TEMP MACRO kw_step(json_values, key) AS
    flatten(
        list_transform(
            json_values,
            lambda value: CASE
                WHEN json_type(value) = 'ARRAY' THEN json_extract(value, '$[*].' || key)
                ELSE [json_extract(value, '$.' || key)]
            END
        )
    );

-- The values reached, as text, arrays taken apart.
CREATE OR REPLACE TEMP MACRO kw_texts(json_values) AS
    list_filter(
        flatten(
            list_transform(
                json_values,
                lambda value: CASE
                    WHEN json_type(value) = 'ARRAY' THEN json_extract_string(value, '$[*]')
                    ELSE [json_extract_string(value, '$')]
                END
            )
        ),
        lambda text: text IS NOT NULL
    );

-- A body that some forwarder wrote as text, as the JSON that it is; other text stays as it is. Lone surrogates, which the
-- engine refuses, become U+FFFD. The options of a deletion stay text: a kind of events does not tell whether such ask for a
-- dry run, and the real thing is the safe side.
CREATE OR REPLACE TEMP MACRO kw_body(body, verb) AS
    CASE
        WHEN verb IN ('create', 'update', 'patch') THEN list_transform(
            [json_extract_string(body, '$')],
            lambda text: CASE
                WHEN NOT regexp_matches(text, '^\s*[\[{]') THEN body
                WHEN json_valid(text) THEN json(text)
                ELSE coalesce(try(json(regexp_replace(text, '\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '\\ufffd', 'g'))), body)
            END
        )[1]
        ELSE body
    END;

-- The value at a JSON path; null where there is none.
CREATE OR REPLACE TEMP MACRO kw_json(body, path) AS json_extract(body, path);

-- What RBAC's reason names, in one match: kind and name of the binding and of its role; empty texts where it does not.
CREATE OR REPLACE TEMP MACRO kw_authorized(reason) AS
    CASE
        WHEN starts_with(reason, 'RBAC: allowed by ') THEN regexp_extract(
            reason,
            '^RBAC: allowed by (\w+) "([^"]*)"(?: of (\w+) "([^"]*)")?',
            ['binding_kind', 'binding', 'role_kind', 'role']
        )
    END;

-- The binding, or Azure role assignment, that a reason names.
CREATE OR REPLACE TEMP MACRO kw_authorized_binding(reason, named) AS
    CASE
        WHEN named IS NOT NULL THEN named.binding_kind || ' ' || named.binding
        WHEN contains(reason, 'Azure RBAC Role Assignment ')
            THEN 'role assignment ' || regexp_extract(reason, 'Role Assignment (\S+)', 1)
    END;

-- The role that a reason names. That of a binding with quotes in its name stands further on.
CREATE OR REPLACE TEMP MACRO kw_authorized_role(reason, named) AS
    CASE
        WHEN named.role_kind <> '' THEN named.role_kind || ' ' || named.role
        WHEN named IS NOT NULL
            THEN regexp_extract(reason, ' of (\w+) "([^"]*)"', 1) || ' ' || regexp_extract(reason, ' of (\w+) "([^"]*)"', 2)
        WHEN contains(reason, 'Azure RBAC Role Assignment ')
            THEN nullif('Azure role ' || regexp_extract(reason, ' of Role (\S+)', 1), 'Azure role ')
    END;

-- What allowed it, for people. An empty reason with a decision is how the group system:masters looks.
CREATE OR REPLACE TEMP MACRO kw_authorized_by(reason, binding, allowed, groups) AS
    CASE
        WHEN NOT allowed THEN NULL
        WHEN starts_with(reason, 'RBAC: allowed by ') THEN binding
        WHEN contains(reason, 'Azure RBAC Role Assignment ') THEN 'Azure RBAC ' || binding
        WHEN starts_with(reason, 'Access allowed by Azure RBAC') THEN 'Azure RBAC'
        WHEN reason = '' AND list_contains(groups, 'system:masters') THEN 'group system:masters'
        WHEN reason <> '' THEN reason
    END;
