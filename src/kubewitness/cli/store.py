"""`kubewitness store`: look after a store."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.app.lake.info import Share, StoreInfo

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


def print_json(fields: Any) -> None:
    """Print fields as JSON; times as ISO 8601, UTC."""
    sys.stdout.write(json.dumps(fields, indent=2, default=_json) + "\n")


def _json(value: Any) -> str:
    return value.isoformat() + "Z" if isinstance(value, datetime) else str(value)


def _print_info(found: StoreInfo) -> None:
    from kubewitness.cli.tables import print_table  # noqa: PLC0415

    total = found.total
    print(  # noqa: T201 - this is the front end
        f"{found.location}: {total.events:,} events, {total.files:,} files, {total.bytes / 1e6:,.1f} MB,"
        f" {_period(total)}, version {found.version}"
    )
    if found.older_files:
        print(f"{found.older_files:,} files have facts of another version: kubewitness store compact makes them anew")  # noqa: T201
    print_table(("DAY", "EVENTS", "FILES", "MB", "FROM", "TO"), _rows(found.days))
    print_table(("CLUSTER", "EVENTS", "FILES", "MB", "FROM", "TO"), _rows(found.clusters))
    print_table(
        ("SOURCE", "BYTES", "LINES", "SHA-256"),
        [(each.name, f"{each.bytes:,}", f"{each.lines:,}", each.sha256) for each in found.sources],
    )


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
