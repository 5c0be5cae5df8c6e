"""`--format html`: one self-contained page. It loads nothing, so it works without a network.

Everything from the log is escaped by the template; see `kubewitness.look.pages`.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, TextIO

from markupsafe import Markup

from kubewitness.alert.render.chart import draw
from kubewitness.alert.render.exempted import platform_sentences
from kubewitness.look.pages import page_assets, page_environment
from kubewitness.model.alert import Severity
from kubewitness.model.event import COLUMNS

if TYPE_CHECKING:
    from kubewitness.model.alert import AlertEvent, Report

MOST_EVENTS = 50  # shown per alert
_MOST_EVENTS_OF_MANY = 10  # the same in a report of many alerts
_MANY_ALERTS = 200
_LONGEST_VALUE = 2_000
# Shown beside the details already.
_APART = frozenset({"cluster", "source", "line", "audit_id", "stage", "at", "request_received_at", "stage_at"})


def render(report: Report, out: TextIO) -> None:
    """Write the report as one HTML page: summary, ledger, chart, alerts with their events.

    At most 50 events are shown per alert (10 when there are over 200 alerts), and at most 2,000 characters of
    a value; what is left out is said. The explanation, count and times always speak of all events.
    """
    environment = page_environment("kubewitness.alert.render", details=_details)
    by_severity = Counter(alert.severity for alert in report.alerts)
    chart = draw(report.alerts)
    stream = environment.get_template("page.html.jinja").stream(
        report=report,
        severities=[(severity.value, by_severity[severity]) for severity in reversed(Severity)],
        chart=Markup(chart) if chart else None,  # noqa: S704 - drawn by us from times and counts
        **page_assets("kubewitness.alert.render", "page"),
        most_events=MOST_EVENTS if len(report.alerts) <= _MANY_ALERTS else _MOST_EVENTS_OF_MANY,
        title=_title(report),
        platforms=list(platform_sentences(report)),
    )
    out.writelines(stream)
    out.write("\n")


def _title(report: Report) -> str:
    names = [cluster.rstrip("/").rsplit("/", 1)[-1] for cluster in report.clusters]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}" if names else "audit log"


def _details(event: AlertEvent) -> list[tuple[str, str, bool]]:
    """Name, text, and whether it was cut, of each detail, in the order of the events table."""
    return [
        (column.name, *_as_text(event.details[column.name]))
        for column in COLUMNS
        if column.name in event.details and column.name not in _APART
    ]


def _as_text(value: Any) -> tuple[str, bool]:
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        text = ", ".join(value)
    elif isinstance(value, dict | list | tuple):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = str(value)
    return text[:_LONGEST_VALUE], len(text) > _LONGEST_VALUE
