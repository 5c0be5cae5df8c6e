-- One row per event: facts about roles and bindings.
SELECT
    *,
    CASE
        WHEN role_rules IS NOT NULL THEN kw_distinct(json_extract_string(role_rules, '$[*][*].verbs[*]'))
    END AS role_verbs,
    CASE
        WHEN role_rules IS NOT NULL THEN kw_distinct(json_extract_string(role_rules, '$[*][*].resources[*]'))
    END AS role_resources,
    CASE
        WHEN role_rules IS NOT NULL THEN kw_distinct(json_extract_string(role_rules, '$[*][*].apiGroups[*]'))
    END AS role_api_groups,
    CASE
        -- Lists between commas, so that a rule can ask for one value of each: verbs and resources count together.
        WHEN role_rules IS NOT NULL THEN kw_distinct(list_transform(
            flatten(from_json(
                role_rules,
                '[[{"verbs": ["VARCHAR"], "apiGroups": ["VARCHAR"], "resources": ["VARCHAR"],'
                || ' "resourceNames": ["VARCHAR"], "nonResourceURLs": ["VARCHAR"]}]]'
            )),
            lambda rule: 'verbs ' || kw_listed(rule.verbs) || ' groups ' || kw_listed(coalesce(rule.apiGroups, ['']))
                || ' resources ' || kw_listed(rule.resources) || ' names ' || kw_listed(rule.resourceNames)
                || ' urls ' || kw_listed(rule.nonResourceURLs)
        ))
    END AS role_grants,
    CASE WHEN role_refs IS NOT NULL THEN json_extract_string(role_refs, '$[*].kind')[1] END AS role_ref_kind,
    CASE WHEN role_refs IS NOT NULL THEN json_extract_string(role_refs, '$[*].name')[1] END AS role_ref,
    CASE
        WHEN subject_lists IS NOT NULL THEN kw_distinct(list_transform(
            flatten(from_json(
                subject_lists, '[[{"kind": "VARCHAR", "name": "VARCHAR", "namespace": "VARCHAR"}]]'
            )),
            lambda subject: coalesce(subject.kind, 'Subject') || ' ' || coalesce(subject.namespace || '/', '') || subject.name
        ))
    END AS subjects
FROM pods
