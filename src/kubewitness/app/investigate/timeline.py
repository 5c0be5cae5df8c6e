"""Use case: what was done and what was alarming, by actor, object, namespace, address or rule, on one axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.alert.redact import Redactor
from kubewitness.app.events import open_events
from kubewitness.app.investigate.alerts import builtin_alerts
from kubewitness.app.investigate.requests import COLUMNS, pair_requests, requests_of, split_sessions
from kubewitness.app.investigate.selection import by_actor, by_namespace, by_object, by_source
from kubewitness.app.plans import plan_rules
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.investigate.object_names import ObjectName
from kubewitness.investigate.sessions import IDLE_S
from kubewitness.investigate.timeline import Timeline, place_entries
from kubewitness.model.alert import Severity
from kubewitness.model.errors import UsageError
from kubewitness.model.rule import RuleClass
from kubewitness.query.filters import parse_filter
from kubewitness.query.predicate import ALWAYS, And, Or

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubewitness.app.events import Events, Logs
    from kubewitness.detect.plan import Plan
    from kubewitness.model.alert import Alert
    from kubewitness.query.predicate import Predicate

MOST_REQUESTS = 50_000
"""Requests that are grouped into actions; of more, sessions are told and the rest is said to be left out."""

_SHOWN = (
    "resource", "subresource", "namespace", "name", "api_group", "user_agent", "exec_command", "impersonated_username",
)  # fmt: skip
_AGAIN = ("authorized_by",)
"""Dear to make of all events, so they are read again for those that are shown; a store has them at hand."""

_FIRST_REQUESTS = """
SELECT requests.*, coalesce(session, 0) AS session
FROM requests LEFT JOIN request_sessions USING (request)
ORDER BY began_at NULLS LAST, request
LIMIT $most
"""
_KEEP_ALARMING = """
-- Requests that have none of the named records go.
DELETE FROM requests WHERE request NOT IN (
    SELECT request
    FROM (SELECT request, unnest(rows) AS row FROM requests)
    JOIN events USING (row)
    JOIN (SELECT unnest($sources) AS source, unnest($lines) AS line) USING (source, line)
)
"""
_SPAN = "SELECT count(*), min(began_at), max(coalesce(ended_at, began_at)) FROM requests"


@dataclass(frozen=True, slots=True)
class Question:
    """What a timeline is about; all that is given must hold.

    Attributes:
        filter: a filter, as a hunt takes it.
        actor: who acted, or as whom they acted; `*` and `?` are wildcards.
        object: `NAMESPACE/KIND/NAME` or `KIND/NAME`.
        namespace: a namespace.
        source: address or network.
        rule: id of a rule whose alerts it is about.
        alerts: whether to look for alerts, which takes a scan of the same logs.
        min_severity: leave out alerts below.
        idle_s: seconds without a request after which a session is over.
        reveal: whether to show secrets.
    """

    filter: str = ""
    actor: str | None = None
    object: str | None = None
    namespace: str | None = None
    source: str | None = None
    rule: str | None = None
    alerts: bool = True
    min_severity: Severity = Severity.LOW
    idle_s: float = IDLE_S
    reveal: bool = False

    @property
    def where(self) -> Predicate:
        """What holds of every event that was asked for.

        Raises:
            FilterError: the filter cannot be understood.
            UsageError: an object or address cannot be.
        """
        tests: list[Predicate] = [parse_filter(self.filter)] if self.filter else []
        if self.actor:
            tests.append(by_actor(self.actor))
        if self.object:
            tests.append(by_object(ObjectName.parse(self.object)))
        if self.namespace:
            tests.append(by_namespace(self.namespace))
        if self.source:
            tests.append(by_source(self.source))
        return And(tuple(tests)) if tests else ALWAYS

    @property
    def subject(self) -> str:
        """In words, for a headline."""
        parts = {"actor": self.actor, "object": self.object, "namespace": self.namespace, "source": self.source}
        words = [f"{name} {value}" for name, value in (parts | {"rule": self.rule}).items() if value]
        return ", ".join(words + ([self.filter] if self.filter else [])) or "everything"


def timeline(logs: Logs, question: Question) -> Timeline:
    """What was done and what was alarming in these logs.

    Raises:
        FilterError: the filter cannot be understood.
        UsageError: an object, an address or a rule cannot be.
        UnreadableError: nothing of the logs could be read.
    """
    where = question.where
    plan = _plan(question.rule) if question.rule else None
    remarks: list[str] = []
    alerts = _alerts(logs, question, plan, remarks)
    if question.rule and alerts:
        where = And((where, _about(alerts)))
    columns = _SHOWN if logs.store is None else (*_SHOWN, *_AGAIN)
    with open_events(logs, (*COLUMNS, *columns), where) as events:
        pair_requests(events, columns, where)
        if question.rule:
            _keep_alarming(events, alerts)
        sessions = split_sessions(events, idle_s=question.idle_s)
        ((count, first_at, last_at),) = events.engine.run(_SPAN)
        redactor = Redactor(reveal=question.reveal)
        requests = requests_of(events, redactor, _FIRST_REQUESTS, {"most": MOST_REQUESTS}, again=_AGAIN)
        remarks += _remarks(count)
        return Timeline(
            subject=question.subject,
            sessions=sessions,
            entries=place_entries(requests, alerts),
            requests=count,
            looked_at=events.ledger.events + events.ledger.partial,
            ledger=events.ledger,
            first_at=first_at,
            last_at=last_at,
            remarks=tuple(remarks),
        )


def _plan(rule: str) -> Plan:
    """The plan that has a rule: that of the core rules where it is one of them."""
    for classes in ([RuleClass.CORE], [*RuleClass]):
        plan = plan_rules(classes=classes)
        if any(each.info.id == rule for each in plan.rules):
            return plan
    raise UsageError(f"there is no rule `{rule}`", hint="kubewitness rules list shows all of them")


def _alerts(logs: Logs, question: Question, plan: Plan | None, remarks: list[str]) -> list[Alert]:
    if not question.alerts and not question.rule:
        return []
    if "-" in logs.paths:
        remarks.append("alerts are not looked for in standard input, which can be read only once")
        return []
    if plan is None:
        return list(builtin_alerts(logs, question.min_severity, reveal=question.reveal))
    options = ScanOptions(
        since=logs.since,
        until=logs.until,
        cluster=logs.cluster,
        reveal=question.reveal,
        store=logs.store,
        listed=MOST_REQUESTS,
    )
    return [alert for alert in scan(logs.paths, plan, options).alerts if alert.rule_id == question.rule]


def _about(alerts: Sequence[Alert]) -> Predicate:
    """Events of those whom alerts are about: what has the alerts' own events, and little else."""
    names = {name for alert in alerts for event in alert.events if (name := event.details.get("username"))}
    if not names or any(not event.details.get("username") for alert in alerts for event in alert.events):
        return ALWAYS
    return Or(tuple(by_actor(name) for name in sorted(names)))


def _keep_alarming(events: Events, alerts: Sequence[Alert]) -> None:
    origins = [event.origin for alert in alerts for event in alert.events if event.line is not None]
    events.engine.run(
        _KEEP_ALARMING,
        {"sources": [origin.source for origin in origins], "lines": [origin.line for origin in origins]},
    )


def _remarks(count: int) -> Iterator[str]:
    if count > MOST_REQUESTS:
        yield (
            f"only the first {MOST_REQUESTS:,} of {count:,} requests are on the axis, sessions are told of all:"
            " narrow it down by time, actor or filter"
        )
