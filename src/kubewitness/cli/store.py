"""`kubewitness store`: look after a store."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from kubewitness.cli import EXIT_MET
from kubewitness.cli.logs import moment
from kubewitness.model.errors import UsageError
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.app.lake.info import LetGo, Share, StoreInfo
    from kubewitness.app.lake.retaining import Retained
    from kubewitness.app.lake.verify import Checked, Evidence

LEVELS = ("Metadata", "Request", "RequestResponse")

StoreOption = Annotated[str, Parameter(name="--store", help="Folder of the store.")]


class StoreFormat(StrEnum):
    """How to print what is said of a store."""

    TABLE = "table"
    JSON = "json"


FormatOption = Annotated[StoreFormat, Parameter(name=["--format", "-f"], help="How to print it.")]

app = App(name="store", help="Look after a store of events.")


@app.command
def info(*, store: StoreOption, format: FormatOption = StoreFormat.TABLE) -> None:  # noqa: A002
    """Say what is in a store: days, clusters, sources, and whether it wants compacting."""
    from kubewitness.app.lake.info import store_info  # noqa: PLC0415 - help must come quickly

    found = store_info(store)
    if format is StoreFormat.JSON:
        print_json(asdict(found))
    else:
        _print_info(found)


@app.command
def compact(
    *,
    store: StoreOption,
    grace: Annotated[
        int, Parameter(help="Hours for which replaced files are kept for those who still read them.")
    ] = 24,
    dry_run: Annotated[bool, Parameter(help="Only say what would be done.", negative="")] = False,
    format: FormatOption = StoreFormat.TABLE,  # noqa: A002
) -> None:
    """Join small files of each day and cluster, and delete files that nobody needs any more.

    Ingests and readers may go on meanwhile.
    """
    from kubewitness.app.lake.upkeep import compact as run  # noqa: PLC0415

    if grace < 0:
        raise UsageError("a time of grace cannot be negative", hint="--grace 24")
    done = run(store, grace_hours=grace, is_dry_run=dry_run)
    if format is StoreFormat.JSON:
        print_json(asdict(done))
        return
    if dry_run:
        print(f"{done.joined:,} files would be joined, {len(done.deleted):,} deleted")  # noqa: T201
        return
    print(  # noqa: T201
        f"{done.joined:,} files of {done.bytes_before / 1e6:,.1f} MB joined into {done.written:,} of"
        f" {done.bytes_after / 1e6:,.1f} MB; {len(done.deleted):,} deleted"
    )


@app.command
def retain(
    *,
    store: StoreOption,
    days: Annotated[int | None, Parameter(help="Days for which events are kept.")] = None,
    level_days: Annotated[
        str | None, Parameter(help="Days for events of a level, instead: Metadata=30,RequestResponse=90.")
    ] = None,
    policy: Annotated[
        Path | None,
        Parameter(
            help="Keep of older events what this audit policy (YAML, JSON, or builtin:NAME) would have recorded."
        ),
    ] = None,
    dry_run: Annotated[bool, Parameter(help="Only say what would go.", negative="")] = False,
    format: FormatOption = StoreFormat.TABLE,  # noqa: A002
) -> None:
    """Let go of events that are older than they are to be kept, or of what a policy would not have recorded of them.

    What went does not come back when its source is ingested again. Its bytes are deleted by the next compact. A record
    that a policy has lowered says so: store info, store verify, and the column `lowered_by`.
    """
    from kubewitness.app.lake.retaining import Keeping, KeptPolicy  # noqa: PLC0415
    from kubewitness.app.lake.retaining import retain as run  # noqa: PLC0415

    if days is None and level_days is None:
        raise UsageError("nothing says how long", hint="--days 90, or --level-days Metadata=30,RequestResponse=90")
    if days is not None and days < 0:
        raise UsageError("days cannot be negative", where="--days", hint="--days 90; 0 is all before today")
    kept = KeptPolicy.read(policy) if policy is not None else None
    done = run(store, Keeping(days, _level_days(level_days)), kept, is_dry_run=dry_run)
    if format is StoreFormat.JSON:
        print_json(asdict(done))
        return
    _print_retained(done, is_dry_run=dry_run)


@app.command
def verify(
    *paths: Annotated[str, Parameter(help="Where sources may be that are no longer where they were.")],
    store: StoreOption,
    audit_id: Annotated[str | None, Parameter(help="Follow the events of this request back to their bytes.")] = None,
    at: Annotated[
        str | None, Parameter(help="Follow the events of this origin back to their bytes: audit.log:17.")
    ] = None,
    format: FormatOption = StoreFormat.TABLE,  # noqa: A002
) -> int:
    """Check that a store is whole and its sources unchanged, or follow an event back to its bytes.

    Exits with 1 when a data file is broken, or a source that is there no longer says what was taken from it.
    """
    from kubewitness.app.lake.verify import trace_events, verify_store  # noqa: PLC0415

    if audit_id is not None or at is not None:
        found = trace_events(store, audit_id=audit_id, origin=at, paths=paths)
        if format is StoreFormat.JSON:
            print_json([asdict(each) for each in found])
        else:
            for each in found:
                _print_trace(each)
        return EXIT_MET if any(_is_contradicted(each) for each in found) else 0
    checked = verify_store(store, paths)
    if format is StoreFormat.JSON:
        print_json({"is_sound": checked.is_sound, **asdict(checked)})
    else:
        _print_checked(checked)
    is_changed = any(each.state == "changed" for each in checked.sources)
    return EXIT_MET if is_changed or not checked.is_sound else 0


@app.command
def export(
    filter: Annotated[str | None, Parameter(help="Only events of which this holds: see kubewitness hunt.")] = None,  # noqa: A002
    /,
    *,
    store: StoreOption,
    since: Annotated[str | None, Parameter(help="Leave out events before this time.")] = None,
    until: Annotated[str | None, Parameter(help="Leave out events from this time on.")] = None,
    cluster: Annotated[str | None, Parameter(help="Only events of this cluster.")] = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="File to write; else standard output.")] = (
        None
    ),
) -> None:
    """Write the records of a store back as JSON, one a line, as the logs had them: secrets are not hidden."""
    from kubewitness.app.events import Logs  # noqa: PLC0415
    from kubewitness.app.lake.export import export_records  # noqa: PLC0415

    logs = Logs(since=moment(since), until=moment(until), cluster=cluster, store=store)
    records = export_records(logs, filter)
    if output is None:
        for record in records:
            sys.stdout.buffer.write(record + b"\n")
        sys.stdout.buffer.flush()
        return
    try:
        with output.open("wb") as file:
            for record in records:
                file.write(record + b"\n")
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(output)) from error


def _print_retained(done: Retained, *, is_dry_run: bool) -> None:
    would = " would" if is_dry_run else ""
    parts = [f"{done.events:,} events{would or ' let'} go"]
    if done.policy is not None:
        parts.append(f"{done.lowered:,} {'would be ' if is_dry_run else ''}lowered")
        parts.append(f"{done.trimmed:,} {'would lose' if is_dry_run else 'lost'} managedFields only")
    parts.append(f"{done.bytes / 1e6:,.1f} MB {'would be ' if is_dry_run else ''}saved")
    period = f", {done.days[0]} to {done.days[-1]}" if done.days else ""
    print(", ".join(parts) + period)  # noqa: T201
    if done.policy is not None:
        print(f"by the policy with sha256 {done.policy}")  # noqa: T201


def _level_days(text: str | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for pair in filter(None, (text or "").split(",")):
        level, _, days = pair.partition("=")
        if level not in LEVELS or not days.isdecimal():
            raise UsageError(f"`{pair}` is no level and days", hint=f"levels: {', '.join(LEVELS)}; Metadata=30")
        found[level] = int(days)
    return found


def print_json(fields: Any) -> None:
    """Print fields as JSON; times as ISO 8601, UTC."""
    sys.stdout.write(json.dumps(fields, indent=2, default=_json) + "\n")


def _json(value: Any) -> str:
    return value.isoformat() + "Z" if isinstance(value, datetime) else str(value)


def _print_info(found: StoreInfo) -> None:
    from kubewitness.cli.tables import print_table  # noqa: PLC0415

    total = found.total
    print(  # noqa: T201 - this is the front end
        f"{found.location}: {counted(total.events, 'event')}, {counted(total.files, 'file')}, "
        f"{total.bytes / 1e6:,.1f} MB, {_period(total)}, version {found.version}"
    )
    if found.older_files:
        print(f"{found.older_files:,} files have facts of another version: kubewitness store compact makes them anew")  # noqa: T201
    for each in found.let_go:
        print(_let_go(each))  # noqa: T201
    print_table(("DAY", "EVENTS", "FILES", "MB", "FROM", "TO"), _rows(found.days))
    print_table(("CLUSTER", "EVENTS", "FILES", "MB", "FROM", "TO"), _rows(found.clusters))
    print_table(
        ("SOURCE", "BYTES", "LINES", "SHA-256"),
        [(each.name, f"{each.bytes:,}", f"{each.lines:,}", each.sha256) for each in found.sources],
    )


def _let_go(found: LetGo) -> str:
    parts = [f"{found.gone:,} events"]
    if found.lowered:
        parts.append(f"{found.lowered:,} lowered")
    if found.trimmed:
        parts.append(f"{found.trimmed:,} without managedFields")
    by = f"the policy {found.policy} with sha256 {found.sha256}" if found.sha256 else "age"
    return f"let go by {by}: {', '.join(parts)}; last {found.last_at.isoformat(timespec='seconds')}"


def _print_checked(checked: Checked) -> None:
    from kubewitness.cli.tables import print_table  # noqa: PLC0415

    print(f"{counted(checked.files, 'file')} with {counted(checked.events, 'event')}, {len(checked.broken):,} broken")  # noqa: T201
    for path, reason in checked.broken:
        print(f"broken: {path} {reason}")  # noqa: T201
    for sha256, events in checked.lowered.items():
        print(f"{events:,} events are not as they were taken: lowered by the policy with sha256 {sha256}")  # noqa: T201
    print_table(
        ("SOURCE", "STATE", "BYTES", "SHA-256"),
        [(each.path or each.name, each.state.value, f"{each.bytes:,}", each.sha256) for each in checked.sources],
    )


def _print_trace(found: Evidence) -> None:
    from kubewitness.words.escape import visible  # noqa: PLC0415

    same = {True: "says the same", False: "SAYS SOMETHING ELSE", None: "could not be compared"}[found.is_same_record]
    lines = [
        f"event    {found.audit_id or '(no Audit-ID)'} at {found.happened_at}",
        f"record   sha256 {found.record_sha256}",
        f"origin   {found.source}:{found.line}",
        f"taken    {found.taken_at} by version {found.commit}, with the source up to byte {found.source_bytes}",
        f"source   sha256 {found.source_sha256}, now {found.source_state.value}"
        + (f" in {found.path}" if found.path else ""),
    ]
    if found.lowered_by is not None:
        lines.insert(2, f"lowered  by the policy with sha256 {found.lowered_by}: the record is not as it was taken")
        same = "says the same, and what the policy took away" if found.is_same_record else same
    if found.byte_offset is not None:
        lines.append(
            f"bytes    {found.byte_length} from byte {found.byte_offset}, sha256 {found.line_sha256}: the line {same}"
        )
    print("\n".join(visible(line) for line in lines) + "\n")  # noqa: T201


def _is_contradicted(found: Evidence) -> bool:
    return found.source_state == "changed" or found.is_same_record is False


def _rows(shares: Sequence[Share]) -> list[tuple[str, ...]]:
    return [
        (
            share.name or "(unknown)",
            f"{share.events:,}",
            f"{share.files:,}",
            f"{share.bytes / 1e6:,.1f}",
            share.first_at.isoformat(timespec="seconds") if share.first_at else "",
            share.last_at.isoformat(timespec="seconds") if share.last_at else "",
        )
        for share in shares
    ]


def _period(share: Share) -> str:
    if share.first_at is None or share.last_at is None:
        return "no times"
    return f"{share.first_at.isoformat(timespec='seconds')} to {share.last_at.isoformat(timespec='seconds')}"
