"""What is known of an actor, as one list of tables for the terminal and for a page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, TypeAlias

from rich.table import Table

from kubewitness.investigate.actor import Aspect
from kubewitness.investigate.render.pages import page
from kubewitness.look.console import open_console
from kubewitness.words.escape import visible
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from kubewitness.investigate.actor import ActorReport, Profile, Seen

_BARS = " ▁▂▃▄▅▆▇█"
_TITLES = {
    Aspect.NETWORK: ("From where", "NETWORK", "ADDRESSES"),
    Aspect.AGENT: ("With what", "PROGRAM", "USER AGENTS"),
    Aspect.NAMESPACE: ("In namespaces", "NAMESPACE", ""),
    Aspect.GROUP: ("Groups", "GROUP", ""),
}

_SENTENCES = frozenset({"WHAT HAPPENED", "WHAT THE SERVER SAID"})

_Rows: TypeAlias = "list[list[str]]"
_Table: TypeAlias = "tuple[str, Sequence[str], _Rows]"


def to_text(report: ActorReport, *, most: int) -> str:
    """The report for a terminal.

    Args:
        report: what to print.
        most: rows of each table; 0 is all.
    """
    out = io.StringIO()
    console = open_console(out)
    console.print(visible(report.profile.name))
    console.print(summary(report.profile))
    for cluster in report.profile.clusters:
        console.print(visible(f"on {cluster}"))
    console.print(f"\nActive by hour (UTC)  0 {_histogram(report.profile.hours)} 23")
    for title, headers, rows in tables(report, is_wide=False):
        console.print(f"\n{visible(title)}")
        table = Table(*headers, box=None, pad_edge=False, header_style="dim")
        for column in table.columns:
            column.overflow = "fold"
        for row in rows[: most or None]:
            table.add_row(*map(visible, row))
        console.print(table)
        if most and len(rows) > most:
            console.print(f"and {len(rows) - most:,} more: --most 0")
    for remark in report.remarks:
        console.print(f"\nnote: {visible(remark)}")
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def to_html(report: ActorReport) -> str:
    """The report as a page of its own."""
    return page(
        "actor",
        profile=report.profile,
        summary=summary(report.profile),
        peak=max(*report.profile.hours, 1),
        tables=[
            (title, [header.capitalize() for header in headers], rows)
            for title, headers, rows in tables(report, is_wide=True)
        ],
        remarks=report.remarks,
        ledger=report.ledger,
    )


def summary(profile: Profile) -> str:
    """The actor in figures."""
    kind = (profile.kind or "user").replace("_", " ")
    span = ""
    if profile.first_at and profile.last_at:
        span = f", {profile.first_at:%Y-%m-%d %H:%M:%S} to {profile.last_at:%Y-%m-%d %H:%M:%S} UTC"
    parts = [
        f"{count:,} {what}"
        for count, what in (
            (profile.allowed, "allowed"), (profile.denied, "denied"), (profile.failed, "failed"),
            (profile.changes, "that changed something"),
        )
        if count
    ]  # fmt: skip
    return f"{kind}: {counted(profile.requests, 'request')}{span}; {', '.join(parts)}".rstrip("; ")


def tables(report: ActorReport, *, is_wide: bool) -> Iterator[_Table]:
    """Title, headers and rows of each table that has something to say; columns without any value are left out.

    Args:
        report: what is known.
        is_wide: whether there is room for sentences.
    """
    for title, headers, rows in _tables(report):
        kept = [index for index in range(len(headers)) if any(row[index] for row in rows)]
        kept = [index for index in kept if is_wide or headers[index] not in _SENTENCES]
        if rows:
            yield title, [headers[index] for index in kept], [[row[index] for index in kept] for row in rows]


def _tables(report: ActorReport) -> Iterator[_Table]:
    yield from _remarkable(report)
    yield from _identity(report.profile)
    yield from _deeds(report.profile)
    yield from _tokens_and_sessions(report.profile)


def _remarkable(report: ActorReport) -> Iterator[_Table]:
    yield (
        "Alerts",
        ("WHEN", "SEVERITY", "ALERT", "REQUESTS", "WHAT HAPPENED"),
        [
            [_time(each.first_at), each.severity.value, each.title, f"{each.count:,}", each.explanation]
            for each in report.alerts
        ],
    )
    new = [[each.what, each.value, _time(each.first_at), f"{each.count:,}"] for each in report.profile.news]
    yield f"New, {report.profile.compared}", ("WHAT", "", "FIRST", "REQUESTS"), new


def _identity(profile: Profile) -> Iterator[_Table]:
    yield (
        "Who it is",
        (
            "AUTHENTICATED", "ACTED AS", "CREDENTIAL", "POD", "NODE", "ENTRA ID", "TOKEN FROM", "REQUESTS", "FIRST",
            "LAST",
        ),
        [
            [
                each.username or "", each.acted_as or "", each.credential or "", each.pod or "", each.node or "",
                each.entra_id or "", each.issued or "", f"{each.count:,}", _time(each.first_at), _time(each.last_at),
            ]
            for each in profile.links
        ],
    )  # fmt: skip
    yield "Who acts as it", ("USER", "REQUESTS", "FIRST", "LAST"), _seen(profile.impersonators)
    yield "Whom it acts as", ("USER", "REQUESTS", "FIRST", "LAST"), _seen(profile.acted_as)
    for aspect, (title, header, details) in _TITLES.items():
        rows = _seen(profile.aspects[aspect], details=bool(details))
        headers = (header, "REQUESTS", "FIRST", "LAST", *([details] if details else []))
        yield title, headers, rows


def _deeds(profile: Profile) -> Iterator[_Table]:
    yield (
        "What it did",
        ("VERB", "WHAT", "NAMESPACE", "REQUESTS", "DENIED", "FAILED", "OBJECTS", "LAST"),
        [
            [
                each.verb, each.what, each.namespace or "", f"{each.count:,}", _number(each.denied),
                _number(each.failed), _number(each.names), _time(each.last_at),
            ]
            for each in profile.deeds
        ],
    )  # fmt: skip
    yield (
        "What it was denied",
        ("VERB", "WHAT", "NAMESPACE", "DENIED", "WHAT THE SERVER SAID"),
        [
            [each.verb, each.what, each.namespace or "", f"{each.denied:,}", each.message or ""]
            for each in profile.denials
        ],
    )
    yield (
        "What allowed it",
        ("ROLE", "BY", "REQUESTS", "LAST"),
        [[each.role or "", each.reason or "", f"{each.count:,}", _time(each.last_at)] for each in profile.roles],
    )


def _tokens_and_sessions(profile: Profile) -> Iterator[_Table]:
    yield (
        "Tokens of service accounts, asked for by it or for it",
        ("WHEN", "FOR", "BY", "TOKEN", "GIVEN", "USES"),
        [
            [
                _time(each.at), each.account, each.by or "", each.credential or "", "yes" if each.succeeded else "no",
                f"{each.uses:,}",
            ]
            for each in profile.tokens
        ],
    )  # fmt: skip
    yield (
        "Sessions",
        ("BEGAN", "SECONDS", "AS", "FROM", "WITH", "REQUESTS", "CHANGES", "REFUSED", "FAILED"),
        [
            [
                _time(each.began_at), f"{each.duration_s:,.0f}", each.actor or "", each.source_ip or "",
                each.program or "", f"{each.requests:,}", _number(each.changes), _number(each.refused),
                _number(each.failed),
            ]
            for each in profile.sessions
        ],
    )  # fmt: skip


def _seen(values: Sequence[Seen], *, details: bool = False) -> _Rows:
    return [
        [
            each.value,
            f"{each.count:,}",
            _time(each.first_at),
            _time(each.last_at),
            *([", ".join(each.details)] if details else []),
        ]
        for each in values
    ]


def _number(count: int) -> str:
    return f"{count:,}" if count else ""


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def _histogram(counts: Sequence[int]) -> str:
    most = max(*counts, 1)
    # What is there at all is at least the lowest bar.
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in counts)
