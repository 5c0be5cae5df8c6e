"""`kubewitness actor`: what a log knows of one actor."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import Annotated

from cyclopts import Parameter

from kubewitness.cli.logs import PATHS_HELP, LogOptions, warn_of
from kubewitness.cli.writing import write
from kubewitness.model.alert import Severity
from kubewitness.model.errors import UsageError


class ActorFormat(StrEnum):
    """How to print it."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


def actor(
    name: Annotated[
        str, Parameter(help="User, or service account (namespace/name); wildcards where only one is meant.")
    ],
    /,
    *paths: Annotated[str, Parameter(help=PATHS_HELP, allow_leading_hyphen=True)],
    baseline: Annotated[
        Path | None,
        Parameter(help="Tell what is new by this file of kubewitness baseline learn, not by the actor's own past."),
    ] = None,
    alerts: Annotated[bool, Parameter(help="Scan for alerts about the actor.")] = True,
    min_severity: Annotated[Severity, Parameter(help="Leave out alerts below this severity.")] = Severity.LOW,
    most: Annotated[int, Parameter(name=["--most", "-n"], help="Rows of each table; 0 is all.")] = 12,
    reveal: Annotated[bool, Parameter(help="Show secrets and tokens.", negative="")] = False,
    format: Annotated[  # noqa: A002
        ActorFormat, Parameter(name=["--format", "-f"], help="How to print it.")
    ] = ActorFormat.TABLE,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="Write to this file.")] = None,
    logs: LogOptions | None = None,
) -> None:
    """Say what a log knows of one actor.

    Who it is and by what credential, from where, with what, what it did, what it was denied, what is new, who acts as
    it, what roles allowed it, and the alerts about it.
    """
    from kubewitness.alert.render.fields import alert_fields  # noqa: PLC0415
    from kubewitness.app.investigate.actors import profile_actor  # noqa: PLC0415 - the engine comes with it
    from kubewitness.investigate.render.actor_tables import to_html, to_text  # noqa: PLC0415
    from kubewitness.words.plain import ledger_fields, plain  # noqa: PLC0415

    if most < 0:
        raise UsageError("--most is a number of rows", hint="write 0 for all of them, or more")
    where = (logs or LogOptions()).logs(paths, example="kubewitness actor shop/web audit.log")
    report = profile_actor(where, name, baseline=baseline, alerts=alerts, least=min_severity, reveal=reveal)
    warn_of(report.ledger)
    match format:
        case ActorFormat.JSON:
            fields = {
                **plain(report.profile),
                "alerts": [alert_fields(alert) for alert in report.alerts],
                "remarks": list(report.remarks),
                "ledger": ledger_fields(report.ledger),
            }
            text = json.dumps(fields, indent=2) + "\n"
        case ActorFormat.HTML:
            text = to_html(report) + "\n"
        case ActorFormat.TABLE:
            text = to_text(report, most=most)
    write(output, lambda out: print(text, end="", file=out))
