"""`kubewitness ingest`: keep events in a store."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kubewitness.cli import EXIT_MET, EXIT_UNUSABLE
from kubewitness.cli.logs import demand_paths
from kubewitness.cli.store import StoreFormat
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from kubewitness.app.lake.ingest import Ingested

_SHOWN = 5


def ingest(
    *paths: Annotated[
        str, Parameter(help="Files, directories, globs, or - for standard input.", allow_leading_hyphen=True)
    ],
    store: Annotated[str, Parameter(help="Folder of the store; made when it is not there.")],
    cluster: Annotated[str | None, Parameter(help="Name of the cluster where the log does not say.")] = None,
    finished: Annotated[
        bool, Parameter(help="Nothing will be added to these files: take a last line that has no end.", negative="")
    ] = False,
    format: Annotated[StoreFormat, Parameter(name=["--format", "-f"], help="How to print what was done.")] = (  # noqa: A002
        StoreFormat.TABLE
    ),
    strict: Annotated[
        bool, Parameter(help="Exit with 1 when a record or a source could not be read.", negative="")
    ] = False,
    quiet: Annotated[bool, Parameter(help="No remarks on standard error.", negative="")] = False,
) -> int:
    """Keep the events of logs, with their facts, in a store.

    Every event gets into the store once: the command may be stopped, run again over the same files, over files that
    have grown, been renamed or packed, and run several times at once.
    """
    from kubewitness.app.lake.ingest import ingest as run  # noqa: PLC0415 - help must come quickly

    demand_paths(paths, example="kubewitness ingest audit.log --store lake")
    done = run(paths, store, cluster=cluster, is_finished=finished)
    if format is StoreFormat.JSON:
        sys.stdout.write(json.dumps(_fields(done), indent=2, default=str) + "\n")
    if not quiet:
        _say(done, store, is_summary_shown=format is StoreFormat.JSON)
    if strict and (done.ledger.rejected or done.ledger.unreadable):
        return EXIT_MET
    return EXIT_UNUSABLE if done.ledger.is_unusable and not done.known else 0


def _fields(done: Ingested) -> dict[str, Any]:
    fields = asdict(done)
    ledger = fields["ledger"]
    first = ledger.pop("rejections")[:1]
    ledger["first_rejected"] = {"reason": first[0]["reason"], **first[0]["origin"]} if first else None
    ledger["unreadable"] = [{"reason": each["reason"], **each["origin"]} for each in ledger["unreadable"]]
    return fields


def _say(done: Ingested, store: str, *, is_summary_shown: bool) -> None:
    for item in done.ledger.unreadable:
        print(f"warning: {item.origin}: {item.reason}", file=sys.stderr)  # noqa: T201 - this is the front end
    for item in done.ledger.rejections[:_SHOWN]:
        print(f"rejected: {item.origin}: {item.reason}", file=sys.stderr)  # noqa: T201
    for name, size in done.waiting.items():
        print(  # noqa: T201
            f"{name}: the last {size:,} bytes wait for the end of their line (--finished takes them as they are)",
            file=sys.stderr,
        )
    if is_summary_shown:
        return
    ledger = done.ledger
    print(  # noqa: T201
        f"ledger: {ledger.read:,} read = {ledger.events:,} events + {ledger.partial:,} partial"
        f" + {ledger.duplicates:,} duplicates + {ledger.other:,} other + {ledger.rejected:,} rejected",
        file=sys.stderr,
    )
    known = f"; nothing new in {len(done.known):,}" if done.known else ""
    print(  # noqa: T201
        f"{store}: {counted(done.files, 'file')}, {done.bytes / 1e6:,.1f} MB, from"
        f" {counted(done.sources, 'source')}{known} ({done.duration_s:.1f} s)",
        file=sys.stderr,
    )
