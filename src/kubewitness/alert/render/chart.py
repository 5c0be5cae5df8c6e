"""The chart of a page: events of alerts over time by severity, as a drawing (SVG) that needs no script."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kubewitness.look.charts import svg_of, time_axis
from kubewitness.model.alert import Severity
from kubewitness.words.plain import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubewitness.model.alert import Alert

_MOST_BINS = 72
_STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        *(60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800),
        *(2_592_000, 31_536_000),
    )
)
_START = datetime(2000, 1, 3)  # noqa: DTZ001 - a Monday; times in the model are naive UTC


def bin_width(first: datetime, last: datetime) -> timedelta:
    """Choose the width of a bar: a round one, from a minute to a year, that gives at most 72 bars."""
    return next((step for step in _STEPS if (last - first) / step < _MOST_BINS - 1), _STEPS[-1])


def bins(alerts: Sequence[Alert]) -> list[dict[str, str | int]]:
    """Count the events of alerts by time and severity.

    Returns:
        One row per piece of a bar: `start` and `end` in time, `low` and `high` in events, `severity`. The
        worst severity stands at the foot.
    """
    times = [(at, count, alert.severity) for alert in alerts for at, count in _times(alert)]
    if not times:
        return []
    step = bin_width(min(at for at, _, _ in times), max(at for at, _, _ in times))
    counted: Counter[tuple[int, Severity]] = Counter()
    for at, count, severity in times:
        counted[(at - _START) // step, severity] += count
    tops: Counter[int] = Counter()
    rows: list[dict[str, str | int]] = []
    for (index, severity), events in sorted(counted.items(), key=lambda item: (item[0][0], -item[0][1].rank)):
        rows.append(
            {
                "start": rfc3339(_START + index * step) or "",
                "end": rfc3339(_START + (index + 1) * step) or "",
                "severity": severity.value,
                "low": tops[index],
                "high": tops[index] + events,
            }
        )
        tops[index] += events
    return rows


def _times(alert: Alert) -> Iterator[tuple[datetime, int]]:
    """When how many events of an alert happened."""
    if alert.unlisted:
        yield from alert.unlisted.times
    else:
        yield from ((event.at, 1) for event in alert.events if event.at is not None)


def draw(alerts: Sequence[Alert]) -> str | None:
    """Draw the chart as SVG; None when no event of an alert has a time.

    Its text takes the colour of the text around it, and its bars the page's colours `--critical`, `--high`
    and so on. It holds nothing that comes from the log but times and counts.
    """
    rows = bins(alerts)
    if not rows:
        return None
    import altair as alt  # noqa: PLC0415 - slow to import, and only this format needs it

    severities = [severity.value for severity in reversed(Severity)]
    times = [at for alert in alerts for at, _ in _times(alert)]
    chart = (
        alt.Chart(alt.InlineData(values=rows), width=880, height=130, background="transparent")
        .mark_rect(stroke="var(--raised)", strokeWidth=0.5)
        .encode(
            x=alt.X("start:T", title=None, scale=alt.Scale(type="utc"), axis=time_axis(times, grid=False)),
            x2=alt.X2("end:T"),
            y=alt.Y("low:Q", title=None, axis=alt.Axis(tickMinStep=1, tickCount=4, format="d")),
            y2=alt.Y2("high:Q"),
            color=alt.Color(
                "severity:N",
                legend=None,
                scale=alt.Scale(domain=severities, range=[f"var(--{name})" for name in severities]),
            ),
        )
    )
    return svg_of(chart)
