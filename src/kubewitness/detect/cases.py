"""Cases of a rule: events that it must match and events that it must not, in a file beside it.

    match:
      - about: a shell by kubectl exec
        event: {verb: create, requestURI: ..., user: {username: alice}, responseStatus: {code: 101}}
    no_match:
      - about: refused
        event: {...}

A case has one `event`, several `events` (a second apart), or a `series` of `{event, repeat, every_s}` that
follow one another; `repeat` and `every_s` may also stand beside a single `event`. In a repeated event `{i}`
stands for the number of the repetition, from 0. Times and Audit-IDs are filled in where the event has none.
A file with several rules says with `rule: ID` in a case which one is meant. What is under `lists` (name to values)
stands for the lists that the rules name, as long as the cases run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import yaml

from kubewitness.model.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CASES_SUFFIX = ".test.yaml"
FEWEST = 2
"""Matching and non-matching cases that a rule has at least."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FIRST_AT = datetime(2026, 11, 23, 8)  # noqa: DTZ001 - times in the model are naive UTC
_KINDS = {"match": True, "no_match": False}
_LISTS = "lists"
_SHAPES = ("event", "events", "series")
_REPEATING = ("repeat", "every_s")
_MOST_EVENTS = 100_000
_EXAMPLE = "`event: {verb: get}`, `events: [{verb: get}]` or `series: [{repeat: 5, every_s: 2, event: {verb: get}}]`"

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """Events, and whether a rule is to alert on them.

    Attributes:
        about: what they show.
        is_match: whether the rule is to alert.
        rule_id: rule that is meant; None for the rule of the file.
        events: audit events by API name, each with a time and an Audit-ID.
        path: file the case stands in.
    """

    about: str
    is_match: bool
    rule_id: str | None
    events: tuple[Event, ...]
    path: str


def cases_path(rule_file: Path) -> Path:
    """Where the cases of a file of rules stand."""
    return rule_file.with_name(rule_file.stem + CASES_SUFFIX)


def parse_cases(text: str, path: str) -> list[Case]:
    """The cases of one file, in order.

    Args:
        text: YAML.
        path: name of the file in errors.

    Raises:
        RuleError: it is no list of cases; says which case and why.
    """
    document = _document(text, path)
    cases: list[Case] = []
    for kind, is_match in _KINDS.items():
        listed = document.get(kind) or []
        if not isinstance(listed, list):
            raise RuleError(f"`{kind}` is not a list of cases", where=path)
        for number, spec in enumerate(listed, 1):
            cases.append(_case(spec, f"{path}, {kind} {number}", path, is_match=is_match))
    return cases


def parse_case_lists(text: str, path: str) -> dict[str, list[str]]:
    """Values of the lists that a file of cases gives, by name.

    Raises:
        RuleError: it is no list of cases, or they are no lists.
    """
    lists = _document(text, path).get(_LISTS) or {}
    if not isinstance(lists, dict) or not all(isinstance(values, list) for values in lists.values()):
        raise RuleError("`lists` holds values by the name of a list", where=path, hint="lists: {decoys: [prod/backup]}")
    return {str(name): list(map(str, values)) for name, values in lists.items()}


def _document(text: str, path: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - CSafeLoader is the safe loader in C
    except yaml.YAMLError as error:
        raise RuleError(f"not YAML: {' '.join(str(error).split())}", where=path) from error
    if not isinstance(document, dict) or not document.keys() <= {*_KINDS, _LISTS}:
        raise RuleError("cases stand under `match` and `no_match`, lists under `lists`, nothing else does", where=path)
    return document


def _case(spec: Any, where: str, path: str, *, is_match: bool) -> Case:
    if not isinstance(spec, dict) or not isinstance(spec.get("about"), str):
        raise RuleError("a case needs `about`: a few words on what it shows", where=where)
    where = f"{where} ({spec['about']})"
    shapes = [key for key in _SHAPES if key in spec]
    if len(shapes) != 1:
        raise RuleError("a case needs one of `event`, `events` and `series`", where=where, hint=_EXAMPLE)
    allowed = {"about", "rule", *shapes, *(_REPEATING if shapes == ["event"] else ())}
    if unknown := [str(key) for key in spec if key not in allowed]:
        raise RuleError(f"a case with `{shapes[0]}` has no `{unknown[0]}`", where=where, hint=_EXAMPLE)
    match shapes[0]:
        case "event":
            parts = [spec]
        case "events":
            parts = [{"event": event} for event in _list(spec["events"], where)]
        case _:
            parts = _list(spec["series"], where)
    rule_id = spec.get("rule")
    events = _expand(parts, where, seed=f"{path} {is_match} {spec['about']}")
    return Case(spec["about"], is_match, str(rule_id) if rule_id else None, tuple(events), path)


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise RuleError("`events` and `series` are lists that are not empty", where=where, hint=_EXAMPLE)
    return value


def _expand(parts: list[Any], where: str, seed: str) -> list[Event]:
    """Repeat what is to be repeated, one part after another, and fill in times and Audit-IDs."""
    events: list[Event] = []
    begins_at = _FIRST_AT
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("event"), dict):
            raise RuleError("an event is a mapping of the API's names", where=where, hint=_EXAMPLE)
        repeat, every_s = part.get("repeat", 1), part.get("every_s", 1)
        if not isinstance(repeat, int) or not isinstance(every_s, int | float) or not 1 <= repeat <= _MOST_EVENTS:
            raise RuleError(
                f"`repeat` is a number from 1 to {_MOST_EVENTS}, `every_s` a number of seconds",
                where=where,
                hint=_EXAMPLE,
            )
        for index in range(repeat):
            event: Event = _filled(part["event"], str(index))
            moment = begins_at + timedelta(seconds=every_s * index)
            times = {"requestReceivedTimestamp", "timestamp"}
            if not times & event.keys():
                event["requestReceivedTimestamp"] = f"{moment.isoformat(timespec='microseconds')}Z"
            event.setdefault("auditID", str(uuid5(NAMESPACE_URL, f"{seed} {len(events)}")))
            events.append(event)
        begins_at += timedelta(seconds=every_s * repeat)
    return events


def _filled(value: Any, index: str) -> Any:
    """A copy in which `{i}` is the index and times that YAML read as times are text again."""
    match value:
        case str():
            return value.replace("{i}", index)
        case dict():
            return {str(key): _filled(item, index) for key, item in value.items()}
        case list():
            return [_filled(item, index) for item in value]
        case datetime():
            return value.isoformat() if value.tzinfo else f"{value.isoformat()}Z"
        case date():
            return value.isoformat()
        case _:
            return value


def example_of(case: Case) -> Mapping[str, Any]:
    """The first event of a case for readers: without what is filled in only to tell events apart."""
    return {key: value for key, value in case.events[0].items() if key not in {"auditID", "requestReceivedTimestamp"}}
