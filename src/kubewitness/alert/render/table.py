"""`--format table`: for people at a terminal; plain text of 100 columns where there is no terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TextIO

from rich.text import Text

from kubewitness.alert.render.exempted import exception_sentences, platform_sentences
from kubewitness.look.console import SEVERITY_STYLES, open_console
from kubewitness.model.alert import Severity
from kubewitness.words.escape import visible
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from rich.console import Console

    from kubewitness.model.alert import Alert, Report
    from kubewitness.model.ledger import Ledger, Rejection

_GAP = 2
_COUNT = 7
_SHORT_OF = 100_000
_TIME = 11
_MOST_REJECTED = 3


def render(report: Report, out: TextIO) -> None:
    """Write the report as text: summary, ledger, alerts, remarks, exceptions, what could not be read.

    Colours go to a terminal only, and `NO_COLOR` is honoured. Lines are at most 100 columns wide, or as wide
    as a narrower terminal. Text from the log is written with its control characters made visible.
    """
    console = open_console(out)
    console.print(_headline(report))
    console.print(_span(report), style="dim")
    console.print(_ledger(report.ledger))
    console.print()
    if report.alerts:
        _print_alerts(console, report.alerts)
    else:
        console.print(_no_alerts(report))
        console.print()
    for remark in report.remarks:
        _print_item(console, "note:", remark)
    for sentence in platform_sentences(report):
        _print_item(console, "platform:", sentence)
    for sentence in exception_sentences(report):
        _print_item(console, "exception:", sentence)
    _print_rejections(console, "rejected:", report.ledger.rejections, report.ledger.rejected)
    _print_rejections(console, "unreadable:", report.ledger.unreadable, len(report.ledger.unreadable))


def _headline(report: Report) -> Text:
    text = Text()
    by_severity = Counter(alert.severity for alert in report.alerts)
    text.append(counted(len(report.alerts), "alert"), style="bold")
    if report.alerts:
        text.append(" (")
        found = [severity for severity in reversed(Severity) if by_severity[severity]]
        for index, severity in enumerate(found):
            text.append(", " if index else "")
            text.append(f"{by_severity[severity]} {severity.value}", style=SEVERITY_STYLES[severity])
        text.append(")")
    text.append(f" in {counted(report.ledger.events + report.ledger.partial, 'event')}")
    if report.clusters:
        names = [short_cluster(cluster) for cluster in report.clusters]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004 - three fit on the line
        text.append(f" of {', '.join(names[:3])}{more}")
    return text


def _span(report: Report) -> str:
    parts = [counted(report.rules, "rule"), f"{report.duration_s:.1f} s"]
    if report.first_at and report.last_at:
        same_day = report.first_at.date() == report.last_at.date()
        last = f"{report.last_at:%H:%M:%S}" if same_day else f"{report.last_at:%Y-%m-%d %H:%M:%S}"
        parts.insert(0, f"{report.first_at:%Y-%m-%d %H:%M:%S} to {last} UTC")
    return ", ".join(parts)


def _ledger(ledger: Ledger) -> Text:
    text = Text()
    text.append("ledger: ", style="bold")
    text.append(
        f"{ledger.read:,} read = {ledger.events:,} events + {ledger.partial:,} partial"
        f" + {ledger.duplicates:,} duplicates + {ledger.other:,} other"
    )
    text.append(" + ")
    text.append(f"{ledger.rejected:,} rejected", style="bold red" if ledger.rejected else "")
    return text


def _no_alerts(report: Report) -> str:
    events = report.ledger.events + report.ledger.partial
    if not events:
        return "Nothing to judge: no audit event was found in what was read."
    return f"No alerts: {counted(report.rules, 'rule')} found nothing to report in {counted(events, 'event')}."


def _print_alerts(console: Console, alerts: Sequence[Alert]) -> None:
    indent = max(len("severity"), *(len(alert.severity.value) for alert in alerts)) + _GAP
    header = _row(console.width, indent, ("SEVERITY", "ALERT", "WHO", "COUNT", "FIRST (UTC)"))
    console.print(header, style="dim", no_wrap=True)
    explained: set[str] = set()
    for alert in alerts:
        if alert.severity is Severity.INFORMATIONAL:
            continue
        row = _row(console.width, indent, _cells(alert))
        row.stylize(SEVERITY_STYLES[alert.severity], 0, len(alert.severity.value))
        console.print(row, no_wrap=True)
        _print_indented(console, indent, Text(visible(alert.explanation)))
        if alert.next_steps and alert.rule_id not in explained:
            _print_indented(console, indent, Text(f"next: {visible(alert.next_steps)}", style="dim"))
            explained.add(alert.rule_id)
        console.print()
    _print_informational(console, indent, [alert for alert in alerts if alert.severity is Severity.INFORMATIONAL])


def _print_informational(console: Console, indent: int, alerts: Sequence[Alert]) -> None:
    """One line per rule: what is true but needs nobody's attention."""
    by_rule: dict[str, list[Alert]] = {}
    for alert in alerts:
        by_rule.setdefault(alert.rule_id, []).append(alert)
    for several in by_rule.values():
        actors = Counter(alert.actor or "-" for alert in several)
        (who, _), *others = actors.most_common()
        more = f" +{len(others)}" if others else ""
        requests = sum(alert.count for alert in several)
        first = min((alert.first_at for alert in several if alert.first_at), default=None)
        cells = (
            several[0].severity.value,
            visible(several[0].title),
            visible(who) + more,
            _in_short(requests),
            _when(first),
        )
        row = _row(console.width, indent, cells)
        row.stylize(SEVERITY_STYLES[Severity.INFORMATIONAL], 0, len(several[0].severity.value))
        console.print(row, no_wrap=True)
    if by_rule:
        console.print(Text(" " * indent + "(one line per rule; --format html or json lists each)", style="dim"))
        console.print()


def _print_indented(console: Console, indent: int, text: Text) -> None:
    for line in text.wrap(console, max(console.width - indent, 1), overflow="fold"):
        line.rstrip()
        console.print(Text(" " * indent) + line, no_wrap=True, overflow="ignore", crop=False)


def _cells(alert: Alert) -> tuple[str, str, str, str, str]:
    who = visible(alert.actor) if alert.actor else "-"
    return alert.severity.value, visible(alert.title), who, _in_short(alert.count), _when(alert.first_at)


def _in_short(count: int) -> str:
    """A number as its column has room for it: the sentence below tells it whole."""
    if count >= 1_000_000:  # noqa: PLR2004 - the meaning of M
        return f"{count / 1_000_000:,.1f} M"
    return f"{count:,}" if count < _SHORT_OF else f"{count // 1_000:,} k"


def _row(width: int, indent: int, cells: tuple[str, str, str, str, str]) -> Text:
    severity, title, who, count, when = cells
    free = max(width - indent - _COUNT - _TIME - 2 * _GAP, 4)
    title_width = free * 3 // 5
    return Text.assemble(
        _fitted(severity, indent),
        (_fitted(title, title_width).plain, "bold"),
        " " * _GAP,
        _fitted_who(who, free - title_width),
        count.rjust(_COUNT),
        " " * _GAP,
        when,
    )


def _fitted_who(who: str, width: int) -> Text:
    """Fit a name; of the long names of service accounts and nodes the end says more than the beginning."""
    if who.startswith("system:") and len(who) > width:
        who = f"…{who[-width + 1 :]}"
    return _fitted(who, width)


def _fitted(text: str, width: int) -> Text:
    cell = Text(text)
    cell.truncate(width, overflow="ellipsis", pad=True)
    return cell


def _print_item(console: Console, label: str, text: str) -> None:
    item = Text(overflow="fold")
    item.append(f"{label} ", style="bold")
    item.append(visible(text))
    console.print(item)


def _print_rejections(console: Console, label: str, rejections: Iterable[Rejection], total: int) -> None:
    shown = list(rejections)[:_MOST_REJECTED]
    for rejection in shown:
        _print_item(console, label, f"{rejection.origin}: {rejection.reason}")
    if total > len(shown):
        _print_item(console, label, f"and {total - len(shown):,} more" if shown else f"{total:,}")


def _when(at: datetime | None) -> str:
    return f"{at:%m-%d %H:%M}" if at else "-"


def short_cluster(cluster: str) -> str:
    """Name a cluster in few characters: the last part of an Azure or Google resource id."""
    return visible(cluster.rstrip("/").rsplit("/", 1)[-1] or cluster)
