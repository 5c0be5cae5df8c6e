-- One row per event: facts about admission webhooks.
SELECT
    *,
    CASE
        WHEN webhooks IS NOT NULL THEN kw_distinct(list_transform(webhooks, lambda webhook: webhook.clientConfig.url))
    END AS webhook_urls,
    CASE
        WHEN webhooks IS NOT NULL THEN kw_distinct(list_transform(
            webhooks,
            lambda webhook: coalesce(webhook.clientConfig.service.namespace || '/', '') || webhook.clientConfig.service.name
        ))
    END AS webhook_services,
    CASE
        WHEN webhooks IS NOT NULL THEN kw_distinct(flatten(list_transform(
            flatten(list_transform(webhooks, lambda webhook: webhook.rules)), lambda rule: rule.resources
        )))
    END AS webhook_resources,
    CASE
        WHEN webhooks IS NOT NULL THEN kw_distinct(list_transform(webhooks, lambda webhook: webhook.failurePolicy))
    END AS webhook_failure_policies
FROM (
    SELECT
        *,
        CASE
            WHEN webhook_lists IS NOT NULL THEN flatten(from_json(
                webhook_lists,
                '[[{"clientConfig": {"url": "VARCHAR", "service": {"namespace": "VARCHAR", "name": "VARCHAR"}},'
                || ' "failurePolicy": "VARCHAR", "rules": [{"resources": ["VARCHAR"]}]}]]'
            ))
        END AS webhooks
    FROM network
)
