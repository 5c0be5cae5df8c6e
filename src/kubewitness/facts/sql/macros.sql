-- Functions over single values; every one returns null for absent input and none can fail.

-- The part of a request URI before its query.
CREATE OR REPLACE TEMP MACRO kw_path(uri) AS split_part(uri, '?', 1);

-- Values of one query parameter of a request URI, decoded, in order; null without that parameter.
CREATE OR REPLACE TEMP MACRO kw_query_values(uri, parameter) AS
    nullif(
        list_transform(
            list_filter(
                string_split(substr(uri, strpos(uri, '?') + 1), '&'),
                lambda pair: starts_with(pair, parameter || '=')
            ),
            lambda pair: coalesce(
                try(url_decode(replace(substr(pair, length(parameter) + 2), '+', ' '))),
                substr(pair, length(parameter) + 2)
            )
        ),
        []
    );

-- The network that stands for an address: /24 of IPv4, /48 of IPv6.
CREATE OR REPLACE TEMP MACRO kw_network(ip) AS
    CASE
        WHEN regexp_matches(ip, '^(::ffff:)?\d+\.\d+\.\d+\.\d+$')
            THEN regexp_extract(ip, '(\d+\.\d+\.\d+)\.\d+$', 1) || '.0/24'
        WHEN contains(ip, ':')
            THEN list_aggregate(
                list_transform(
                    [1, 2, 3],
                    lambda i: regexp_replace(
                        coalesce(nullif(string_split(split_part(lower(ip), '::', 1), ':')[i], ''), '0'), '^0+(.)', '\1'
                    )
                ),
                'string_agg',
                ':'
            ) || '::/48'
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

-- The documents that a write sets: the whole object out of the response where it is there, else the request's body,
-- which for a JSON Patch is one small document per operation.
CREATE OR REPLACE TEMP MACRO kw_written_documents(request, response) AS
    CASE
        WHEN json_type(response) = 'OBJECT'
            AND coalesce(json_extract_string(response, '$.kind'), '') NOT IN ('Status', 'PartialObjectMetadata', 'Table')
            THEN [response]
        WHEN json_type(request) = 'OBJECT' THEN [request]
        WHEN json_type(request) = 'ARRAY' THEN kw_patch_documents(request)
    END;

-- Lists as facts hold them: without nulls and repetitions; null when nothing is left.
CREATE OR REPLACE TEMP MACRO kw_distinct(list) AS nullif(list_sort(list_distinct(list)), []);

-- One element of a list of booleans decides; null where no element says anything.
CREATE OR REPLACE TEMP MACRO kw_any(list) AS list_bool_or(list);

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
        WHEN regexp_matches(ip, '^(?i:::ffff:)?((25[0-5]|2[0-4]\d|1?\d?\d)(\.|$)){4}$')
            THEN '4:' || list_aggregate(
                list_transform(
                    string_split(regexp_extract(ip, '[\d.]+$'), '.'),
                    lambda octet: lpad(lower(hex(octet::UINTEGER::UBIGINT)), 2, '0')
                ),
                'string_agg',
                ''
            )
        WHEN regexp_matches(ip, '^[0-9a-fA-F:]+$') AND contains(ip, ':')
            THEN '6:' || kw_hextets(split_part(ip, '::', 1))
                || repeat(
                    '0',
                    greatest(
                        32 - length(kw_hextets(split_part(ip, '::', 1))) - length(kw_hextets(split_part(ip, '::', 2))), 0
                    )
                )
                || kw_hextets(split_part(ip, '::', 2))
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

-- The value at a JSON path; null where there is none.
CREATE OR REPLACE TEMP MACRO kw_json(body, path) AS json_extract(body, path);

-- Why authorization said what it said.
CREATE OR REPLACE TEMP MACRO kw_reason(annotations) AS
    json_extract_string(annotations, '$."authorization.k8s.io/reason"');

-- The binding, or Azure role assignment, that a reason names.
CREATE OR REPLACE TEMP MACRO kw_authorized_binding(reason) AS
    CASE
        WHEN starts_with(reason, 'RBAC: allowed by ')
            THEN regexp_extract(reason, 'allowed by (\w+) "([^"]*)"', 1)
                || ' ' || regexp_extract(reason, 'allowed by (\w+) "([^"]*)"', 2)
        WHEN contains(reason, 'Azure RBAC Role Assignment ')
            THEN 'role assignment ' || regexp_extract(reason, 'Role Assignment (\S+)', 1)
    END;

-- The role that a reason names.
CREATE OR REPLACE TEMP MACRO kw_authorized_role(reason) AS
    CASE
        WHEN starts_with(reason, 'RBAC: allowed by ')
            THEN regexp_extract(reason, ' of (\w+) "([^"]*)"', 1) || ' ' || regexp_extract(reason, ' of (\w+) "([^"]*)"', 2)
        WHEN contains(reason, 'Azure RBAC Role Assignment ')
            THEN nullif('Azure role ' || regexp_extract(reason, ' of Role (\S+)', 1), 'Azure role ')
    END;

-- What allowed it, for people. An empty reason with a decision is how the group system:masters looks.
CREATE OR REPLACE TEMP MACRO kw_authorized_by(reason, allowed, groups) AS
    CASE
        WHEN NOT allowed THEN NULL
        WHEN starts_with(reason, 'RBAC: allowed by ') THEN kw_authorized_binding(reason)
        WHEN contains(reason, 'Azure RBAC Role Assignment ') THEN 'Azure RBAC ' || kw_authorized_binding(reason)
        WHEN starts_with(reason, 'Access allowed by Azure RBAC') THEN 'Azure RBAC'
        WHEN reason = '' AND list_contains(groups, 'system:masters') THEN 'group system:masters'
        WHEN reason <> '' THEN reason
    END;
