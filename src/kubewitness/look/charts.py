"""Drawings (SVG) for pages, which need no script. Their text takes the colour of the text around them."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from altair import Axis

_LETTER_WIDTH = 6.6  # of 11 pixels in height


def time_axis(times: Sequence[datetime], **more: Any) -> Axis:
    """An axis for these times, of which there is one at least: one date or time per label.

    Args:
        times: UTC.
        more: further properties of the axis.
    """
    import altair as alt  # noqa: PLC0415 - slow to import, and only drawings need it

    # At midnight a short chart names the day.
    short = "utcFormat(datum.value, utchours(datum.value) + utcminutes(datum.value) ? '%H:%M' : '%b %d')"
    is_short = max(times) - min(times) < timedelta(days=2)
    axis = alt.Axis(labelOverlap=True, tickCount=10, **more)
    axis.labelExpr = short if is_short else "utcFormat(datum.value, '%Y-%m-%d')"
    return axis


def room_for(names: Iterable[str]) -> float:
    """Width of an axis for names: the letters of a browser may be wider than those that a drawing is measured with."""
    return max(map(len, names), default=0) * _LETTER_WIDTH


def svg_of(chart: Any, *, line: str = "var(--line)", grid: str | None = None) -> str:
    """Draw a chart of Altair.

    Args:
        chart: any that has `configure_axis` and `configure_view`.
        line: colour of axes and ticks.
        grid: colour of the grid, where it is another one.
    """
    out = StringIO()
    chart.configure_axis(
        labelColor="currentColor",
        domainColor=line,
        tickColor=line,
        gridColor=grid or line,
        labelFont="system-ui, sans-serif",
        labelFontSize=11,
    ).configure_view(stroke=None).save(out, format="svg")
    return out.getvalue()
