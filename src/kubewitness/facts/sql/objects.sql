-- One row per event: the parts that a write sets in objects of each kind, as JSON arrays.
-- Bodies are long and their parts are short, so each body is parsed once for all of them, and only that of a write.
SELECT
    *,
    written[1] AS written_labels,
    written[2] AS written_annotations,
    CASE
        WHEN resource IN (
            'pods', 'deployments', 'daemonsets', 'statefulsets', 'replicasets', 'replicationcontrollers', 'jobs', 'cronjobs',
            'podtemplates'
        ) AND subresource IS DISTINCT FROM 'scale' THEN written[3]
    END AS pod_specs,
    CASE
        WHEN subresource IS NOT NULL THEN NULL
        WHEN resource = 'pods' THEN written[2]
        ELSE written[5]
    END AS pod_annotations,
    CASE
        WHEN response_object IS NOT NULL AND len(response_parts) IS DISTINCT FROM 2 THEN response_parts[4]
        ELSE request_parts[4]
    END AS owner,
    CASE WHEN action = 'escalate' THEN written[3] END AS role_rules,
    CASE WHEN action = 'bind' THEN written[3] END AS role_refs,
    CASE WHEN action = 'bind' THEN written[4] END AS subject_lists,
    CASE
        WHEN resource IN ('mutatingwebhookconfigurations', 'validatingwebhookconfigurations') THEN written[3]
    END AS webhook_lists,
    CASE WHEN resource = 'certificatesigningrequests' THEN written[3] END AS certificate_specs,
    CASE WHEN resource = 'persistentvolumes' THEN written[3] END AS volume_specs
FROM (
    SELECT
        *,
        CASE
            WHEN response_parts IS NOT NULL OR request_parts IS NOT NULL OR patched_parts IS NOT NULL THEN list_transform(
                [1, 2, 3, 4, 5], lambda place: kw_written(response_parts, request_parts, patched_parts, place)
            )
        END AS written
    FROM (
        SELECT
            *,
            CASE
                -- Behind a cut the answer lacks what the request still has; its head, with the labels, is whole.
                WHEN is_write AND truncated AND regexp_matches(request_object, '^[{[]')
                    THEN kw_parts(response_object, resource, subresource)[:2]
                WHEN is_write THEN kw_parts(response_object, resource, subresource)
            END AS response_parts,
            CASE WHEN is_write THEN kw_parts(request_object, resource, subresource) END AS request_parts,
            CASE
                WHEN is_write AND starts_with(request_object, '[') THEN list_transform(
                    kw_patch_documents(request_object), lambda document: kw_parts(document, resource, subresource)
                )
            END AS patched_parts
        FROM authorizations
    )
)
