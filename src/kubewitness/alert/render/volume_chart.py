"""Charts of bytes: what a policy keeps and drops, as one HTML file without a network reference, or as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from kubewitness.look.charts import room_for, svg_of
from kubewitness.look.pages import page_assets, page_environment
from kubewitness.words.escape import visible

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_KEPT, _DROPPED = "#2f6f9f", "#d9a441"
_LABEL_LENGTH = 48
_PACKAGE = "kubewitness.alert.render"


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

    The page has the figures in tables, too, and loads nothing.

    Raises:
        OSError: the file cannot be written.
    """
    match path.suffix.lower():
        case ".html":
            path.write_text(_page(title, bars) + "\n", encoding="utf-8")
        case ".png":
            _chart(title, bars).configure_view(stroke=None).save(str(path), scale_factor=2)
        case _:
            _chart(title, bars).configure_view(stroke=None).save(str(path))


def _page(title: str, bars: Sequence[Bar]) -> str:
    panels = [
        (panel, Markup(svg_of(_panel(panel, bars, is_drawing=True))), [bar for bar in bars if bar.panel == panel])  # noqa: S704 - drawn by us
        for panel in dict.fromkeys(bar.panel for bar in bars)
    ]
    environment = page_environment(_PACKAGE, number="{:,}".format)
    assets = page_assets(_PACKAGE, "volume", has_script=False)
    return environment.get_template("volume.html.jinja").render(title=title, panels=panels, **assets)


def _chart(title: str, bars: Sequence[Bar]) -> Any:
    import altair as alt  # noqa: PLC0415 - slow to import, and only a chart needs it

    panels = [_panel(panel, bars) for panel in dict.fromkeys(bar.panel for bar in bars)]
    return alt.vconcat(*panels, title=visible(title))


def _panel(panel: str, bars: Sequence[Bar], *, is_drawing: bool = False) -> Any:
    """One panel; on a page the words stand around the drawing, in its colours."""
    import altair as alt  # noqa: PLC0415 - same

    own = [bar for bar in bars if bar.panel == panel]
    rows = [
        {"name": _short(bar.name), "whole": bar.name, "what": what, "bytes": size, "order": order}
        for bar in own
        for order, (what, size) in enumerate((("kept", bar.kept), ("dropped", bar.dropped)))
    ]
    names = [_short(bar.name) for bar in own]
    room = room_for(_short(bar.name) for bar in bars)  # the same for all panels
    around: dict[str, Any] = {"background": "transparent"} if is_drawing else {"title": panel}
    return (
        alt.Chart(alt.InlineData(values=rows), width=560, **around)
        .mark_bar()
        .encode(
            y=alt.Y("name:N", title=None, sort=names, axis=alt.Axis(labelLimit=320, minExtent=room)),
            x=alt.X("bytes:Q", title=None if is_drawing else "bytes", axis=alt.Axis(format="~s")),
            color=alt.Color(
                "what:N",
                title=None,
                scale=alt.Scale(domain=["kept", "dropped"], range=[_KEPT, _DROPPED]),
                legend=None if is_drawing else alt.Undefined,
            ),
            order=alt.Order("order:Q"),
        )
    )


def _short(name: str) -> str:
    shown = visible(name)
    return shown if len(shown) <= _LABEL_LENGTH else f"{shown[: _LABEL_LENGTH - 1]}…"
