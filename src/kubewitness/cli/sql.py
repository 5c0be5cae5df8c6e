"""`kubewitness sql`: ask events in SQL."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import Annotated

from cyclopts import Parameter

from kubewitness.alert.render.row_format import RowFormat
from kubewitness.cli.logs import (
    FILTER_HELP,
    PATHS_HELP,
    EngineOptions,
    LogOptions,
    demand_policy,
    demand_seconds,
    warn_of,
)
from kubewitness.model.errors import UsageError

_EXAMPLE = "kubewitness sql 'SELECT verb, count(*) FROM events GROUP BY verb' audit.log"


def sql(
    query: Annotated[str, Parameter(help="One query that reads: SELECT, FROM, WITH, DESCRIBE or SUMMARIZE.")],
    /,
    *paths: Annotated[str, Parameter(help=PATHS_HELP, allow_leading_hyphen=True)],
    filter: Annotated[str, Parameter(help=FILTER_HELP)] = "",  # noqa: A002
    policy: Annotated[
        Path | None,
        Parameter(help="Audit policy of the server, or builtin:NAME, to say whether the log could have shown it."),
    ] = None,
    most: Annotated[int, Parameter(name=["--most", "-n"], help="How many rows a table shows; 0 only counts.")] = 100,
    seconds: Annotated[float, Parameter(help="How long the query may take, reading of logs not counted.")] = 600.0,
    reveal: Annotated[bool, Parameter(help="Show secrets, tokens and command arguments.", negative="")] = False,
    format: Annotated[RowFormat, Parameter(name=["--format", "-f"], help="How to print rows.")] = RowFormat.TABLE,  # noqa: A002
    which: LogOptions = LogOptions(),  # noqa: B008 - it cannot be changed
    by: EngineOptions = EngineOptions(),  # noqa: B008 - same
) -> None:
    """Ask events in SQL: the table is `events`, its columns are those of docs/reference/columns.md.

    The query reads that table and nothing else: no file, no network, no setting. When there are no rows, --filter lets
    it say whether the log could have shown such events.
    With --engine spark it is in Spark's SQL.
    """
    from kubewitness.alert.render.rows import render_rows  # noqa: PLC0415 - the engine is imported when it runs
    from kubewitness.app.asking.shown import could_have_shown  # noqa: PLC0415
    from kubewitness.app.asking.sql import ask  # noqa: PLC0415
    from kubewitness.query.filters import parse_filter  # noqa: PLC0415
    from kubewitness.words.escape import visible  # noqa: PLC0415

    if most < 0:
        raise UsageError("--most is a number of rows", hint="write 0 or more")
    demand_seconds(seconds)
    demand_policy(policy)
    logs = which.logs(paths, example=_EXAMPLE)
    if by.is_spark(which.store):
        from kubewitness.app.spark.asking import ask_on_spark  # noqa: PLC0415 - few want it

        with ask_on_spark(query, logs, where=parse_filter(filter), reveal=reveal, master=by.spark_master) as answer:
            render_rows(answer.names, answer.rows, format, sys.stdout, types=answer.types, most=most)
        return
    predicate = parse_filter(filter)
    with ask(query, logs, where=predicate, seconds=seconds, reveal=reveal) as asked:
        warn_of(asked.events.ledger)
        count = render_rows(asked.names, asked.rows, format, sys.stdout, types=asked.types, most=most)
        if not count and filter:
            for sentence in could_have_shown(predicate, logs, asked.events, policy).sentences():
                print(visible(sentence), file=sys.stderr)  # noqa: T201 - beside the answer
