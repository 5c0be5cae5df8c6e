"""The chart of a case: alerts and events over time, a lane per tactic, as a drawing (SVG) that needs no script."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from kubewitness.investigate.case import Kind, by_tactic
from kubewitness.look.charts import room_for, svg_of, time_axis
from kubewitness.words.plain import rfc3339

if TYPE_CHECKING:
    from kubewitness.investigate.case import Case, Entry

_COLOURS = {
    "critical": "var(--critical)",
    "high": "var(--high)",
    "medium": "var(--medium)",
    "low": "var(--low)",
    "informational": "var(--informational)",
    "pinned": "var(--focus)",
}
_MOST_MARKS = 3_000
_LANE = 26


def marks(case: Case) -> list[dict[str, str | int]]:
    """What is drawn: `at`, `until`, `lane` and `what` (a key of `_COLOURS`); of a log nothing but times."""
    rows: list[dict[str, str | int]] = []
    for title, entries in by_tactic(case.story):
        lane = title if title != "Without a tactic" else "Pinned"
        for entry in entries:
            if entry.at is not None:
                at = rfc3339(entry.at) or ""
                rows.append({"at": at, "until": _until(entry) or at, "lane": lane, "what": _what(entry)})
    return rows[:_MOST_MARKS]


def draw(case: Case) -> str | None:
    """Draw the chart as SVG; None when nothing of the case has a time."""
    rows = marks(case)
    if not rows:
        return None
    import altair as alt  # noqa: PLC0415 - slow to import, and only the page needs it

    lanes = list(dict.fromkeys(str(row["lane"]) for row in rows))
    times = [datetime.fromisoformat(str(row[name])) for row in rows for name in ("at", "until")]
    base = alt.Chart(alt.InlineData(values=rows), width=880, height=_LANE * len(lanes)).encode(
        x=alt.X("at:T", title=None, scale=alt.Scale(type="utc", padding=8), axis=time_axis(times)),
        y=alt.Y("lane:N", title=None, sort=lanes, axis=alt.Axis(minExtent=room_for(lanes))),
        color=alt.Color("what:N", legend=None, scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values()))),
    )
    chart = alt.layer(
        base.mark_rule(strokeWidth=3, opacity=0.5).encode(x2="until:T"), base.mark_circle(size=70, opacity=0.9)
    ).configure(background="transparent")
    return svg_of(chart)


def _what(entry: Entry) -> str:
    if entry.kind is Kind.ALERT and entry.alert:
        severity = str(entry.alert.fields.get("severity"))
        return severity if severity in _COLOURS else "informational"
    return "pinned"


def _until(entry: Entry) -> str | None:
    last = entry.alert.fields.get("last_at") if entry.alert else None
    return str(last) if last else None
