"""A case as one page that loads nothing, and as text."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from kubewitness.investigate.case import Kind, by_tactic, headline
from kubewitness.investigate.render.case_chart import draw
from kubewitness.investigate.render.pages import page
from kubewitness.look.console import open_console
from kubewitness.words.escape import visible
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubewitness.investigate.case import Case, Entry, Fields

_LONGEST = 2_000
_MOST_EVENTS = 50
_LONGEST_SOURCE = 48
_PLURALS = {
    Kind.ALERT: "alerts", Kind.EVENT: "events", Kind.QUERY: "queries", Kind.NOTE: "notes", Kind.COVERAGE: "coverages",
}  # fmt: skip
_NOT_SHOWN = frozenset({"happened_at", "cluster"})


def to_page(case: Case, originals: Mapping[str, str] | None = None) -> str:
    """The case as one HTML page: story, chart, findings, evidence, ledger, coverage.

    Args:
        case: to show.
        originals: texts of original records by hash, where they are to be shown; they are not redacted.
    """
    chart = draw(case)
    return page(
        "case",
        case=case,
        chart=Markup(chart) if chart else None,  # noqa: S704 - drawn by us from times and names of tactics
        tactics=[(title, [_shown(case, entry) for entry in entries]) for title, entries in by_tactic(case.story)],
        story=[(entry, headline(entry), _tone(entry)) for entry in case.story],
        evidence=sorted(case.records.values(), key=lambda event: (event.at is None, event.at, event.source)),
        originals={name: text[:_LONGEST] for name, text in (originals or {}).items()},
        kinds=[(kind.value, _PLURALS[kind]) for kind in (Kind.ALERT, Kind.EVENT, Kind.QUERY)],
        ledgers=_ledgers(case),
        is_revealed=originals is not None,
        Kind=Kind,
    )


def _shown(case: Case, entry: Entry) -> dict[str, Any]:
    """An entry with all that is said about it."""
    fields: Fields = entry.alert.fields if entry.alert else {}
    return {
        "entry": entry,
        "headline": headline(entry),
        "tone": _tone(entry),
        "fields": fields,
        "notes": case.notes_on(entry),
        "events": [(event, list(_details(event.details))) for event in entry.events[:_MOST_EVENTS]],
        "left_out": max(len(entry.events) - _MOST_EVENTS, 0),
    }


def _tone(entry: Entry) -> str:
    severity = str(entry.alert.fields.get("severity")) if entry.alert else ""
    return severity if severity in {"critical", "high", "medium", "low", "informational"} else "note"


def _details(details: Fields) -> Iterator[tuple[str, str]]:
    for name, value in details.items():
        if name in _NOT_SHOWN or value in (None, "", []):
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        cut = f" ... ({len(text):,} characters)" if len(text) > _LONGEST else ""
        yield name, text[:_LONGEST] + cut


def _ledgers(case: Case) -> list[tuple[str, Fields]]:
    """What was read, and what became of it; each reading once."""
    found: dict[str, tuple[str, Fields]] = {}
    for entry in case.entries:
        if entry.ledger:
            key = json.dumps([entry.paths, entry.ledger], sort_keys=True)
            found.setdefault(key, (", ".join(entry.paths), entry.ledger))
    return list(found.values())


def to_text(case: Case) -> str:
    """The case for a terminal: who, when, the story by time, notes where they belong."""
    out = io.StringIO()
    console = open_console(out)
    console.print(visible(case.title))
    console.print(visible(f"case {case.id}, made {case.created_at:%Y-%m-%d %H:%M} UTC by {case.author}"))
    counts = {kind: sum(entry.kind is kind for entry in case.entries) for kind in Kind}
    listed = ", ".join(counted(count, kind.value, _PLURALS[kind]) for kind, count in counts.items() if count)
    console.print(f"{listed or 'nothing pinned yet'}; {counted(len(case.records), 'original record')}\n")
    for note in case.loose_notes:
        console.print(visible(f"  note {note.id} {note.author} {note.added_at:%Y-%m-%d %H:%M}: {note.note}"))
    for entry in case.story:
        at = f"{entry.at:%Y-%m-%d %H:%M:%S}" if entry.at else "no time            "
        severity = f" {entry.alert.fields.get('severity')}" if entry.alert else ""
        tactic = f" [{entry.tactic.heading}]" if entry.tactic else ""
        console.print(visible(f"{at}  {entry.id} {entry.kind.value}{severity}{tactic}"))
        console.print(visible(f"    {headline(entry)}"))
        for event in entry.events[:1]:
            more = f" and {len(entry.events) - 1:,} more" if len(entry.events) > 1 else ""
            source = event.source if len(event.source) <= _LONGEST_SOURCE else f"...{event.source[-_LONGEST_SOURCE:]}"
            console.print(visible(f"    {source}:{event.line} sha256 {event.sha256[:12]}...{more}"))
        for sentence in entry.query.could if entry.query else ():
            console.print(visible(f"    {sentence}"))
        for text, author in [(entry.note, entry.author), *((note.note, note.author) for note in case.notes_on(entry))]:
            if text:
                console.print(visible(f"    note by {author}: {text}"))
    for entry in case.coverage:
        console.print(visible(f"coverage {entry.id}: {headline(entry)}"))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
