"""Use case: what an actor used of its rights, the least that allows it, and what another role would have done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kubewitness.alert.redact import Redactor
from kubewitness.app.events import open_events
from kubewitness.app.investigate.alerts import alerts_about, why_no_alerts
from kubewitness.app.investigate.naming import meant
from kubewitness.investigate.actor_names import is_about, user_name
from kubewitness.investigate.rbac.access import (
    RBAC_GROUP,
    Access,
    Inference,
    Use,
    impersonated_access,
    impersonation,
    joined,
    service_account_of,
    with_stream_pairs,
)
from kubewitness.investigate.rbac.answers import Observed, Replayed
from kubewitness.investigate.rbac.propose import propose
from kubewitness.investigate.rbac.replay import Step, alike, permissions, step_state
from kubewitness.investigate.rbac.roles import Subject, SubjectKind, everybodys_grants, is_allowed
from kubewitness.policy.bulk import asked_floors
from kubewitness.query.engine import with_floors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from kubewitness.app.events import Events, Logs
    from kubewitness.investigate.rbac.propose import Folding, Proposal
    from kubewitness.investigate.rbac.roles import Grant, Manifests
    from kubewitness.model.alert import Alert

_COLUMNS = (
    "audit_id", "verb", "request_uri", "api_group", "api_version", "resource", "subresource", "namespace", "name",
    "username", "groups", "impersonated_username", "impersonated_groups", "impersonated_uid", "impersonated",
    "authentication_metadata", "user_extra", "actor", "allowed", "succeeded", "code", "role_ref_kind", "role_ref",
    "authorized_by", "certificate_signer",
)  # fmt: skip
_IS_OWN = {
    SubjectKind.USER: "actor = $name",
    SubjectKind.GROUP: (
        "list_contains(CASE WHEN impersonated_username IS NULL THEN groups ELSE impersonated_groups END, $name)"
    ),
}
_IS_IMPERSONATOR = {SubjectKind.USER: "username = $name", SubjectKind.GROUP: "list_contains(groups, $name)"}
_WHOSE = """
-- One row per event: whether it was authorised as the one who is asked about, and whether they acted as another.
SELECT *, {own} AS is_own, impersonated_username IS NOT NULL AND {impersonator} AS is_impersonator
FROM events
"""
_USES = """
-- One row per kind of request: what it was authorised for, and how many there were.
SELECT
    asked_verb,
    asked_api_group, asked_resource, asked_subresource, asked_namespace, asked_name, is_resource_request,
    CASE WHEN is_resource_request THEN '' ELSE asked_path END AS path,
    is_own AND NOT (impersonated AND impersonated_username IS NULL) AS is_own,
    CASE WHEN is_impersonator THEN impersonated_username END AS acted_as,
    CASE WHEN is_impersonator THEN impersonated_groups END AS acted_as_groups,
    CASE WHEN is_impersonator THEN impersonated_uid END AS acted_as_uid,
    CASE WHEN is_impersonator
        THEN json_extract_string(authentication_metadata, '$.impersonationConstraint') END AS impersonation_constraint,
    allowed,
    CASE WHEN succeeded THEN role_ref_kind END AS bound_kind,
    CASE WHEN succeeded THEN role_ref END AS bound,
    CASE WHEN asked_subresource = 'approval' AND succeeded THEN certificate_signer END AS signer,
    coalesce(code = 201 AND asked_verb IN ('patch', 'update'), FALSE) AS made,
    count(DISTINCT hash(coalesce(audit_id, row::VARCHAR), happened_at)) AS requests,
    min(happened_at) AS first_at,
    max(happened_at) AS last_at,
    arg_min(source || ':' || line, row) AS example
FROM asked
WHERE allowed IS NOT NULL AND (is_own OR is_impersonator)
GROUP BY ALL
"""
_UNDECIDED = """
-- One row: requests of which no event says whether they were allowed.
SELECT count(*) AS requests FROM (
    SELECT bool_or(allowed IS NOT NULL) AS is_decided
    FROM whose WHERE is_own
    GROUP BY coalesce(audit_id, row::VARCHAR), happened_at
) WHERE NOT is_decided
"""
_BY_AZURE = """
-- One row: requests that role assignments of Azure allowed.
SELECT count(DISTINCT hash(coalesce(audit_id, row::VARCHAR), happened_at)) AS requests
FROM whose WHERE is_own AND allowed AND starts_with(authorized_by, 'Azure')
"""
_HELD = """
-- One row per group that the requests were authorised with.
SELECT DISTINCT unnest(CASE WHEN impersonated_username IS NULL THEN groups ELSE impersonated_groups END) AS name
FROM whose WHERE is_own
"""
_ROWS = """
-- One row per request at these places: what it was authorised for.
SELECT asked_verb, asked_api_group, asked_resource, asked_subresource, asked_namespace, asked_name, is_resource_request,
    CASE WHEN is_resource_request THEN '' ELSE asked_path END AS path, source || ':' || line AS place, allowed,
    hash(coalesce(audit_id, row::VARCHAR), happened_at) AS request
FROM asked
WHERE is_own
"""


def propose_roles(
    logs: Logs, name: str, folding: Folding | None = None, *, everybodys: bool = True, reveal: bool = False
) -> tuple[Observed, Proposal]:
    """The least that allows what somebody did.

    Args:
        logs: where it is recorded.
        name: a user, a group, or a service account, also as `namespace/name`; wildcards where it is unique.
        folding: where to grant more for the sake of a shorter role.
        everybodys: whether to grant also what every user may by the roles that each cluster has.
        reveal: whether to show names and paths that look like credentials.

    Raises:
        UnreadableError: nothing could be read.
        UnknownActorError: nobody is meant, or several are.
    """
    with _open(logs, name) as events:
        observed = _observe(events, logs, name)
    uses: Iterable[Use] = observed.allowed
    if not everybodys:
        known = everybodys_grants(observed.user)
        uses = [use for use in uses if not is_allowed(known, use.access)]
    shown = [_shown(use, Redactor(reveal=reveal)) for use in uses]
    return observed, propose(with_stream_pairs(shown), observed.subject, folding)


def replay_role(logs: Logs, name: str, manifests: Manifests, *, attack: bool = True, reveal: bool = False) -> Replayed:
    """What a role would have denied of what somebody did, and which of its permissions they never used.

    Args:
        logs: where it is recorded.
        name: as for `propose_roles`.
        manifests: the role; without bindings it is taken to be bound. What every user may is held besides.
        attack: whether to scan for alerts.
        reveal: whether to show names and paths that look like credentials.

    Raises:
        UnreadableError: nothing could be read.
        UnknownActorError: nobody is meant, or several are.
    """
    with _open(logs, name) as events:
        observed = _observe(events, logs, name)
        grants = list(manifests.grants(observed.user, observed.groups))
        found = alerts_about(logs, observed.user) if attack and observed.subject.kind is not SubjectKind.GROUP else []
        steps = tuple(_steps(events, found, [*grants, *everybodys_grants(observed.user)])) if found else ()
    redactor = Redactor(reveal=reveal)
    held = [*grants, *everybodys_grants(observed.user)]
    denied = [use for use in observed.allowed if not is_allowed(held, use.access)]
    gained = [use for use in observed.denied if is_allowed(grants, use.access)]
    return Replayed(
        observed,
        tuple(alike(_shown(use, redactor) for use in denied)),
        tuple(_shown(use, redactor) for use in gained),
        steps,
        tuple(permissions(grants, observed.allowed)),
        tuple(_remarks(observed, manifests, grants, logs, attack=attack)),
    )


def _open(logs: Logs, name: str) -> AbstractContextManager[Events]:
    return open_events(logs, _COLUMNS, is_about(user_name(name), groups=True))


def _observe(events: Events, logs: Logs, name: str) -> Observed:
    kind, full = meant(events, logs, user_name(name), groups=True)
    whose = _WHOSE.format(own=_IS_OWN[kind], impersonator=_IS_IMPERSONATOR[kind])
    events.engine.run(f"CREATE TABLE whose AS {whose}", {"name": full})
    rows = events.rows(with_floors(asked_floors("whose"), _USES))
    uses = [(row["allowed"], use) for row in rows for use in _uses_of(row)]
    account = service_account_of(full)
    subject = Subject(kind, full)
    if kind is SubjectKind.USER and account:
        subject = Subject(SubjectKind.SERVICE_ACCOUNT, account[1], account[0])
    groups = {row["name"] for row in events.rows(_HELD) if row["name"]}
    ((undecided,),) = events.engine.run(_UNDECIDED)
    ((by_azure,),) = events.engine.run(_BY_AZURE)
    return Observed(
        subject,
        full,
        tuple(sorted(groups)),
        tuple(joined(use for allowed, use in uses if allowed)),
        tuple(joined(use for allowed, use in uses if not allowed and use.inferred is None)),
        undecided,
        by_azure,
        min((row["first_at"] for row in rows if row["first_at"]), default=None),
        max((row["last_at"] for row in rows if row["last_at"]), default=None),
        events.ledger,
    )


def _uses_of(row: dict[str, Any]) -> Iterator[Use]:
    """What the requests of a row asked authorization for."""

    def use(access: Access, inferred: Inference | None = None) -> Use:
        return Use(access, row["requests"], row["first_at"], row["last_at"], inferred, row["example"])

    asked = _access(row)
    constraint = row["impersonation_constraint"] or ""
    if row["acted_as"] is not None:
        # That the log names them says that acting as them was allowed, whatever came after.
        rights = impersonation(row["acted_as"], row["acted_as_groups"] or (), row["acted_as_uid"] or "", constraint)
        for access in (*rights, *([impersonated_access(asked, constraint)] if constraint and asked else [])):
            yield use(access, Inference.IMPERSONATE)
    if not row["is_own"] or asked is None:
        return
    yield use(asked)
    if not row["allowed"]:
        return
    if row["made"]:
        yield use(_access(row | {"asked_verb": "create"}) or asked, Inference.CREATE_BY_WRITE)
    if row["bound"]:
        kind = "clusterroles" if row["bound_kind"] == "ClusterRole" else "roles"
        bind = Access("bind", RBAC_GROUP, kind, namespace=asked.namespace, name=row["bound"])
        yield use(bind, Inference.BIND)
    if row["signer"]:
        yield use(Access("approve", "certificates.k8s.io", "signers", name=row["signer"]), Inference.APPROVE)


def _access(row: dict[str, Any]) -> Access | None:
    """What a request asked for; None for one that names neither a resource nor a path."""
    if row["is_resource_request"]:
        found = Access(
            row["asked_verb"], row["asked_api_group"], row["asked_resource"], row["asked_subresource"],
            row["asked_namespace"], row["asked_name"],
        )  # fmt: skip
        return found if found.resource else None
    return Access(row["asked_verb"], path=row["path"]) if row["path"] else None


def _shown(use: Use, redactor: Redactor) -> Use:
    access = use.access
    shown = redactor.details({"object_name": access.name, "request_path": access.path})
    if (shown["object_name"], shown["request_path"]) == (access.name, access.path):
        return use
    return replace(use, access=replace(access, name=shown["object_name"], path=shown["request_path"]))


def _steps(events: Events, alerts: Sequence[Alert], grants: Sequence[Grant]) -> Iterator[Step]:
    requests: dict[str, tuple[Access, bool | None, int]] = {}
    decided: dict[int, bool] = {}
    for row in events.rows(with_floors(asked_floors("whose"), _ROWS)):
        access = _access(row)
        if access is not None:
            requests[row["place"]] = access, row["allowed"], row["request"]
            if row["allowed"] is not None:
                decided[row["request"]] = row["allowed"]
    for alert in alerts:
        places = [f"{event.source}:{event.line}" for event in alert.events]
        found = {requests[place][2]: requests[place] for place in places if place in requests}
        if not found:
            continue
        asked = [(access, decided.get(request, allowed)) for request, (access, allowed, _) in found.items()]
        state, denied, passed = step_state(asked, grants)
        yield Step(alert.rule_id, alert.title, alert.severity.value, alert.first_at, state, denied, passed)


def _remarks(
    observed: Observed, manifests: Manifests, grants: Sequence[Grant], logs: Logs, *, attack: bool
) -> Iterator[str]:
    yield from observed.remarks
    if not manifests.bindings:
        yield "the file has no bindings: its roles are taken to be bound, ClusterRoles for the whole cluster"
    elif not grants:
        yield f"no binding of the file is for {observed.user}"
    for binding in manifests.unresolved(observed.user, observed.groups):
        yield f"{binding.role_kind} {binding.role} is bound but not in the file: what it grants is not counted"
    for role in manifests.roles:
        if role.is_aggregated:
            yield f"ClusterRole {role.name} is aggregated: of what the cluster gathers, only rules in the file count"
    if attack and observed.subject.kind is SubjectKind.GROUP:
        yield "attack steps are told of one actor, not of a group"
    elif attack and (reason := why_no_alerts(logs)):
        yield reason
    yield "what every user may counts as allowed; what other roles of the actor allow does not"
