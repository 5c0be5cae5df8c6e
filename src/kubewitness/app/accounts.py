"""Accounts of what was found: hits become alerts and matches, told by their events, which are read again."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from kubewitness.alert.build import build_alert
from kubewitness.alert.explain import columns_named
from kubewitness.app.baselines import known_before
from kubewitness.app.makers import find_makers
from kubewitness.detect.grouping import GROUPS, LISTED, TIMES, create_grouped
from kubewitness.model.alert import AlertEvent, Match, Unlisted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from kubewitness.alert.redact import Redactor
    from kubewitness.app.judging import Judged
    from kubewitness.detect.plan import Plan
    from kubewitness.model.alert import Alert, Maker
    from kubewitness.model.ledger import Origin
    from kubewitness.query.engine import Engine

_SHOWN = 100
"""Of how many of its events, the first ones, an alert tells everything: no report shows more of them so."""
_READ_AT_ONCE = 10_000
_IDENTITY = ("audit_id", "stage", "actor")
_OUTLINE = (
    *("audit_id", "stage", "cluster", "actor", "username", "impersonated_username", "impersonated_groups"),
    *("source_ip", "source_ips", "user_agent", "verb", "action", "request_path", "resource", "subresource"),
    *("namespace", "name", "object_name", "code", "status_reason", "allowed", "carried_out", "authorized_by"),
    *("dry_run", "truncated"),
)
"""What is told of every event that is listed, besides what the phrases of rules name."""
_DETAILS = (
    "audit_id", "stage",
    "cluster", "actor", "actor_kind", "username", "impersonated_username", "impersonated_groups", "groups", "source_ip",
    "source_ips", "user_agent", "verb", "request_uri", "request_path", "level", "api_group", "resource", "subresource",
    "namespace", "name", "object_name", "code", "status_reason", "status_message", "action", "exec_command",
    "exec_container", "dry_run", "allowed", "succeeded", "carried_out", "authorized_by", "authorized_role", "truncated",
    "privileged", "host_pid", "host_ipc", "host_network", "host_paths", "capabilities", "images", "service_account",
    "pod_commands", "owner_kind", "owner_name", "role_verbs", "role_resources", "role_ref_kind", "role_ref", "subjects",
    "source_network",
)  # fmt: skip
_NOT_OF_EVENTS = frozenset({"audit_id", "stage", "source", "line"})

_Key = tuple[int, ...]


class Accounts:
    """What there is to tell of the hits of a scan.

    Args:
        engine: with the table `hits`.
        plan: the rules.
        judged: where the events are from.
        redactor: of what is told.
    """

    def __init__(self, engine: Engine, plan: Plan, judged: Judged, redactor: Redactor) -> None:
        self._engine = engine
        self._plan = plan
        self._reading = judged.reading
        self._evidence = judged.evidence
        self._redactor = redactor

    def alerts(self, most: int) -> list[Alert]:
        """One alert for hits of one rule and cause that follow each other closely.

        Args:
            most: events that an alert lists from its first one on; of the others it lists the first of each kind, as
                many at most.
        """
        self._engine.run(create_grouped(self._plan))
        groups = self._engine.rows(GROUPS)
        listed = self._engine.rows(LISTED, {"most": most, "shown": _SHOWN})
        events = self._events(listed, {group["rule"] for group in groups})
        times: defaultdict[_Key, list[tuple[datetime, int]]] = defaultdict(list)
        for *key, from_at, count in self._engine.run(TIMES, {"most": most}):
            times[tuple(key)].append((from_at, count))
        familiar = known_before(self._engine, self._plan, self._evidence)
        by_key = groupby(listed, key=_key)
        return [
            self._alert(
                group,
                [events[row["event"]] for row in rows],
                times.get(key, ()),
                familiar.get((group["rule"], group["cause"]), ()),
            )
            for group, (key, rows) in zip(groups, by_key, strict=True)
        ]

    def matches(self, *, described: bool, bare: bool = False) -> list[Match]:
        """One match per hit.

        Args:
            described: whether to tell everything of every event.
            bare: whether to tell nothing but the rule, and when and where the event was.
        """
        hits = self._engine.rows(
            "SELECT rule, event, happened_at, source_id, record_line FROM hits JOIN staged ON staged.rowid = event"
            " ORDER BY rule, event"
        )
        rules = [rule.info for rule in self._plan.rules]
        columns = () if bare else (*_DETAILS, *self._phrased({row["rule"] for row in hits})) if described else _IDENTITY
        known = self._known((row["event"] for row in hits), columns)
        origins = self._origins(hits, known)
        matches: list[Match] = []
        for row in hits:
            rule, origin, event = rules[row["rule"]], origins[row["event"]], known.get(row["event"], {})
            matches.append(
                Match(
                    rule.id, rule.catalogue, rule.severity, event.get("audit_id"), event.get("stage"), origin.source,
                    origin.line, row["happened_at"], event.get("actor"), self._redacted(event),
                )
            )  # fmt: skip
        return matches

    def _alert(
        self,
        group: Mapping[str, Any],
        events: Sequence[AlertEvent],
        times: Iterable[tuple[datetime, int]],
        familiar: Iterable[str],
    ) -> Alert:
        others = group["events"] - len(events)
        return build_alert(
            self._plan.rules[group["rule"]].info,
            events,
            count=group["requests"],
            known_before=[self._redactor.text(each) for each in familiar],
            unlisted=Unlisted(others, group["last_at"], tuple(times)) if others else None,
        )

    def _events(self, listed: Sequence[Mapping[str, Any]], rules: Iterable[int]) -> dict[int, AlertEvent]:
        """Events by their rows; several rules may match one."""
        phrased = self._phrased(rules)
        details, outline = {*_DETAILS, *phrased}, {*_OUTLINE, *phrased}
        by_row = {row["event"]: row for row in listed}
        shown = {row["event"] for row in listed if row["is_shown"]}
        if len(by_row) <= _READ_AT_ONCE:
            known = self._known(by_row, details)
        else:
            known = self._known(shown, details) | self._known(by_row.keys() - shown, outline)
        origins = self._origins(by_row.values(), known)
        makers = find_makers(self._engine, self._plan, self._evidence, self._redactor)
        found: dict[int, AlertEvent] = {}
        for event, row in by_row.items():
            told = known.get(event, {})
            if event not in shown:
                told = {name: value for name, value in told.items() if name in outline}
            found[event] = self._event(row["happened_at"], told, origins[event], makers.get(event))
        return found

    def _known(self, events: Iterable[int], columns: Iterable[str]) -> dict[int, dict[str, Any]]:
        wanted = sorted({*columns, *self._reading.origin_columns})
        return self._evidence.events(events, wanted) if wanted else {}

    def _origins(
        self, rows: Iterable[Mapping[str, Any]], known: Mapping[int, Mapping[str, Any]]
    ) -> Mapping[int, Origin]:
        return {
            row["event"]: self._reading.origin(
                row["event"], row["source_id"], row["record_line"], known.get(row["event"], {})
            )
            for row in rows
        }

    def _phrased(self, rules: Iterable[int]) -> set[str]:
        """Columns that the phrases of these rules speak of."""
        return {name for rule in rules for name in columns_named(self._plan.rules[rule].info.explain or "")}

    def _event(self, at: datetime | None, event: Mapping[str, Any], origin: Origin, maker: Maker | None) -> AlertEvent:
        return AlertEvent(
            event.get("audit_id"), event.get("stage"), origin.source, origin.line, at, self._redacted(event), maker
        )

    def _redacted(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return self._redactor.details({name: value for name, value in event.items() if name not in _NOT_OF_EVENTS})


def _key(row: Mapping[str, Any]) -> _Key:
    return row["rule"], row["cause"], row["stretch"]
