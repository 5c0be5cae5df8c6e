"""Use cases of a case: pin events, alerts, queries and coverage, ask a query again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.alert.redact import Redactor
from kubewitness.alert.render.fields import alert_fields
from kubewitness.app.asking.hunt import hunt
from kubewitness.app.events import Logs
from kubewitness.app.investigate.case_folder import add_entry, digest, find_entry, new_entry, read_case
from kubewitness.app.investigate.records import find_records, records_at
from kubewitness.app.policies.log_coverage import coverage_of_log
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.investigate.case import Entry, Kind, PinnedAlert, PinnedCoverage, PinnedEvent, PinnedQuery
from kubewitness.model.errors import UsageError
from kubewitness.model.rule import RuleClass
from kubewitness.query.fields import find_field
from kubewitness.query.filters import parse_filter
from kubewitness.query.predicate import Operator, Or, Text
from kubewitness.words.plain import ledger_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kubewitness.app.investigate.records import Record
    from kubewitness.policy.coverage import Gap
    from kubewitness.query.predicate import Predicate

MOST_EVENTS = 200
"""So many events are pinned at once, unless somebody asks for more."""

MOST_OF_ALERT = 50
"""So many events of an alert are pinned."""

_MOST_OF_QUERY = 20
_LONGEST_DETAIL = 20_000
_PLACE = re.compile(r"(?P<source>.+):(?P<line>\d+)")
_TACTIC = re.compile(r"attack\.(?P<name>[a-z][a-z-]*[a-z])")


@dataclass(frozen=True, slots=True)
class Added:
    """What was added to a case.

    Attributes:
        entries: the new entries.
        known: events and alerts that were in the case already.
        left_out: events that were found and not pinned.
        bare: alerts whose records are not where they should be, so that they are pinned without.
    """

    entries: tuple[Entry, ...]
    known: int = 0
    left_out: int = 0
    bare: int = 0


def pin_events(
    folder: Path, logs: Logs, where: Predicate, author: str, note: str = "", *, most: int = MOST_EVENTS
) -> Added:
    """Pin the events of which a predicate holds.

    Raises:
        CaseError: there is no such case.
        UsageError: nothing was found.
        UnreadableError: nothing could be read.
    """
    case = read_case(folder)
    found = find_records(logs, where, most=most, redactor=Redactor())
    added = _pin(folder, found.records, set(case.records), logs, ledger_fields(found.ledger), author, note)
    if not found.count:
        raise UsageError("no event of these logs is meant", hint="try the filter with kubewitness hunt first")
    return replace(added, left_out=found.count - len(found.records))


def pin_places(folder: Path, places: Sequence[str], author: str, note: str = "") -> Added:
    """Pin the events that stand at these places, each written as `source:line`.

    Raises:
        CaseError: there is no such case.
        UsageError: a place is malformed, or there is no event.
        UnreadableError: a source cannot be read.
    """
    case = read_case(folder)
    wanted = [_place(text) for text in places]
    logs = Logs(tuple(dict.fromkeys(source for source, _ in wanted)))
    found = records_at(logs, wanted, redactor=Redactor())
    if not found.records:
        raise UsageError("no event stands there", where=places[0], hint="lines count from 1; the scan names them")
    return _pin(folder, found.records, set(case.records), logs, ledger_fields(found.ledger), author, note)


def _pin(  # noqa: PLR0917 - what, where, who, why
    folder: Path,
    records: Iterable[Record],
    known: set[str],
    logs: Logs,
    ledger: Mapping[str, Any],
    author: str,
    note: str,
) -> Added:
    entries: list[Entry] = []
    again: list[str] = []
    for record in records:
        pinned = _pinned(record)
        if pinned.sha256 in known:
            again.append(pinned.sha256)
            continue
        known.add(pinned.sha256)
        entry = new_entry(
            Kind.EVENT, author, "" if entries else note, event=pinned, paths=logs.paths, ledger=dict(ledger)
        )
        add_entry(folder, entry, [record.text])
        entries.append(entry)
    if again and note and not entries:
        # What was pinned before is not pinned again, but what was said of it is not lost.
        about = next(entry for entry in read_case(folder).entries for event in entry.events if event.sha256 in again)
        entries.append(add_note(folder, note, author, about.id))
    return Added(tuple(entries), known=len(again))


def _pinned(record: Record) -> PinnedEvent:
    return PinnedEvent(
        record.origin.source,
        record.origin.line,
        digest(record.text),
        len(record.text),
        record.at,
        {name: _plain_text(value) for name, value in record.details.items() if name != "happened_at"},
    )


def _plain_text(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST_DETAIL:
        return f"{value[:_LONGEST_DETAIL]} ... ({len(value):,} characters: see the record)"
    return value if isinstance(value, str | int | float | bool | list) or value is None else str(value)


def _place(text: str) -> tuple[str, int]:
    found = _PLACE.fullmatch(text)
    if not found:
        raise UsageError(f"`{text}` is no place", hint="write FILE:LINE, such as audit.log:1204")
    return found["source"], int(found["line"])


def pin_alerts_of_report(
    folder: Path, report: Path, author: str, note: str = "", *, rules: Sequence[str] = (), actor: str | None = None
) -> Added:
    """Pin alerts of a report that `scan --format json` wrote, with the records that are still where it says.

    Raises:
        CaseError: there is no such case.
        UsageError: the report cannot be read, is none, or has no such alert.
    """
    try:
        found = json.loads(report.read_bytes())
        alerts = found["alerts"]
        is_report = all(isinstance(alert, dict) and isinstance(alert.get("rule_id"), str) for alert in alerts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "is no report of a scan", where=str(report), hint="kubewitness scan LOGS --format json -o FILE writes one"
        ) from error
    if not is_report:
        raise UsageError("has alerts without a rule", where=str(report), hint="take the report as the scan wrote it")
    return _pin_alerts(folder, alerts, author, note, rules=rules, actor=actor, ledger=found.get("ledger"))


def pin_alerts(
    folder: Path, logs: Logs, rules: Sequence[str], author: str, note: str = "", *, actor: str | None = None
) -> Added:
    """Scan logs, or a store, and pin the alerts of these rules with the records that stand in their logs.

    Raises:
        CaseError: there is no such case.
        UsageError: no such alert was found.
        UnreadableError: nothing could be read.
    """
    options = ScanOptions(since=logs.since, until=logs.until, cluster=logs.cluster, store=logs.store)
    report = scan(logs.paths, None, options)
    fields = [alert_fields(alert) for alert in report.alerts]
    return _pin_alerts(folder, fields, author, note, rules=rules, actor=actor, ledger=ledger_fields(report.ledger))


def _pin_alerts(
    folder: Path,
    alerts: Iterable[Mapping[str, Any]],
    author: str,
    note: str,
    *,
    rules: Sequence[str],
    actor: str | None,
    ledger: Mapping[str, Any] | None,
) -> Added:
    case = read_case(folder)
    listed = list(alerts)
    wanted = [each for each in listed if _is_wanted(each, rules, actor)]
    if not wanted:
        known = sorted({str(alert["rule_id"]) for alert in listed})
        close = [each for rule in rules for each in get_close_matches(rule, known, cutoff=0.5)]
        shown = ", ".join((close or known)[:8]) or "none"
        raise UsageError("no such alert", hint=f"rules with alerts here: {shown}")
    there = {_key(entry.alert.fields) for entry in case.entries if entry.alert}
    fresh = sorted((each for each in wanted if _key(each) not in there), key=lambda each: str(each.get("first_at")))
    places = {place for alert in fresh for place in _places(alert)}
    records = _records_of(places)
    entries: list[Entry] = []
    for alert in fresh:
        found = [records[place] for place in _places(alert) if place in records]
        pinned = PinnedAlert(dict(alert), tactics_of(str(alert["rule_id"])), tuple(map(_pinned, found)))
        sources = tuple(sorted({source for source, _ in _places(alert)}))
        entry = new_entry(
            Kind.ALERT, author, "" if entries else note, alert=pinned, paths=sources, ledger=dict(ledger or {})
        )
        add_entry(folder, entry, [record.text for record in found])
        entries.append(entry)
    bare = sum(bool(_places(alert)) and not entry.events for alert, entry in zip(fresh, entries, strict=True))
    return Added(tuple(entries), known=len(wanted) - len(fresh), bare=bare)


def _is_wanted(alert: Mapping[str, Any], rules: Sequence[str], actor: str | None) -> bool:
    return (not rules or alert["rule_id"] in rules) and (actor is None or alert.get("actor") == actor)


def _key(alert: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(alert.get(name) for name in ("rule_id", "cluster", "actor", "first_at", "last_at", "count"))


def _places(alert: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Where the first events of an alert stand, as far as it says so."""
    events = alert.get("events") or []
    named = (event for event in events[:MOST_OF_ALERT] if isinstance(event, Mapping))
    return [(event["source"], event["line"]) for event in named if event.get("source") and event.get("line")]


def _records_of(places: set[tuple[str, int]]) -> dict[tuple[str, int], Record]:
    """Records that still stand where they did; standard input and files that are gone have none."""
    from pathlib import Path as File  # noqa: PLC0415 - only here paths are looked at

    sources = tuple(sorted({source for source, _ in places if source != "-" and File(source).is_file()}))
    if not sources:
        return {}
    wanted = [place for place in places if place[0] in sources]
    found = records_at(Logs(sources), wanted, redactor=Redactor())
    return {(record.origin.source, record.origin.line or 0): record for record in found.records}


def tactics_of(rule: str) -> tuple[str, ...]:
    """Tactics of a builtin rule, out of its tags; none for a rule of others."""
    if not re.fullmatch(r"[a-z0-9-]+", rule):
        return ()
    for folder in files("kubewitness.rules").iterdir():
        path = folder.joinpath(f"{rule}.yml")
        if folder.is_dir() and path.is_file():
            documents = yaml.safe_load_all(path.read_text(encoding="utf-8"))
            tags = [tag for document in documents for tag in (document or {}).get("tags", ())]
            return tuple(dict.fromkeys(found["name"] for tag in tags if (found := _TACTIC.fullmatch(tag))))
    return ()


def pin_query(folder: Path, logs: Logs, text: str, author: str, note: str = "") -> Added:
    """Pin a filter and its answer now; no answer is an answer too.

    Raises:
        CaseError: there is no such case.
        FilterError: the filter cannot be understood.
        UnreadableError: nothing could be read.
    """
    read_case(folder)
    query, records, ledger = _ask(logs, text)
    entry = new_entry(Kind.QUERY, author, note, query=query, paths=logs.paths, ledger=ledger)
    add_entry(folder, entry, [record.text for record in records])
    return Added((entry,), left_out=query.count - len(query.events))


def _ask(logs: Logs, text: str) -> tuple[PinnedQuery, Sequence[Record], dict[str, Any]]:
    found = find_records(logs, parse_filter(text), most=_MOST_OF_QUERY, redactor=Redactor())
    shown = None if found.count else hunt(text, logs, most=1).shown
    query = PinnedQuery(
        text,
        logs.paths,
        found.count,
        found.looked_at,
        found.first_at,
        found.last_at,
        tuple(map(_pinned, found.records)),
        logs.since,
        logs.until,
        logs.cluster,
        tuple(line.strip() for line in shown.sentences()) if shown else (),
    )
    return query, found.records, ledger_fields(found.ledger)


def ask_again(folder: Path, name: str) -> tuple[PinnedQuery, PinnedQuery]:
    """The answer of a pinned query then, and now.

    Raises:
        CaseError: there is no such case.
        UsageError: there is no such entry, or it is no query.
        UnreadableError: its logs are gone.
    """
    entry = find_entry(read_case(folder), name)
    if entry.query is None:
        raise UsageError(f"entry {entry.id} is no query", hint="kubewitness case show lists the entries")
    then = entry.query
    logs = Logs(then.paths, since=then.since, until=then.until, cluster=then.cluster)
    return then, _ask(logs, then.filter)[0]


def pin_coverage(folder: Path, logs: Logs, author: str, note: str = "") -> Added:
    """Pin what logs could not have shown.

    Raises:
        CaseError: there is no such case.
        UsageError: a store was named.
        UnreadableError: nothing could be read, or no event says its level.
    """
    read_case(folder)
    if logs.store is not None:
        raise UsageError("coverage is asked of logs", hint="name the logs themselves")
    found = coverage_of_log(logs.paths, classes=[RuleClass.CORE])
    by_verdict: dict[str, list[dict[str, Any]]] = {}
    for item in found.rules:
        gaps = [_gap(gap) for gap in item.coverage.gaps[:3]]
        fields = {
            "id": item.rule.id,
            "title": item.rule.title,
            "severity": item.rule.severity.value,
            "reasons": list(dict.fromkeys(gaps)),
        }
        by_verdict.setdefault(str(item.coverage.verdict), []).append(fields)
    pinned = PinnedCoverage(
        found.recording.title,
        found.is_inferred,
        dict(found.levels),
        dict(found.stages),
        tuple(by_verdict.get("blind", ())),
        tuple(by_verdict.get("partly", ())),
        len(by_verdict.get("covered", ())),
    )
    entry = new_entry(Kind.COVERAGE, author, note, coverage=pinned, paths=logs.paths)
    add_entry(folder, entry)
    return Added((entry,))


def _gap(gap: Gap) -> str:
    where = "; ".join(f"{dimension} {values}" for dimension, values in gap.where)
    return f"{where}: {gap.cause.value}" if where else gap.cause.value


def add_note(folder: Path, text: str, author: str, on: str | None = None) -> Entry:
    """Add a note, on the case or on one of its entries.

    Raises:
        CaseError: there is no such case.
        UsageError: the note is empty, or there is no such entry.
    """
    case = read_case(folder)
    if not text.strip():
        raise UsageError("the note is empty", hint='kubewitness case note FOLDER "what was found"')
    entry = new_entry(Kind.NOTE, author, text, on=find_entry(case, on).id if on else None)
    add_entry(folder, entry)
    return entry


def events_of(text: str | None, audit_ids: Sequence[str]) -> Predicate:
    """What is meant by a filter, or by ids of requests.

    Raises:
        FilterError: the filter cannot be understood.
    """
    if text is not None:
        return parse_filter(text)
    return Or(tuple(Text(find_field("audit_id"), Operator.EQUALS, each) for each in audit_ids))
