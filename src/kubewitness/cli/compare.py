"""`kubewitness compare`: what is different between two logs, two times, or two clusters."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kubewitness.cli.logs import PATHS_HELP, LogOptions, moment, warn_of
from kubewitness.cli.writing import write
from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from kubewitness.app.investigate.comparison import SideOptions

_EXAMPLE = "kubewitness compare monday.log tuesday.log, or one of them with --split 2026-11-17T08:00:00Z"


class CompareFormat(StrEnum):
    """How to print it."""

    TABLE = "table"
    JSON = "json"


def compare(
    *paths: Annotated[str, Parameter(help=f"Two logs or stores, or one. {PATHS_HELP}", allow_leading_hyphen=True)],
    split: Annotated[str | None, Parameter(help="Compare what was before this time with what was after.")] = None,
    period: Annotated[
        list[str] | None,
        Parameter(help="Two periods to compare, such as 2026-11-10..2026-11-11; give it twice.", negative=()),
    ] = None,
    clusters: Annotated[
        tuple[str, str] | None,
        Parameter(help="Two clusters to compare; the end of a name is enough, * is a wildcard.", negative=""),
    ] = None,
    ratio: Annotated[float, Parameter(help="How many times more or less per hour is a change.")] = 3.0,
    most: Annotated[int, Parameter(name=["--most", "-n"], help="Rows of each table; 0 is all.")] = 12,
    reveal: Annotated[bool, Parameter(help="Show what looks like a credential.", negative="")] = False,
    format: Annotated[  # noqa: A002
        CompareFormat, Parameter(name=["--format", "-f"], help="How to print it.")
    ] = CompareFormat.TABLE,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="Write to this file.")] = None,
    logs: LogOptions | None = None,
) -> None:
    """Say what is different: new and gone actors, permissions, programs, networks, images, and changed volumes.

    The first is what was before, the second what is now.
    """
    from kubewitness.app.investigate.comparison import compare as run  # noqa: PLC0415 - the engine comes with it
    from kubewitness.investigate.render.comparison_table import comparison_fields, write_comparison  # noqa: PLC0415

    if most < 0:
        raise UsageError("--most is a number of rows", hint="write 0 for all of them, or more")
    if not ratio > 1:
        raise UsageError("a ratio is above 1", hint="--ratio 3 shows what is three times more or less")
    found = run(*_sides(paths, logs or LogOptions(), split, period, clusters), ratio=ratio, reveal=reveal)
    for side in (found.before, found.after):
        warn_of(side.ledger)
    if format is CompareFormat.JSON:
        write(output, lambda out: print(json.dumps(comparison_fields(found), indent=2), file=out))
    else:
        write(output, lambda out: write_comparison(found, out, most=most))


def _sides(
    paths: tuple[str, ...],
    logs: LogOptions,
    split: str | None,
    period: list[str] | None,
    clusters: tuple[str, str] | None,
) -> tuple[SideOptions, SideOptions]:
    from kubewitness.app.investigate.comparison import SideOptions, logs_at  # noqa: PLC0415

    ways = [way for way in (split, period, clusters) if way]
    if len(ways) > 1:
        raise UsageError(
            "--split, --period and --clusters are three ways to say what the two sides are", hint="use one"
        )
    options = logs.logs(paths, example=_EXAMPLE)
    if len(paths) == 2 and not ways:  # noqa: PLR2004 - one for each side
        first, second = (SideOptions(path, logs_at(path, options)) for path in paths)
        return first, second
    if len(paths) > 1 or not ways:
        raise UsageError("it takes two logs, or one and a way to part it", hint=_EXAMPLE)
    whole = logs_at(paths[0], options) if paths else options
    name = paths[0] if paths else str(options.store)
    if split is not None:
        at = moment(split)
        return (
            SideOptions(f"{name} before {split}", replace(whole, until=at)),
            SideOptions(f"{name} from {split} on", replace(whole, since=at)),
        )
    if period is not None:
        if len(period) != 2:  # noqa: PLR2004 - one for each side
            raise UsageError(
                "it takes two periods", hint="--period 2026-11-10..2026-11-11 --period 2026-11-17..2026-11-18"
            )
        times = [_period(each) for each in period]
        before, after = (replace(whole, since=moment(begin), until=moment(end)) for begin, end in times)
        return SideOptions(f"{name} {period[0]}", before), SideOptions(f"{name} {period[1]}", after)
    assert clusters is not None  # noqa: S101 - there is one way, and it is none of the others
    return SideOptions(clusters[0], whole, clusters[0]), SideOptions(clusters[1], whole, clusters[1])


def _period(text: str) -> tuple[str | None, str | None]:
    begin, dots, end = text.partition("..")
    if not dots:
        raise UsageError(f"`{text}` is no period", hint="write 2026-11-10..2026-11-11; either end may be left out")
    return begin or None, end or None
