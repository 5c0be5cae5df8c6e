"""Charts of bytes: what a policy keeps and drops, as one HTML file without a network reference, or as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubewitness.words.escape import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_KEPT, _DROPPED = "#2f6f9f", "#d9a441"
_LABEL_LENGTH = 48


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        panel: the panel it stands in.
        name: what it is about.
        kept: bytes that are kept.
        dropped: bytes that are not.
    """

    panel: str
    name: str
    kept: int
    dropped: int


def save_chart(title: str, bars: Sequence[Bar], path: Path) -> None:
    """Draw bars, one panel above the other, into a file whose ending says how: `.html`, `.png` or `.svg`.

    Raises:
        OSError: the file cannot be written.
    """
    chart = _chart(title, bars)
    if path.suffix.lower() == ".html":
        chart.save(str(path), inline=True)
    else:
        chart.save(str(path), scale_factor=2) if path.suffix.lower() == ".png" else chart.save(str(path))


def _chart(title: str, bars: Sequence[Bar]) -> Any:
    import altair as alt  # noqa: PLC0415 - slow to import, and only a chart needs it

    panels = []
    for panel in dict.fromkeys(bar.panel for bar in bars):
        own = [bar for bar in bars if bar.panel == panel]
        rows = [
            {"name": _short(bar.name), "whole": bar.name, "what": what, "bytes": size, "order": order}
            for bar in own
            for order, (what, size) in enumerate((("kept", bar.kept), ("dropped", bar.dropped)))
        ]
        panels.append(
            alt.Chart(alt.InlineData(values=rows), title=panel, width=560)
            .mark_bar()
            .encode(
                y=alt.Y("name:N", title=None, sort=[_short(bar.name) for bar in own], axis=alt.Axis(labelLimit=320)),
                x=alt.X("bytes:Q", title="bytes", axis=alt.Axis(format="~s")),
                color=alt.Color(
                    "what:N", title=None, scale=alt.Scale(domain=["kept", "dropped"], range=[_KEPT, _DROPPED])
                ),
                order=alt.Order("order:Q"),
                tooltip=["whole:N", "what:N", alt.Tooltip("bytes:Q", format=",")],
            )
        )
    return alt.vconcat(*panels, title=visible(title)).configure_view(stroke=None)


def _short(name: str) -> str:
    shown = visible(name)
    return shown if len(shown) <= _LABEL_LENGTH else f"{shown[: _LABEL_LENGTH - 1]}…"
