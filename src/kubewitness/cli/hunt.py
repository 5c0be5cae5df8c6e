"""`kubewitness hunt`: look for events by a filter or by a named hunt."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import ExitStack
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from kubewitness.alert.render.row_format import RowFormat
from kubewitness.cli.logs import (
    PATHS_HELP,
    EngineOptions,
    LogOptions,
    demand_policy,
    demand_seconds,
    split_filter,
    warn_of,
)
from kubewitness.cli.sql import sql as ask_sql
from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from kubewitness.app.asking.hunt import Answered, Found
    from kubewitness.app.asking.library import Hunt
    from kubewitness.app.asking.shown import Shown
    from kubewitness.model.ledger import Ledger

_WORD = re.compile(r"[^\s:\"*?()]+")
_EXAMPLE = "kubewitness hunt 'verb:delete' audit.log"
_SQL_EXAMPLE = "kubewitness hunt --sql 'SELECT verb, count(*) FROM events GROUP BY verb' audit.log"

app = App(name="hunt", help_format="plaintext")

Folders = Annotated[list[Path] | None, Parameter(help="Folder or file of hunts of your own.", negative=())]


class ListFormat(StrEnum):
    """How to print a list of hunts."""

    TABLE = "table"
    JSON = "json"


@app.default
def hunt(
    filter: Annotated[  # noqa: A002
        str | None,
        Parameter(help="What to look for: 'user:alice* AND verb:(get OR list)', or the name of a hunt."),
    ] = None,
    /,
    *paths: Annotated[str, Parameter(help=PATHS_HELP, allow_leading_hyphen=True)],
    sql: Annotated[
        str | None, Parameter(help="Ask this query of the events instead: the same as kubewitness sql.")
    ] = None,
    hunts: Folders = None,
    set: Annotated[  # noqa: A002
        list[str] | None, Parameter(help="A parameter of a named hunt, as name=value.", negative=())
    ] = None,
    policy: Annotated[
        Path | None,
        Parameter(help="Audit policy of the server, or builtin:NAME, to say whether the log could have shown it."),
    ] = None,
    most: Annotated[
        int, Parameter(name=["--most", "-n"], help="How many events, or rows of a table, to show; 0 only counts.")
    ] = 100,
    seconds: Annotated[float, Parameter(help="How long the query of a hunt may take.")] = 600.0,
    explain: Annotated[bool, Parameter(help="Print the query instead of running it.", negative="")] = False,
    reveal: Annotated[bool, Parameter(help="Show secrets, tokens and command arguments.", negative="")] = False,
    format: Annotated[  # noqa: A002
        RowFormat, Parameter(name=["--format", "-f"], help="How to print what was found.")
    ] = RowFormat.TABLE,
    which: LogOptions = LogOptions(),  # noqa: B008 - it cannot be changed
    by: EngineOptions = EngineOptions(),  # noqa: B008 - same
) -> None:
    """Look for events by a filter, or by a hunt that has a name.

    The exact name of a hunt means the hunt; anything else is a filter. An empty answer says whether the log could have
    shown what was asked for. With --sql it is the command sql, and a filter may stand before the paths.
    """
    from kubewitness.app.asking.hunt import explained, run_hunt  # noqa: PLC0415 - the engine is imported when it runs
    from kubewitness.app.asking.hunt import hunt as find  # noqa: PLC0415
    from kubewitness.app.asking.library import load_hunts, near_hunt  # noqa: PLC0415
    from kubewitness.query.filters import parse_filter  # noqa: PLC0415

    demand_seconds(seconds)
    if sql is not None:
        if hunts or set or explain:
            raise UsageError("a query of one's own takes no --hunts, --set or --explain", hint=_SQL_EXAMPLE)
        words = paths if filter is None else (filter, *paths)
        text, paths = split_filter(words, has_store=which.store is not None)
        ask_sql(
            sql,
            *paths,
            filter=text,
            policy=policy,
            most=most,
            seconds=seconds,
            reveal=reveal,
            format=format,
            which=which,
            by=by,
        )
        return
    if filter is None:
        raise UsageError("nothing to look for", hint=f"{_EXAMPLE}; kubewitness hunt list names hunts")
    if most < 0:
        raise UsageError("--most is a number of events", hint="write 0 or more")
    known = load_hunts(hunts or ())
    named = known.get(filter)
    if named is None and os.path.exists(filter):  # noqa: PTH110 - a filter may be too long for a path
        raise UsageError(f"`{filter}` is a file: a filter or a hunt comes first", hint=f"{_EXAMPLE}; '' is every event")
    if explain:
        predicate = named.predicate if named else parse_filter(filter)
        query = f"\n\n-- of which are asked:\n{named.sql}" if named and named.sql else ""
        sys.stdout.write(f"{explained(predicate)}{query}\n")
        return
    values = _values(set or [])
    if values and not named:
        raise UsageError(f"a filter has no parameters, and no hunt is called `{filter}`", hint="kubewitness hunt list")
    demand_policy(policy)
    logs = which.logs(paths, example=_EXAMPLE)
    found: Found | Answered
    with ExitStack() as stack:
        if by.is_spark(which.store):
            from kubewitness.app.spark.narrowing import narrowed  # noqa: PLC0415 - few want it

            where = named.predicate if named else parse_filter(filter)
            logs = stack.enter_context(narrowed(logs, where, by.spark_master))
        if named:
            found = run_hunt(named, logs, values=values, most=most, seconds=seconds, reveal=reveal, policy=policy)
        else:
            found = find(filter, logs, most=most, reveal=reveal, policy=policy)
    warn_of(found.ledger)
    _print(found, named, filter, format, most)
    if format is RowFormat.TABLE and not named and found.shown and (near := near_hunt(filter, known)):
        sys.stdout.write(f"there is a hunt called {near}\n")


@app.command(name="list")
def list_(
    *,
    hunts: Folders = None,
    tag: Annotated[str | None, Parameter(help="Only those with this tag, such as verb.get or topic.secrets.")] = None,
    format: Annotated[ListFormat, Parameter(name=["--format", "-f"], help="How to print it.")] = ListFormat.TABLE,  # noqa: A002
) -> None:
    """List the hunts that have a name."""
    from kubewitness.app.asking.library import load_hunts  # noqa: PLC0415 - the engine is imported when it runs
    from kubewitness.words.escape import visible  # noqa: PLC0415

    found = [each for each in load_hunts(hunts or ()).values() if tag is None or tag in each.tags]
    if format is ListFormat.JSON:
        sys.stdout.write(json.dumps([_hunt_fields(each) for each in found], indent=2) + "\n")
        return
    width = max((len(each.id) for each in found), default=0)
    for each in found:
        sys.stdout.write(visible(f"{each.id:{width}}  {each.title}") + "\n")


@app.command
def show(
    name: Annotated[str, Parameter(help="Name of a hunt.")],
    /,
    *,
    hunts: Folders = None,
    format: Annotated[ListFormat, Parameter(name=["--format", "-f"], help="How to print it.")] = ListFormat.TABLE,  # noqa: A002
) -> None:
    """Show a hunt: its question, its query, and how to read the answer."""
    from kubewitness.app.asking.library import find_hunt, load_hunts  # noqa: PLC0415 - the engine is imported when it runs

    wanted = find_hunt(name, load_hunts(hunts or ()))
    if format is ListFormat.JSON:
        sys.stdout.write(json.dumps(_hunt_fields(wanted), indent=2) + "\n")
        return
    from kubewitness.look.console import folded  # noqa: PLC0415 - JSON needs none of it

    parts = [wanted.title, folded(wanted.question, hanging=""), f"filter: {wanted.filter or '(all events)'}"]
    if wanted.parameters:
        parts.append("\n".join(f"--set {each.name}={each.default}  {each.about}" for each in wanted.parameters))
    if wanted.sql:
        parts.append(wanted.sql)
    parts.append(folded(wanted.reading, hanging=""))
    about = [*wanted.tags, *wanted.techniques, *wanted.catalogue]
    if about:
        parts.append(", ".join(about))
    sys.stdout.write("\n\n".join(parts) + "\n")


def _hunt_fields(each: Hunt) -> dict[str, Any]:
    return {
        "id": each.id,
        "title": each.title,
        "question": each.question,
        "filter": each.filter,
        "sql": each.sql,
        "parameters": {item.name: {"default": item.default, "about": item.about} for item in each.parameters},
        "reading": each.reading,
        "tags": list(each.tags),
        "techniques": list(each.techniques),
        "catalogue": list(each.catalogue),
    }


def _values(items: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for item in items:
        name, sign, value = item.partition("=")
        if not sign:
            raise UsageError(f"`{item}` sets nothing", hint="write --set name=value")
        values[name] = value
    return values


def _print(found: Found | Answered, named: Hunt | None, text: str, form: RowFormat, most: int) -> None:
    from kubewitness.alert.render.rows import render_rows  # noqa: PLC0415
    from kubewitness.app.asking.hunt import SHOWN, Answered  # noqa: PLC0415

    match form:
        case RowFormat.JSON:
            asked = {"hunt": named.id, "title": named.title} if named else {"filter": text}
            sys.stdout.write(json.dumps({**asked, **_fields(found)}, indent=2) + "\n")
        case RowFormat.TABLE:
            _print_table(found, named, text, most)
        case _ if isinstance(found, Answered):
            render_rows(found.names, found.rows, form, sys.stdout, types=found.types)
        case RowFormat.NDJSON:
            for event in found.events:
                sys.stdout.write(json.dumps(_event_fields(event)) + "\n")
        case RowFormat.CSV:
            names = ("source", "line", *SHOWN)
            events = [_event_fields(event) for event in found.events]
            render_rows(names, ([event.get(name) for name in names] for event in events), form, sys.stdout)


def _fields(found: Found | Answered) -> dict[str, Any]:
    from kubewitness.app.asking.hunt import Answered  # noqa: PLC0415

    ledger = found.ledger
    read = {
        "looked_at": ledger.events + ledger.partial,
        "duplicates": ledger.duplicates,
        "other": ledger.other,
        "rejected": ledger.rejected,
        "could_have_shown": found.shown.fields() if found.shown else None,
    }
    if isinstance(found, Answered):
        rows = [dict(zip(found.names, row, strict=True)) for row in found.rows]
        return {"count": len(rows), **read, "rows": rows}
    return {
        "count": found.count,
        **read,
        "first_at": _time(found.first_at),
        "last_at": _time(found.last_at),
        "events": [_event_fields(event) for event in found.events],
    }


def _event_fields(event: dict[str, Any]) -> dict[str, Any]:
    return {name: _time(value) if isinstance(value, datetime) else value for name, value in event.items()}


def _time(value: datetime | None) -> str | None:
    return f"{value.isoformat(timespec='microseconds')}Z" if value else None


def _print_table(found: Found | Answered, named: Hunt | None, text: str, most: int) -> None:
    from kubewitness.alert.render.rows import render_rows  # noqa: PLC0415
    from kubewitness.app.asking.hunt import Answered  # noqa: PLC0415
    from kubewitness.look.console import open_console  # noqa: PLC0415
    from kubewitness.words.escape import visible  # noqa: PLC0415

    console = open_console()
    if named:
        console.print(f"hunt {named.id}: {named.question}")
    else:
        console.print(visible(f"filter: {text or '(all events)'}"))
    _print_ledger(console, found)
    if found.shown:
        _print_shown(console, found.shown)
        if named is None and _WORD.fullmatch(text):
            console.print(visible(_meant(text)), style="dim")
    elif isinstance(found, Answered):
        render_rows(found.names, found.rows, RowFormat.TABLE, sys.stdout, types=found.types, most=most)
    else:
        _print_events(console, found)
    if named and not found.shown:
        console.print(f"\n{named.reading}", style="dim")


def _meant(word: str) -> str:
    """What may have been meant by a word that was looked for, and is in no event."""
    name, sign, value = word.partition("=")
    if sign and name and value:
        return f"`{word}` was looked for as a text; of a field one asks {name}:{value}"
    return f"`{word}` was looked for as a text; it is no hunt with a name: kubewitness hunt list"


def _print_ledger(console: Console, found: Found | Answered) -> None:
    from kubewitness.app.asking.hunt import Answered  # noqa: PLC0415

    ledger: Ledger = found.ledger
    looked_at = ledger.events + ledger.partial
    if isinstance(found, Answered):
        rows = "1 row" if len(found.rows) == 1 else f"{len(found.rows):,} rows"
        console.print(f"{rows} out of {looked_at:,} events")
    else:
        shown = f", the first {len(found.events):,} of them" if len(found.events) < found.count else ""
        console.print(f"{found.count:,} of {looked_at:,} events{shown}")
    if ledger.other or ledger.rejected:
        console.print(f"not asked: {ledger.other:,} records of other categories, {ledger.rejected:,} not readable")


def _print_shown(console: Console, shown: Shown) -> None:
    from kubewitness.words.escape import visible  # noqa: PLC0415

    for line in shown.sentences():
        console.print(visible(line))


def _print_events(console: Console, found: Found) -> None:
    from rich.table import Table  # noqa: PLC0415

    from kubewitness.words.escape import visible  # noqa: PLC0415

    table = Table("TIME (UTC)", "WHO", "WHAT", "CODE", "FROM", box=None, pad_edge=False, header_style="dim")
    table.columns[0].no_wrap = table.columns[3].no_wrap = True
    for column in (table.columns[1], table.columns[2], table.columns[4]):
        column.overflow = "fold"
    for event in found.events:
        at = event.get("happened_at")
        table.add_row(
            at.strftime("%m-%d %H:%M:%S") if at else "",
            visible(str(event.get("actor") or event.get("username") or "")),
            visible(_what(event)),
            str(event.get("code", "")),
            visible(str((event.get("source_ips") or [""])[-1])),
        )
    console.print(table)


def _what(event: dict[str, Any]) -> str:
    """Verb and object in a few words."""
    if not event.get("resource"):
        return f"{event.get('verb', '')} {event.get('request_uri', '')}".strip()
    resource = "/".join(filter(None, (event["resource"], event.get("subresource"))))
    name = "/".join(filter(None, (event.get("namespace"), event.get("object_name") or event.get("name"))))
    command = f" `{event['exec_command']}`" if event.get("exec_command") else ""
    return f"{event.get('verb', '')} {resource} {name}{command}".strip()
