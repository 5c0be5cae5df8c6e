"""`kubewitness coverage`: what a log could not have shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kubewitness.cli.logs import LogOptions
from kubewitness.cli.policy import Format
from kubewitness.model.errors import UsageError
from kubewitness.model.rule import RuleClass

if TYPE_CHECKING:
    from kubewitness.app.policies.log_coverage import LogCoverage

_SHOWN = 12


def coverage(
    *paths: Annotated[
        str, Parameter(help="Files, directories, globs, or - for standard input.", allow_leading_hyphen=True)
    ],
    rules: Annotated[
        list[Path] | None, Parameter(help="Folder or file of Sigma rules; several times.", negative=())
    ] = None,
    store: Annotated[str | None, Parameter(help="Ask this store instead of logs; of very many events some.")] = None,
    cluster: Annotated[str | None, Parameter(help="Of a store, the only cluster wanted.")] = None,
    builtin_rules: Annotated[bool, Parameter(help="Ask for the builtin rules.")] = True,
    rule_class: Annotated[
        list[RuleClass] | None,
        Parameter(name="--class", help="Noise classes of rules; all when not given.", negative=()),
    ] = None,
    format: Annotated[Format, Parameter(name=["--format", "-f"], help="How to print it.")] = Format.TABLE,  # noqa: A002
) -> None:
    """Find out what is recorded in a log, and say which detections it could not have shown.

    Compares levels and stages of the events with the policies of well-known platforms; where none fits, what is seen
    counts.
    """
    from kubewitness.app.policies.log_coverage import coverage_of_log  # noqa: PLC0415 - the engine is imported when it runs

    if store is None and cluster is not None:
        raise UsageError("--cluster chooses one of a store", hint="add --store, or name the logs of that cluster")
    asked = LogOptions(store=store, cluster=cluster).logs(paths, example="kubewitness coverage audit.log")
    found = coverage_of_log(
        asked.paths,
        rules or [],
        store=asked.store,
        cluster=asked.cluster,
        builtin=builtin_rules,
        classes=rule_class or tuple(RuleClass),
    )
    if format is Format.JSON:
        sys.stdout.write(json.dumps(_fields(found), indent=2) + "\n")
    else:
        _print(found)


def _fields(found: LogCoverage) -> dict[str, object]:
    from kubewitness.app.policies.coverage import coverage_fields, summary  # noqa: PLC0415

    return {
        "read": found.read,
        "events": found.events,
        "recording": found.recording.title,
        "inferred": found.is_inferred,
        "fits": [{"name": f"builtin:{fit.name}", "share": round(fit.share, 4)} for fit in found.fits],
        "levels": dict(found.levels),
        "stages": dict(found.stages),
        "seen": [
            {"resource": item.resource, "verbs": {verb: level.value for verb, level in item.verbs}}
            for item in found.seen
        ],
        "summary": summary(found.rules),
        "rules": [coverage_fields(item) for item in found.rules],
    }


def _print(found: LogCoverage) -> None:
    from kubewitness.cli.policy_coverage import print_coverage  # noqa: PLC0415
    from kubewitness.look.console import folded  # noqa: PLC0415
    from kubewitness.words.escape import visible  # noqa: PLC0415
    from kubewitness.words.lists import counted  # noqa: PLC0415

    def write(line: str = "") -> None:
        sys.stdout.write(folded(line) + "\n")

    write(f"{counted(found.events, 'event')} that say their level, of {counted(found.read, 'record')}")
    for title, counts in (("levels", found.levels), ("stages", found.stages)):
        write(f"{title}: " + ", ".join(f"{name} {count:,}" for name, count in counts))
    best = ", ".join(f"{fit.name} {fit.share:.1%}" for fit in found.fits[:3])
    write(f"well-known recordings that agree: {best}")
    if found.is_inferred:
        write("none fits: what this log holds nothing of counts as not recorded")
    write()
    for item in found.seen[:_SHOWN]:
        verbs = ", ".join(f"{verb or '(none)'} {level}" for verb, level in item.verbs)
        write(visible(f"{item.resource}: {verbs}"))
    if len(found.seen) > _SHOWN:
        write(f"and {counted(len(found.seen) - _SHOWN, 'more resource')}")
    write()
    print_coverage(found.recording, [item for item in found.rules if item.coverage.verdict != "covered"], found.rules)
