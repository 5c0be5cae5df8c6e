-- One row per event: facts about certificate signing requests, and nodes' paths in persistent volumes.
SELECT
    *,
    CASE
        WHEN certificate_specs IS NOT NULL THEN json_extract_string(certificate_specs, '$[*].signerName')[1]
    END AS certificate_signer,
    CASE
        WHEN certificate_specs IS NOT NULL THEN kw_distinct(json_extract_string(certificate_specs, '$[*].usages[*]'))
    END AS certificate_usages,
    CASE
        WHEN certificate_der IS NOT NULL THEN kw_distinct(list_concat(
            list_transform(kw_attribute(certificate_der, '0603550403'), lambda value: 'CN ' || value),
            list_transform(kw_attribute(certificate_der, '060355040A'), lambda value: 'O ' || value)
        ))
    END AS certificate_subject,
    CASE
        WHEN volume_specs IS NOT NULL THEN kw_distinct(list_transform(
            list_concat(
                json_extract_string(volume_specs, '$[*].hostPath.path'), json_extract_string(volume_specs, '$[*].local.path')
            ),
            lambda path: kw_clean_path(path)
        ))
    END AS volume_node_paths
FROM (
    SELECT
        *,
        CASE
            WHEN certificate_specs IS NOT NULL
                THEN kw_request_hex(json_extract_string(certificate_specs, '$[*].request')[1])
        END AS certificate_der
    FROM admission
)
