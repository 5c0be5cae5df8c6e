"""A timeline for people at a terminal; plain text of 100 columns where there is no terminal."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, TextIO

from rich.text import Text

from kubewitness.investigate.kinds import ENTRIES
from kubewitness.investigate.phrases import duration
from kubewitness.look.console import SEVERITY_STYLES, open_console, print_hanging
from kubewitness.model.alert import Alert, Severity
from kubewitness.words.escape import visible
from kubewitness.words.lists import counted, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rich.console import Console

    from kubewitness.investigate.actions import Action
    from kubewitness.investigate.requests import Request
    from kubewitness.investigate.sessions import Session
    from kubewitness.investigate.timeline import Entry, Timeline

_LEAD = 22
_LONGEST = 600

_print_hanging = partial(print_hanging, indent=_LEAD)


def write_table(timeline: Timeline, out: TextIO, *, unfold: bool = False, most: int = 200) -> None:
    """Write the timeline as text: headline, sessions where they begin, what was done and what was alarming.

    Args:
        timeline: what to write.
        out: where to.
        unfold: whether to list the requests of each action.
        most: how many entries to show.
    """
    console = open_console(out)
    for line in _head(timeline):
        console.print(line)
    if not timeline.entries:
        console.print("what this log could not have shown: kubewitness coverage PATH")
        return
    console.print(Text("* changed something   > got into something   x failed or was refused   ! alert", style="dim"))
    console.print()
    sessions = {session.number: session for session in timeline.sessions}
    shown = timeline.entries[:most]
    seen: set[int] = set()
    for (session, is_alert), group in groupby(shown, key=lambda each: (each.session, isinstance(each.what, Alert))):
        entries = list(group)
        if session in sessions and session not in seen:
            seen.add(session)
            _print_session(console, sessions[session])
        if is_alert:
            _print_alerts(console, entries, unfold=unfold)
        else:
            for entry in entries:
                _print_action(console, entry, unfold=unfold)
    if len(shown) < len(timeline.entries):
        console.print()
        console.print(
            f"and {counted(len(timeline.entries) - len(shown), 'more entry', 'more entries')}: --most shows them"
        )


def _head(timeline: Timeline) -> Iterator[Text]:
    actions = sum(not isinstance(entry.what, Alert) for entry in timeline.entries)
    head = Text("timeline of ")
    head.append(visible(timeline.subject), style="bold")
    yield head
    yield Text(
        f"{counted(timeline.requests, 'request')} in {counted(len(timeline.sessions), 'session')},"
        f" {counted(actions, 'action')}, {counted(len(timeline.entries) - actions, 'alert')};"
        f" {counted(timeline.looked_at, 'event')} looked at"
    )
    if timeline.first_at and timeline.last_at:
        yield Text(f"{timeline.first_at:%Y-%m-%d %H:%M:%S} to {timeline.last_at:%Y-%m-%d %H:%M:%S} UTC", style="dim")
    ledger = timeline.ledger
    if ledger.rejected or ledger.other:
        yield Text(f"not asked: {ledger.other:,} records of other categories, {ledger.rejected:,} not readable")
    for remark in timeline.remarks:
        yield Text(f"note: {remark}")


def session_headline(session: Session) -> str:
    """Who, with what, from where, and how much of it."""
    who = session.username or "somebody who was not authenticated"
    if session.actor and session.actor != session.username:
        who = f"{session.actor}" if not session.username else f"{who} as {session.actor}"
    with_what = f" with {session.program}" if session.program else ""
    whence = f" from {session.source_ip}" if session.source_ip else ""
    parts = [counted(session.requests, "request")]
    parts += [f"{session.refused:,} refused"] if session.refused else []
    parts += [f"{session.failed:,} failed"] if session.failed else []
    parts += [counted(session.changes, "change")] if session.changes else []
    parts += [f"{session.unended:,} never ended"] if session.unended else []
    parts += [f"in {duration(session.duration_s)}"] if session.requests > 1 else []
    return f"{who}{with_what}{whence}: {', '.join(parts)}"


def _print_session(console: Console, session: Session) -> None:
    line = Text(f"{session.began_at:%m-%d %H:%M:%S} {session.number:>4} ", style="bold")
    _print_hanging(console, line, Text(visible(session_headline(session)), style="bold"))


def _print_action(console: Console, entry: Entry, *, unfold: bool) -> None:
    action = entry.what
    if isinstance(action, Alert):
        return
    mark = _mark(action)
    style = "red" if mark == "x" else "" if mark.strip() else "dim"
    text = Text(visible(shorten(action.text, _LONGEST)), style=style)
    if len(action.requests) > 1 and "request" not in action.text:
        text.append(f"  [{len(action.requests):,}]", style="dim")
    _print_hanging(console, Text(f"{_time(entry.at)} {_number(entry)} {mark} "), text)
    for request in action.requests if unfold else ():
        _print_request(console, request)


def _mark(action: Action) -> str:
    if action.is_change:
        return "*"
    if action.refused or action.failed:
        return "x"
    return ">" if action.kind in ENTRIES else " "


def _print_alerts(console: Console, entries: Sequence[Entry], *, unfold: bool) -> None:
    """Alerts that follow each other: the worst with their titles, of the others their rules."""
    by_severity: dict[Severity, list[Entry]] = {}
    for entry in entries:
        if isinstance(entry.what, Alert):
            by_severity.setdefault(entry.what.severity, []).append(entry)
    for severity in sorted(by_severity, key=lambda each: -each.rank):
        several = by_severity[severity]
        lead = Text(f"{_time(several[0].at)} {_number(several[0])} ! ", style=SEVERITY_STYLES[severity])
        alerts = [entry.what for entry in several if isinstance(entry.what, Alert)]
        if unfold or severity.rank >= Severity.HIGH.rank:
            for alert in alerts:
                told = f": {visible(shorten(alert.explanation, _LONGEST))}" if unfold else ""
                name = f" {visible(alert.title)} ({alert.rule_id}){told}"
                _print_hanging(console, lead, Text.assemble((severity.value, SEVERITY_STYLES[severity]), name))
        else:
            rules = ", ".join(dict.fromkeys(alert.rule_id for alert in alerts))
            _print_hanging(console, lead, Text.assemble((severity.value, SEVERITY_STYLES[severity]), f" {rules}"))


def _number(entry: Entry) -> str:
    return f"{entry.session:>4}" if entry.session else "    "


def _print_request(console: Console, request: Request) -> None:
    details = request.details
    length = f" in {duration(request.duration_s)}" if request.duration_s is not None else ""
    code = str(request.code) if request.code is not None else request.ending.about
    origins = ", ".join(str(origin) for origin in request.origins)
    what = f"{details.get('verb', '')} {details.get('request_uri', '')} -> {code}{length}  ({origins})"
    at = f"{request.began_at:%H:%M:%S.%f}"[:-3] if request.began_at else ""
    _print_hanging(console, Text(f"{at:>{_LEAD - 2}}  ", style="dim"), Text(visible(what), style="dim"))


def _time(at: datetime | None) -> str:
    return f"{at:%m-%d %H:%M:%S}" if at else " " * 14
