"""Use case: what a log knows of one actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubewitness.alert.redact import Redactor
from kubewitness.app.baselines import read_baseline
from kubewitness.app.events import open_events
from kubewitness.app.investigate.alerts import alerts_about, why_no_alerts
from kubewitness.app.investigate.naming import meant
from kubewitness.app.investigate.requests import COLUMNS, pair_requests, split_sessions
from kubewitness.investigate.actor import (
    FEWEST_BEFORE,
    ActorReport,
    Aspect,
    Deed,
    GivenRole,
    IssuedToken,
    Link,
    New,
    Profile,
    Seen,
    learned_requests,
    news_beside,
    news_since,
)
from kubewitness.investigate.actor_names import NobodyError, is_about, user_name
from kubewitness.model.alert import Severity
from kubewitness.query.fields import find_field
from kubewitness.query.predicate import And, Operator, Or, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from kubewitness.app.events import Events, Logs
    from kubewitness.query.predicate import Predicate

_OWN = (
    "impersonated_username", "actor_kind", "user_extra", "groups", "impersonated_groups", "bound_pod", "bound_node",
    "source_network", "api_group", "resource", "namespace", "name", "request_path", "allowed", "authorized_by",
    "authorized_binding", "authorized_role", "status_message", "issued_credential_id",
)  # fmt: skip
_MINE = """
-- One row per request that the actor made, or that was made as the actor.
CREATE TABLE mine AS
SELECT
    *,
    actor = $name AS is_own,
    CASE WHEN coalesce(resource, '') = '' THEN coalesce(request_path, '')
        ELSE resource || CASE WHEN api_group <> '' THEN '.' || api_group ELSE '' END
            || coalesce('/' || subresource, '') END AS what,
    CASE WHEN actor = $name THEN CASE WHEN impersonated_username IS NULL THEN groups ELSE impersonated_groups END
        ELSE groups END AS held
FROM requests
WHERE actor = $name OR username = $name
"""
_SUMMARY = """
-- One row: all requests in figures.
SELECT
    any_value(actor_kind) FILTER (is_own) AS kind,
    list_sort(list(DISTINCT cluster) FILTER (cluster IS NOT NULL)) AS clusters,
    min(began_at) AS first_at,
    max(began_at) AS last_at,
    count(*) AS requests,
    count(*) FILTER (allowed) AS allowed,
    count(*) FILTER (NOT allowed) AS denied,
    count(*) FILTER (allowed AND code >= 400) AS failed,
    count(*) FILTER (verb IN ('create', 'update', 'patch', 'delete', 'deletecollection') AND code < 300) AS changes,
    (SELECT began_at FROM mine WHERE began_at IS NOT NULL ORDER BY began_at LIMIT 1 OFFSET $learned) AS learned_at
FROM mine
"""
_LINKS = """
-- One row per way in which requests became the actor's own.
SELECT
    username, impersonated_username AS acted_as, credential_id AS credential, bound_pod AS pod, bound_node AS node,
    coalesce(
        json_extract_string(user_extra, '$.oid[0]'),
        json_extract_string(user_extra, '$."authentication.azure.com/oid"[0]')
    ) AS entra_id,
    count(*) AS count, min(began_at) AS first_at, max(began_at) AS last_at
FROM mine WHERE is_own
GROUP BY ALL ORDER BY count DESC, first_at, username, credential
"""
_IMPERSONATORS = """
SELECT username AS value, count(*) AS count, min(began_at) AS first_at, max(began_at) AS last_at
FROM mine WHERE is_own AND username IS NOT NULL AND username <> $name GROUP BY ALL ORDER BY count DESC, value
"""
_ACTED_AS = """
SELECT actor AS value, count(*) AS count, min(began_at) AS first_at, max(began_at) AS last_at
FROM mine WHERE NOT is_own GROUP BY ALL ORDER BY count DESC, value
"""
_ASPECT = """
-- One row per value, with up to five that belong to it.
SELECT
    {value} AS value, count(*) AS count, min(began_at) AS first_at, max(began_at) AS last_at,
    list_sort(list(DISTINCT {detail}) FILTER ({detail} IS NOT NULL))[:5] AS details
FROM {table}
GROUP BY 1 HAVING value IS NOT NULL ORDER BY count DESC, value
"""
_DETAILS = {
    Aspect.NETWORK: ("source_network", "source_ip", "mine"),
    Aspect.AGENT: ("user_agent_family", "user_agent", "mine"),
    Aspect.NAMESPACE: ("namespace", "NULL::VARCHAR", "mine"),
    Aspect.GROUP: ("grouped", "NULL::VARCHAR", "(SELECT *, unnest(held) AS grouped FROM mine)"),
}
_DEEDS = """
-- One row per verb, kind of thing and place.
SELECT
    coalesce(verb, '') AS verb, what, namespace, count(*) AS count,
    count(*) FILTER (NOT allowed) AS denied,
    count(*) FILTER (allowed IS NOT FALSE AND code >= 400) AS failed,
    count(DISTINCT name) AS names,
    min(began_at) AS first_at, max(began_at) AS last_at,
    arg_max(status_message, began_at) FILTER (NOT allowed) AS message
FROM mine
GROUP BY ALL ORDER BY count DESC, verb, what, namespace
"""
_ROLES = """
-- One row per role and binding that the server named as the reason.
SELECT
    authorized_role AS role, authorized_binding AS binding, authorized_by AS reason, count(*) AS count,
    max(began_at) AS last_at
FROM mine WHERE is_own AND allowed AND authorized_by IS NOT NULL
GROUP BY ALL ORDER BY count DESC, reason
"""
_TOKENS = """
-- One row per token that was asked for, by the actor or for it.
SELECT
    asked.issued_credential_id AS credential,
    'system:serviceaccount:' || asked.namespace || ':' || asked.name AS account,
    asked.actor AS "by", asked.began_at AS "at", coalesce(asked.code < 300, FALSE) AS succeeded,
    count(used.request) AS uses
FROM requests AS asked
LEFT JOIN requests AS used ON used.credential_id = asked.issued_credential_id
WHERE asked.subresource = 'token' AND asked.resource = 'serviceaccounts'
    AND (asked.actor = $name OR 'system:serviceaccount:' || asked.namespace || ':' || asked.name = $name)
GROUP BY asked.request, 1, 2, 3, 4, 5 ORDER BY 4, 1
"""
_NOT_SHOWN = "what this log could not have shown: kubewitness coverage PATH"
_HOURS = "SELECT hour(began_at) AS hour, count(*) AS count FROM mine WHERE began_at IS NOT NULL GROUP BY ALL"
_DAYS = "SELECT began_at::DATE AS day, count(*) AS count FROM mine WHERE began_at IS NOT NULL GROUP BY ALL ORDER BY day"


def profile_actor(
    logs: Logs,
    name: str,
    *,
    baseline: Path | None = None,
    alerts: bool = True,
    least: Severity = Severity.LOW,
    reveal: bool = False,
) -> ActorReport:
    """Find out what a log knows of an actor.

    Args:
        logs: where to look.
        name: a user, or a service account also as `namespace/name`; wildcards where only one is meant.
        baseline: file of what is known, to tell what is new; without it, with the first quarter of the actor's
            requests.
        alerts: whether to scan for alerts.
        least: severity of alerts.
        reveal: whether to show secrets.

    Raises:
        UnreadableError: nothing could be read, or the baseline is none.
        UnknownActorError: several are meant.
    """
    typed = user_name(name)
    remarks = []
    with open_events(logs, (*COLUMNS, *_OWN, "user_agent"), _wanted(typed)) as events:
        try:
            _, full = meant(events, logs, typed)
        except NobodyError as nobody:
            full, alerts = typed, False
            remarks += [f"{nobody.message}; {nobody.hint}", _NOT_SHOWN]
        pair_requests(events, (*_OWN, "user_agent"))
        events.engine.run(_MINE, {"name": full})
        found = _profile(events, full, baseline, Redactor(reveal=reveal))
        ledger = events.ledger
    if alerts and (reason := why_no_alerts(logs)):
        remarks.append(reason)
    if ledger.partial:
        remarks.append(f"{ledger.partial:,} records of this log were cut: what they say of the actor may be missing")
    return ActorReport(
        found, tuple(alerts_about(logs, full, least, reveal=reveal) if alerts else ()), tuple(remarks), ledger
    )


def _wanted(name: str) -> Predicate:
    """Events of an actor, and of tokens for it where it is a service account."""
    account = name.removeprefix("system:serviceaccount:").split(":")
    if not name.startswith("system:serviceaccount:") or len(account) != 2:  # noqa: PLR2004 - namespace, name
        return is_about(name)
    tokens = [Text(find_field("subresource"), Operator.EQUALS, "token", cased=True)]
    for column, text in zip(("namespace", "name"), account, strict=True):
        tokens.append(Text(find_field(column), Operator.LIKE, text.replace("\\", "\\\\"), cased=True))
    return Or((is_about(name), And(tuple(tokens))))


def _profile(events: Events, name: str, baseline: Path | None, redactor: Redactor) -> Profile:
    ((count,),) = events.engine.run("SELECT count(*) FROM mine")
    learned = learned_requests(count)
    (summary,) = events.rows(_SUMMARY, {"learned": learned - 1})
    moment = summary.pop("learned_at")
    aspects = {
        aspect: _seen(events, _ASPECT.format(value=value, detail=detail, table=table), redactor, aspect.value)
        for aspect, (value, detail, table) in _DETAILS.items()
    }
    deeds = tuple(_deed(row, redactor) for row in events.rows(_DEEDS))
    if baseline is not None:
        news, compared = _news_of_baseline(name, baseline, aspects)
    else:
        news, compared = _news(moment, learned, aspects, deeds)
    issued = {
        row["credential"]: row["by"] for row in events.rows(_TOKENS, {"name": name}) if row["credential"] and row["by"]
    }
    hours = {row["hour"]: row["count"] for row in events.rows(_HOURS)}
    return Profile(
        name=redactor.details({"actor": name})["actor"],
        kind=summary.pop("kind"),
        clusters=tuple(summary.pop("clusters") or ()),
        **summary,
        links=tuple(Link(**redactor.details(row), issued=issued.get(row["credential"])) for row in events.rows(_LINKS)),
        impersonators=_seen(events, _IMPERSONATORS, redactor, "username", {"name": name}),
        acted_as=_seen(events, _ACTED_AS, redactor, "username"),
        aspects=aspects,
        deeds=deeds,
        roles=tuple(GivenRole(**redactor.details(row)) for row in events.rows(_ROLES)),
        tokens=tuple(IssuedToken(**redactor.details(row)) for row in events.rows(_TOKENS, {"name": name})),
        news=news,
        compared=compared,
        hours=tuple(hours.get(hour, 0) for hour in range(24)),
        days={row["day"].isoformat(): row["count"] for row in events.rows(_DAYS)},
        sessions=tuple(session for session in split_sessions(events) if name in (session.actor, session.username)),
    )


def _seen(
    events: Events, sql: str, redactor: Redactor, column: str, parameters: Mapping[str, Any] | None = None
) -> tuple[Seen, ...]:
    found = []
    for row in events.rows(sql, parameters):
        details = redactor.details({column: row["value"], "user_agent": row.get("details") or []})
        value = details[column] if column != "user_agent" else row["value"]
        found.append(Seen(value, row["count"], row["first_at"], row["last_at"], tuple(details["user_agent"])))
    return tuple(found)


def _deed(row: Mapping[str, Any], redactor: Redactor) -> Deed:
    shown = redactor.details({"request_path": row["what"], "status_message": row["message"]})
    return Deed(**{**row, "what": shown["request_path"], "message": shown["status_message"]})


def _news_of_baseline(
    name: str, baseline: Path, aspects: Mapping[Aspect, Sequence[Seen]]
) -> tuple[tuple[New, ...], str]:
    """What a baseline does not know, and what it knows of at all."""
    known = _known(baseline, name)
    if not known:
        return (), "the baseline does not know this actor: all of it is new"
    return tuple(news_beside(known, aspects)), f"compared with the baseline: {', '.join(sorted(known))}"


def _news(
    moment: datetime | None, learned: int, aspects: Mapping[Aspect, Sequence[Seen]], deeds: Iterable[Deed]
) -> tuple[tuple[New, ...], str]:
    """What is new, and compared with what."""
    if moment is None:
        return (), f"not compared: it has no more than {FEWEST_BEFORE} requests; give a baseline"
    news = sorted(news_since(moment, aspects, deeds), key=lambda each: (each.first_at is None, each.first_at))
    return tuple(news), f"compared with its first {learned:,} requests, until {moment:%Y-%m-%d %H:%M:%S}"


def _known(baseline: Path, name: str) -> dict[str, set[str]]:
    """Values that a baseline knows of an actor, by column."""
    known: dict[str, set[str]] = {}
    for entry in read_baseline(baseline):
        if name not in (entry.by.get("actor"), entry.value.get("actor")):
            continue
        for field, value in entry.value.items():
            if field != "actor" and value is not None:
                known.setdefault(find_field(field).column.name, set()).add(value)
    return known
