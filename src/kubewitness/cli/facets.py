"""`kubewitness facets`: what values the fields of events have."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kubewitness.cli.logs import (
    FILTER_HELP,
    PATHS_HELP,
    EngineOptions,
    LogOptions,
    demand_policy,
    split_filter,
    warn_of,
)
from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from kubewitness.app.asking.facets import Facets, FacetValue

_EXAMPLE = "kubewitness facets audit.log --filter code:403"
_VALUE_WIDTH = 52


class FacetsFormat(StrEnum):
    """How to print facets."""

    TABLE = "table"
    JSON = "json"


def facets(
    *paths: Annotated[
        str, Parameter(help=f"A filter, if the first is one and no file; then: {PATHS_HELP}", allow_leading_hyphen=True)
    ],
    filter: Annotated[str, Parameter(help=FILTER_HELP)] = "",  # noqa: A002
    policy: Annotated[
        Path | None,
        Parameter(help="Audit policy of the server, or builtin:NAME, to say whether the log could have shown it."),
    ] = None,
    most: Annotated[int, Parameter(name=["--most", "-n"], help="How many values of each field.")] = 10,
    rarest: Annotated[int, Parameter(help="How many of the rarest values of each field.")] = 3,
    reveal: Annotated[bool, Parameter(help="Show secrets, tokens and command arguments.", negative="")] = False,
    format: Annotated[  # noqa: A002
        FacetsFormat, Parameter(name=["--format", "-f"], help="How to print it.")
    ] = FacetsFormat.TABLE,
    which: LogOptions = LogOptions(),  # noqa: B008 - it cannot be changed
    by: EngineOptions = EngineOptions(),  # noqa: B008 - same
) -> None:
    """Show for every field of events its most frequent and its rarest values.

    A filter may also stand before the paths, as for timeline. Fields that say nothing are left out: those that are
    empty, the same in all events, or different in nearly every one.
    """
    from kubewitness.app.asking.facets import facets as run  # noqa: PLC0415 - the engine is imported when it runs

    if most < 1 or rarest < 0:
        raise UsageError("--most is a number of values, from 1", hint="write --most 10 --rarest 3")
    text, named = split_filter(paths, filter, has_store=which.store is not None)
    demand_policy(policy)
    logs = which.logs(named, example=_EXAMPLE)
    with ExitStack() as stack:
        if by.is_spark(which.store):
            from kubewitness.app.spark.narrowing import narrowed  # noqa: PLC0415 - few want it
            from kubewitness.query.filters import parse_filter  # noqa: PLC0415

            logs = stack.enter_context(narrowed(logs, parse_filter(text), by.spark_master))
        found = run(text, logs, most=most, rarest=rarest, reveal=reveal, policy=policy)
    warn_of(found.ledger)
    if format is FacetsFormat.JSON:
        sys.stdout.write(json.dumps({"filter": text, **found.fields()}, indent=2) + "\n")
    else:
        _print(found, text)


def _print(found: Facets, text: str) -> None:
    from kubewitness.words.escape import visible  # noqa: PLC0415

    write = sys.stdout.write
    looked_at = found.ledger.events + found.ledger.partial
    write(visible(f"filter: {text or '(all events)'}") + "\n")
    write(f"{found.events:,} of {looked_at:,} events\n")
    for sentence in found.shown.sentences() if found.shown else ():
        write(visible(sentence) + "\n")
    for facet in found.facets:
        more = facet.distinct - len(facet.values) - len(facet.rarest)
        write(f"\n{facet.field}: {facet.distinct:,} different\n")
        for value in facet.values:
            write(visible(_line(value)) + "\n")
        if more > 0:
            write(f"  ... {more:,} more\n")
        for value in facet.rarest:
            write(visible(_line(value)) + "\n")
    reasons: dict[str, list[str]] = {}
    for left in found.left_out:
        reasons.setdefault(left.reason, []).append(left.field)
    if reasons:
        write("\n")
    for reason, fields in sorted(reasons.items()):
        write(f"left out, {reason.replace('_', ' ')}: {', '.join(fields)}\n")


def _line(value: FacetValue) -> str:
    text = value.value if len(value.value) <= _VALUE_WIDTH else value.value[: _VALUE_WIDTH - 1] + "…"
    seen = [f"{at:%m-%d %H:%M}" if at else "" for at in (value.first_at, value.last_at)]
    return f"  {text:{_VALUE_WIDTH}} {value.count:>9,} {value.share:>6.1%}  {seen[0]} - {seen[1]}"
