"""A timeline as one page that loads nothing: a chart, and each session with what it did.

Text from the log is escaped by the template and made visible before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from markupsafe import Markup

from kubewitness.investigate.actions import Action
from kubewitness.investigate.kinds import ENTRIES
from kubewitness.investigate.phrases import duration
from kubewitness.investigate.render.pages import page
from kubewitness.investigate.render.timeline_chart import draw
from kubewitness.investigate.render.timeline_table import session_headline

if TYPE_CHECKING:
    from kubewitness.investigate.timeline import Entry, Timeline

_MOST_ENTRIES = 5_000
_MOST_REQUESTS = 50
_KINDS = {"alert": "alerts", "change": "changes", "entry": "got in", "failed": "failed", "read": "reads"}


def write_page(timeline: Timeline, out: TextIO) -> None:
    """Write the timeline as one HTML page; of very many entries the first 5,000, which is said."""
    chart = draw(timeline)
    shown = timeline.entries[:_MOST_ENTRIES]
    entries = [(entry, isinstance(entry.what, Action), _kind(entry), _tone(entry)) for entry in shown]
    present = {kind for _, _, kind, _ in entries}
    text = page(
        "timeline",
        timeline=timeline,
        chart=Markup(chart) if chart else None,  # noqa: S704 - drawn by us; the drawing escapes its texts
        entries=entries,
        kinds=[(kind, label) for kind, label in _KINDS.items() if kind in present],
        sessions={session.number: session for session in timeline.sessions},
        left_out=len(timeline.entries) - len(shown),
        most_requests=_MOST_REQUESTS,
        headline=session_headline,
        length=_length,
    )
    out.write(f"{text}\n")


def _kind(entry: Entry) -> str:
    return _tone(entry) if isinstance(entry.what, Action) else "alert"


def _tone(entry: Entry) -> str:
    if not isinstance(entry.what, Action):
        return entry.what.severity.value
    if entry.what.is_change:
        return "change"
    if entry.what.kind in ENTRIES and not entry.what.refused:
        return "entry"
    return "failed" if entry.what.refused or entry.what.failed else "read"


def _length(seconds: float | None) -> str:
    return duration(seconds) if seconds is not None else ""
