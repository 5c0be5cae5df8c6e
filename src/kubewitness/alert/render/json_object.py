"""`--format json`: one object `{summary, ledger, alerts}`, with `matches` when they were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from kubewitness.alert.render.fields import alert_fields, match_fields, summary_fields
from kubewitness.words.plain import Fields, ledger_fields, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.model.alert import Report


def render(report: Report, out: TextIO) -> None:
    """Write one JSON object; each alert and each match stands on a line of its own."""
    out.write(f'{{"summary": {to_json(summary_fields(report))},\n')
    out.write(f'"ledger": {to_json(ledger_fields(report.ledger))},\n')
    _write_list(out, "alerts", (alert_fields(alert) for alert in report.alerts))
    if report.matches:
        out.write(",\n")
        _write_list(out, "matches", (match_fields(match) for match in report.matches))
    out.write("}\n")


def _write_list(out: TextIO, name: str, items: Iterable[Fields]) -> None:
    out.write(f'"{name}": [')
    separator = "\n"
    for item in items:
        out.write(separator + to_json(item))
        separator = ",\n"
    out.write("]")
