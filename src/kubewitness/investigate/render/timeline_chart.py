"""The chart of a timeline: a lane per session, a mark per action and alert, as a drawing (SVG) that needs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.investigate.actions import Action
from kubewitness.investigate.kinds import ENTRIES, NOISE
from kubewitness.look.charts import room_for, svg_of
from kubewitness.words.escape import visible
from kubewitness.words.lists import shorten
from kubewitness.words.plain import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.investigate.timeline import Entry, Timeline

_MOST_LANES = 24
_MOST_MARKS = 3_000
_LONGEST_NAME = 30
_LONGEST_PROGRAM = 16
_COLOURS = {"read": "#8e98a9", "change": "#1f6ba3", "entry": "#7b4fa3", "refused": "#c4400c", "alert": "#b0123a"}
_SHAPES = {"read": "circle", "change": "square", "entry": "diamond", "refused": "cross", "alert": "triangle-down"}


def marks(timeline: Timeline) -> list[dict[str, str | int]]:
    """What is drawn: `at`, `lane`, `what` (a key of `_COLOURS`), of the liveliest lanes; no noise."""
    lanes = _lanes(timeline)
    rows: list[dict[str, str | int]] = []
    for entry in timeline.entries:
        what = _what(entry)
        if entry.at is None or entry.session not in lanes or what is None:
            continue
        rows.append({"at": rfc3339(entry.at) or "", "lane": lanes[entry.session], "what": what})
    return rows[:_MOST_MARKS]


def _lanes(timeline: Timeline) -> dict[int, str]:
    wanted = sorted(timeline.sessions, key=lambda session: -session.requests)[:_MOST_LANES]
    alarming = {entry.session for entry in timeline.entries if not isinstance(entry.what, Action)}
    chosen = [*(session for session in timeline.sessions if session.number in alarming), *wanted]
    kept = sorted(list(dict.fromkeys(chosen))[:_MOST_LANES], key=lambda session: session.number)
    return {
        session.number: visible(
            f"{session.number} {shorten(_short(session.actor or session.username or '-'), _LONGEST_NAME)}"
            f" {shorten(session.program or '', _LONGEST_PROGRAM)} {session.source_ip or ''}".strip()
        )
        for session in kept
    }


def _short(name: str) -> str:
    """A service account as people write it: the axis has little room."""
    return name.removeprefix("system:serviceaccount:").replace(":", "/", 1) if name.startswith("system:serv") else name


def _what(entry: Entry) -> str | None:
    if not isinstance(entry.what, Action):
        return "alert"
    if entry.what.is_change:
        return "change"
    if entry.what.refused or entry.what.failed:
        return "refused"
    if entry.what.kind in ENTRIES:
        return "entry"
    return None if entry.what.kind in NOISE else "read"


def draw(timeline: Timeline) -> str | None:
    """Draw it; None where nothing has a time. Its text takes the colour of the text around it."""
    rows = marks(timeline)
    if not rows:
        return None
    import altair as alt  # noqa: PLC0415 - slow to import, and only this format needs it

    lanes = list(dict.fromkeys(_lanes(timeline).values()))
    used: Sequence[str] = [lane for lane in lanes if any(row["lane"] == lane for row in rows)]
    kinds = list(_COLOURS)
    placed = alt.Chart(width=620, height=alt.Step(26)).encode(
        x=alt.X(
            "at:T",
            title=None,
            scale=alt.Scale(type="utc", nice=False, padding=10),
            axis=alt.Axis(labelOverlap=True, grid=True, tickCount=8, format="%H:%M:%S"),
        ),
        y=alt.Y("lane:N", title=None, sort=used, axis=alt.Axis(labelLimit=420, minExtent=room_for(used), grid=True)),
        color=alt.Color(
            "what:N",
            title=None,
            scale=alt.Scale(domain=kinds, range=list(_COLOURS.values())),
            legend=alt.Legend(orient="top", labelColor="currentColor"),
        ),
        shape=alt.Shape("what:N", title=None, scale=alt.Scale(domain=kinds, range=list(_SHAPES.values()))),
    )
    # Alerts stand above what they are about.
    layers = (
        placed.mark_point(filled=True, size=60, opacity=0.8, yOffset=offset).properties(
            data=alt.InlineData(values=[row for row in rows if (row["what"] == "alert") is above])
        )
        for above, offset in ((False, 2), (True, -8))
    )
    return svg_of(alt.layer(*layers, background="transparent"), line="#8884", grid="#8883")
