"""`kubewitness timeline`: what was done and what was alarming, on one axis."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, TextIO

from cyclopts import Parameter

from kubewitness.cli.logs import FILTER_HELP, PATHS_HELP, LogOptions, split_filter, warn_of
from kubewitness.cli.writing import write
from kubewitness.investigate.sessions import IDLE_S
from kubewitness.model.alert import Severity
from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from kubewitness.investigate.timeline import Timeline

_EXAMPLE = "kubewitness timeline --actor alice audit.log"
_DEFAULTS = LogOptions()
_MINUTES_OF_A_YEAR = 365 * 24 * 60


class TimelineFormat(StrEnum):
    """How to print a timeline."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    HTML = "html"


def timeline(
    *paths: Annotated[
        str, Parameter(help=f"A filter, if the first is one and no file; then: {PATHS_HELP}", allow_leading_hyphen=True)
    ],
    filter: Annotated[str, Parameter(help=FILTER_HELP)] = "",  # noqa: A002
    actor: Annotated[str | None, Parameter(help="Who acted, or as whom they acted; * and ? are wildcards.")] = None,
    object: Annotated[  # noqa: A002
        str | None, Parameter(help="NAMESPACE/KIND/NAME or KIND/NAME, such as shop/deploy/web.")
    ] = None,
    namespace: Annotated[str | None, Parameter(name=["--namespace", "-n"], help="Namespace.")] = None,
    source: Annotated[str | None, Parameter(help="Address or network, such as 203.0.113.0/24.")] = None,
    rule: Annotated[str | None, Parameter(help="Rule whose alerts it is about.")] = None,
    events: Annotated[
        bool, Parameter(name=["--events", "--raw"], help="List every request of each action.", negative="")
    ] = False,
    alerts: Annotated[bool, Parameter(help="Look for alerts, which takes a scan of the same logs.")] = True,
    min_severity: Annotated[Severity, Parameter(help="Leave out alerts below.")] = Severity.LOW,
    idle: Annotated[float, Parameter(help="Minutes without a request after which a session is over.")] = IDLE_S / 60,
    most: Annotated[int, Parameter(help="How many entries of the table to show; 0 none.")] = 200,
    reveal: Annotated[bool, Parameter(help="Show secrets, tokens and command arguments.", negative="")] = False,
    format: Annotated[TimelineFormat, Parameter(name=["--format", "-f"], help="How to print it.")] = (  # noqa: A002
        TimelineFormat.TABLE
    ),
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="Write to this file.")] = None,
    options: LogOptions = _DEFAULTS,
) -> None:
    """Put what was done and what was alarming on one axis: requests become actions, actions become sessions.

    All options that say what it is about must hold: by actor, object, namespace, address, rule, or a filter as hunt
    takes it.
    """
    from kubewitness.app.investigate.timeline import Question  # noqa: PLC0415 - the engine is imported when it runs
    from kubewitness.app.investigate.timeline import timeline as run  # noqa: PLC0415

    text, paths = split_filter(paths, filter, has_store=options.store is not None)
    if most < 0:
        raise UsageError("--most is a number of entries", hint="write 0 or more")
    if not 0 < idle < _MINUTES_OF_A_YEAR:
        raise UsageError("a session needs an idle gap above 0 minutes, and below a year", hint="--idle 15")
    question = Question(
        filter=text,
        actor=actor,
        object=object,
        namespace=namespace,
        source=source,
        rule=rule,
        alerts=alerts,
        min_severity=min_severity,
        idle_s=idle * 60,
        reveal=reveal,
    )
    found = run(options.logs(paths, example=_EXAMPLE), question)
    warn_of(found.ledger)
    write(output, lambda out: _render(found, format, out, unfold=events, most=most))


def _render(found: Timeline, format: TimelineFormat, out: TextIO, *, unfold: bool, most: int) -> None:  # noqa: A002
    match format:
        case TimelineFormat.TABLE:
            from kubewitness.investigate.render.timeline_table import write_table  # noqa: PLC0415

            write_table(found, out, unfold=unfold, most=most)
        case TimelineFormat.HTML:
            from kubewitness.investigate.render.timeline_page import write_page  # noqa: PLC0415

            write_page(found, out)
        case TimelineFormat.JSON:
            from kubewitness.investigate.render.timeline_fields import write_json  # noqa: PLC0415

            write_json(found, out)
        case TimelineFormat.NDJSON:
            from kubewitness.investigate.render.timeline_fields import write_ndjson  # noqa: PLC0415

            write_ndjson(found, out)
