"""`--format ndjson`: one alert per line, or one match per line when matches were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from kubewitness.alert.render.fields import alert_fields, match_fields
from kubewitness.words.plain import to_json

if TYPE_CHECKING:
    from kubewitness.model.alert import Report


def render(report: Report, out: TextIO) -> None:
    """Write one JSON object per line; nothing when there is nothing to say."""
    if report.matches:
        out.writelines(to_json(match_fields(match)) + "\n" for match in report.matches)
    else:
        out.writelines(to_json(alert_fields(alert)) + "\n" for alert in report.alerts)
