"""`kubewitness hunt`: look for events by a filter."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kubewitness.cli import EXIT_UNUSABLE
from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from kubewitness.app.asking.hunt import Found, FoundEvent

_WIDTH = 100


class HuntFormat(StrEnum):
    """How to print what was found."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


def hunt(
    filter: Annotated[str, Parameter(help="What to look for, such as 'user:alice* AND verb:(get OR list)'.")],  # noqa: A002
    /,
    *paths: Annotated[
        str, Parameter(help="Files, directories, globs, or - for standard input.", allow_leading_hyphen=True)
    ],
    most: Annotated[int, Parameter(name=["--most", "-n"], help="How many events to show.")] = 100,
    explain: Annotated[bool, Parameter(help="Print the query instead of running it.", negative="")] = False,
    reveal: Annotated[bool, Parameter(help="Show secrets, tokens and command arguments.", negative="")] = False,
    format: Annotated[  # noqa: A002
        HuntFormat, Parameter(name=["--format", "-f"], help="How to print what was found.")
    ] = HuntFormat.TABLE,
) -> int:
    """Look for events in logs by a filter, in any shape that a scan reads.

    An empty answer may mean that the log could not have shown it: see kubewitness coverage.
    """
    from kubewitness.app.asking.hunt import hunt as run  # noqa: PLC0415 - the engine is imported when it runs
    from kubewitness.app.asking.hunt import select_of  # noqa: PLC0415
    from kubewitness.query.filters import parse_filter  # noqa: PLC0415

    if explain:
        sys.stdout.write(select_of(parse_filter(filter)).strip() + "\n")
        return 0
    if not paths:
        raise UsageError("no logs named", hint="kubewitness hunt 'verb:delete' audit.log, or - for standard input")
    found = run(filter, paths, most=most, reveal=reveal)
    for item in found.unreadable:
        print(f"warning: {item.origin}: {item.reason}", file=sys.stderr)  # noqa: T201 - this is the front end
    match format:
        case HuntFormat.JSON:
            sys.stdout.write(json.dumps(_fields(found), indent=2) + "\n")
        case HuntFormat.NDJSON:
            for event in found.events:
                sys.stdout.write(json.dumps(_event_fields(event)) + "\n")
        case HuntFormat.TABLE:
            _print(found)
    return EXIT_UNUSABLE if not found.looked_at and found.unreadable else 0


def _fields(found: Found) -> dict[str, Any]:
    return {
        "count": found.count,
        "looked_at": found.looked_at,
        "other": found.other,
        "rejected": found.rejected,
        "first_at": _time(found.first_at),
        "last_at": _time(found.last_at),
        "events": [_event_fields(event) for event in found.events],
    }


def _event_fields(event: FoundEvent) -> dict[str, Any]:
    values = {name: _time(value) if isinstance(value, datetime) else value for name, value in event.values.items()}
    return {"source": event.origin.source, "line": event.origin.line, **values}


def _time(value: datetime | None) -> str | None:
    return f"{value.isoformat(timespec='microseconds')}Z" if value else None


def _print(found: Found) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from kubewitness.words.escape import visible  # noqa: PLC0415

    console = Console(markup=False, highlight=False, emoji=False)
    console.width = min(console.width, _WIDTH) if console.is_terminal else _WIDTH
    shown = f", the first {len(found.events):,} of them" if len(found.events) < found.count else ""
    console.print(f"{found.count:,} of {found.looked_at:,} events{shown}")
    if found.other or found.rejected:
        console.print(f"not asked: {found.other:,} records of other categories, {found.rejected:,} not readable")
    if not found.events:
        console.print("what this log could not have shown: kubewitness coverage PATH")
        return
    table = Table("TIME (UTC)", "WHO", "WHAT", "CODE", "FROM", box=None, pad_edge=False, header_style="dim")
    table.columns[0].no_wrap = table.columns[3].no_wrap = True
    for column in (table.columns[1], table.columns[2], table.columns[4]):
        column.overflow = "fold"
    for event in found.events:
        values = event.values
        at = values.get("happened_at")
        table.add_row(
            at.strftime("%m-%d %H:%M:%S") if at else "",
            visible(str(values.get("actor") or values.get("username") or "")),
            visible(_what(values)),
            str(values.get("code", "")),
            visible(str((values.get("source_ips") or [""])[-1])),
        )
    console.print(table)


def _what(values: dict[str, Any]) -> str:
    """Verb and object in a few words."""
    if not values.get("resource"):
        return f"{values.get('verb', '')} {values.get('request_uri', '')}".strip()
    resource = "/".join(filter(None, (values["resource"], values.get("subresource"))))
    name = "/".join(filter(None, (values.get("namespace"), values.get("object_name") or values.get("name"))))
    command = f" `{values['exec_command']}`" if values.get("exec_command") else ""
    return f"{values.get('verb', '')} {resource} {name}{command}".strip()
