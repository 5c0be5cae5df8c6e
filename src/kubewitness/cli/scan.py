"""`kubewitness scan`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from kubewitness.cli import EXIT_MET, EXIT_UNUSABLE
from kubewitness.cli.content import RuleFolders  # noqa: TC001 - cyclopts reads the annotations
from kubewitness.cli.logs import EngineOptions, LogOptions
from kubewitness.cli.writing import render_to
from kubewitness.model.alert import Severity
from kubewitness.model.exception import ExceptionState
from kubewitness.model.rule import RuleClass
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from kubewitness.model.alert import Report


class Format(StrEnum):
    """How to print the report."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    HTML = "html"
    SARIF = "sarif"
    OCSF = "ocsf"


class Platform(StrEnum):
    """What a cluster runs on; those with a name are files of `platforms/`."""

    AUTO = "auto"
    AKS = "aks"
    EKS = "eks"
    GKE = "gke"
    OPENSHIFT = "openshift"
    KUBEADM = "kubeadm"
    K3S = "k3s"
    NONE = "none"


def scan(
    *paths: Annotated[
        str, Parameter(help="Files, directories, globs, or - for standard input.", allow_leading_hyphen=True)
    ],
    rules: RuleFolders = None,
    builtin_rules: Annotated[bool, Parameter(help="Run the builtin rules.")] = True,
    rule_class: Annotated[
        list[RuleClass] | None,
        Parameter(name="--class", help="Noise classes to run; core when not given.", negative=()),
    ] = None,
    lists: Annotated[
        list[Path] | None,
        Parameter(help="Folder or file of lists that rules name; may be given several times.", negative=()),
    ] = None,
    exceptions: Annotated[
        list[Path] | None,
        Parameter(help="File of exceptions; may be given several times.", negative=()),
    ] = None,
    baseline: Annotated[
        Path | None, Parameter(help="File of what is known of actors, as baseline learn writes it.")
    ] = None,
    platform: Annotated[
        Platform,
        Parameter(
            name_transform=str.lower,  # else K3S were k3-s
            help="Platform of the clusters, for what is harmless there; auto finds out.",
        ),
    ] = Platform.AUTO,
    min_severity: Annotated[Severity, Parameter(help="Leave out alerts below.")] = Severity.INFORMATIONAL,
    which: LogOptions = LogOptions(),  # noqa: B008 - it cannot be changed
    by: EngineOptions = EngineOptions(),  # noqa: B008 - same
    format: Annotated[Format, Parameter(name=["--format", "-f"], help="How to print the report.")] = Format.TABLE,  # noqa: A002
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="Write to this file.")] = None,
    matches: Annotated[bool, Parameter(help="List every match of a rule with an event.", negative="")] = False,
    fail_on: Annotated[
        Severity | None, Parameter(help="Exit with 1 when there is an alert of this severity or above.")
    ] = None,
    strict: Annotated[bool, Parameter(help="Exit with 1 when anything could not be read.", negative="")] = False,
    reveal: Annotated[bool, Parameter(help="Show secrets, tokens and command arguments.", negative="")] = False,
    quiet: Annotated[bool, Parameter(help="No remarks on standard error.", negative="")] = False,
) -> int:
    """Read audit logs in any shape and report what happened."""
    from kubewitness.alert.render import FORMATS  # noqa: PLC0415 - the engine is imported when a scan runs
    from kubewitness.app.plans import load_rules, plan_rules  # noqa: PLC0415
    from kubewitness.app.scan import ScanOptions  # noqa: PLC0415
    from kubewitness.app.scan import scan as run  # noqa: PLC0415

    logs = which.logs(paths, example="kubewitness scan audit.log")
    wanted: dict[str, Any] = {
        "folders": rules or [],
        "builtin": builtin_rules,
        "classes": rule_class or [RuleClass.CORE],
        "lists": lists or [],
        "exceptions": exceptions or [],
    }
    is_spark = by.is_spark(logs.store)
    plan = plan_rules(**wanted)
    options = ScanOptions(
        min_severity=min_severity,
        since=logs.since,
        until=logs.until,
        cluster=logs.cluster,
        matches=matches,
        detailed=format is Format.OCSF,
        reveal=reveal,
        baseline=baseline,
        platform=platform.value,
        store=logs.store,
    )
    if is_spark:
        from kubewitness.app.spark.scanning import scan_on_spark  # noqa: PLC0415 - few want it

        report = scan_on_spark(load_rules(**wanted), plan, options, master=by.spark_master)
    else:
        report = run(logs.paths, plan, options)
    render_to(output, lambda out: FORMATS[format](report, out))
    if not quiet:
        _say(report, output, is_summary_shown=format not in {Format.NDJSON, Format.CSV})
    return _exit_code(report, fail_on, strict=strict)


def _say(report: Report, output: Path | None, *, is_summary_shown: bool) -> None:
    for item in report.ledger.unreadable:
        print(f"warning: {item.origin}: {item.reason}", file=sys.stderr)  # noqa: T201 - this is the front end
    for use in report.exceptions:
        if use.state is ExceptionState.EXPIRED:
            print(f"warning: {use.info.origin}: the exception expired on {use.info.expires}", file=sys.stderr)  # noqa: T201
    own = sum(use.requests for use in report.exceptions if use.info.platform)
    taken_out = sum(use.requests for use in report.exceptions if not use.info.platform)
    for count, why in ((own, "as the platform's own work"), (taken_out, "by exceptions")):
        if count and (output is not None or not is_summary_shown):
            print(f"taken out {why}: {count:,}", file=sys.stderr)  # noqa: T201
    if output is not None:
        ledger = report.ledger
        print(  # noqa: T201
            f"{counted(ledger.read, 'record')} read, {counted(len(report.alerts), 'alert')} written to {output}",
            file=sys.stderr,
        )


def _exit_code(report: Report, fail_on: Severity | None, *, strict: bool) -> int:
    if strict and (report.ledger.rejected or report.ledger.unreadable):
        return EXIT_MET
    if fail_on and any(alert.severity.rank >= fail_on.rank for alert in report.alerts):
        return EXIT_MET
    return EXIT_UNUSABLE if report.ledger.is_unusable else 0
