"""Renderers: a report as a table, JSON, one JSON object per line, CSV, a page, SARIF or OCSF.

Each renderer takes a report and a text stream and writes; it never prints and never closes the stream. A
renderer's module is imported when it is first used, so that `json` does not pay for `table` or `html`.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubewitness.model.alert import Report


class Renderer(Protocol):
    """Writes a report."""

    def __call__(self, report: Report, out: TextIO) -> None:
        """Write the whole report to a text stream that is open for writing."""


def _lazy(module: str) -> Renderer:
    def render(report: Report, out: TextIO) -> None:
        renderer = cast("Renderer", import_module(f"{__name__}.{module}").render)
        renderer(report, out)

    return render


FORMATS: Mapping[str, Renderer] = MappingProxyType(
    {
        "table": _lazy("table"),
        "json": _lazy("json_object"),
        "ndjson": _lazy("json_lines"),
        "csv": _lazy("comma_separated"),
        "html": _lazy("page"),
        "sarif": _lazy("sarif"),
        "ocsf": _lazy("ocsf"),
    }
)
