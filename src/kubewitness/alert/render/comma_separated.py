"""`--format csv`: one alert per row, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, TextIO

from kubewitness.alert.render.fields import alert_fields
from kubewitness.words.escape import visible

if TYPE_CHECKING:
    from kubewitness.model.alert import Report
    from kubewitness.words.plain import Fields

COLUMNS = (
    *("severity", "title", "cluster", "actor", "object", "explanation", "count", "first_at", "last_at"),
    *("source_ips", "user_agents", "rule_id", "catalogue", "techniques", "objects", "origins", "next_steps"),
)
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20|%")  # what spreadsheets take for the start of a formula


def render(report: Report, out: TextIO) -> None:
    """Write a header and one row per alert; lists are joined by `; `, absent values are empty.

    A cell that a spreadsheet could take for a formula begins with an apostrophe, as OWASP advises for CSV
    injection.
    """
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for alert in report.alerts:
        fields: Fields = alert_fields(alert)
        fields["origins"] = [
            event.source if event.line is None else f"{event.source}:{event.line}" for event in alert.events
        ]
        writer.writerow([cell(fields[column]) for column in COLUMNS])


def cell(value: Any) -> str | int:
    """A value as a cell of CSV that is safe to open in a spreadsheet; lists are joined by `; `."""
    if value is None:
        return ""
    if isinstance(value, int):
        return value
    text = visible("; ".join(value) if isinstance(value, list) else str(value))
    return f"'{text}" if text.lstrip(" '\"").startswith(_FORMULA) else text
