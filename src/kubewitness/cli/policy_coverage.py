"""`kubewitness policy coverage`, `diff`, `advise` and `list`: what a policy lets detections see."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kubewitness.cli import EXIT_MET
from kubewitness.cli.logs import refuse_options
from kubewitness.cli.policy import Format
from kubewitness.cli.writing import render_to
from kubewitness.model.rule import RuleClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.app.policies.coverage import Comparison, RuleCoverage
    from kubewitness.policy.coverage import Recording


Recorded = Annotated[Path, Parameter(help="Audit policy (YAML or JSON), or builtin:NAME; see policy list.")]
Logs = Annotated[str, Parameter(help="Logs on which to measure bytes.", allow_leading_hyphen=True)]
Rules = Annotated[list[Path] | None, Parameter(help="Folder or file of Sigma rules; several times.", negative=())]
Builtin = Annotated[bool, Parameter(help="Ask for the builtin rules.")]
Classes = Annotated[
    list[RuleClass] | None, Parameter(name="--class", help="Noise classes of rules; all when not given.", negative=())
]
Printed = Annotated[Format, Parameter(name=["--format", "-f"], help="How to print it.")]


def coverage(
    file: Recorded,
    /,
    *,
    rules: Rules = None,
    builtin_rules: Builtin = True,
    rule_class: Classes = None,
    gaps: Annotated[bool, Parameter(help="Show only what is not covered whole.", negative="")] = False,
    fail_on_blind: Annotated[bool, Parameter(help="Exit with 1 when a rule is blind.", negative="")] = False,
    format: Printed = Format.TABLE,  # noqa: A002
) -> int:
    """Say for each detection rule whether a log under this policy could show what it looks for.

    Decided from the policy and the rule alone: covered; partly, and for which requests not; or blind, and why.
    """
    from kubewitness.app.policies.coverage import cover, coverage_fields, load_recording, summary  # noqa: PLC0415

    recording = load_recording(file)
    items = cover(recording, rules or [], builtin=builtin_rules, classes=rule_class or tuple(RuleClass))
    shown = [item for item in items if item.coverage.verdict != "covered"] if gaps else items
    if format is Format.JSON:
        answer = {"summary": summary(items), "rules": [coverage_fields(item) for item in shown]}
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    else:
        print_coverage(recording, shown, items)
    blind = any(item.coverage.verdict == "blind" for item in items)
    return EXIT_MET if fail_on_blind and blind else 0


def diff(
    old: Recorded,
    new: Recorded,
    /,
    *paths: Logs,
    rules: Rules = None,
    format: Printed = Format.TABLE,  # noqa: A002
) -> None:
    """Say which requests are recorded in another way, which detections are lost and won, and the bytes of logs."""
    from kubewitness.app.policies.coverage import (  # noqa: PLC0415
        compare_recordings,
        comparison_fields,
        load_recording,
    )

    refuse_options(paths, example="kubewitness policy diff old.yaml new.yaml audit.log")
    before, after = load_recording(old), load_recording(new)
    comparison = compare_recordings(before, after, rules or [])
    volumes = [(str(file), _volume(each, paths)) for file, each in ((old, before), (new, after))] if paths else []
    if format is Format.JSON:
        kept = {"volume": [{"policy": name} | fields for name, fields in volumes]} if volumes else {}
        sys.stdout.write(json.dumps(comparison_fields(comparison) | kept, indent=2) + "\n")
    else:
        _print_comparison(comparison)
        for name, fields in volumes:
            sys.stdout.write(_volume_text(name, fields) + "\n")


def _volume(recording: Recording, paths: Sequence[str]) -> dict[str, int]:
    """Bytes and records of a log, and what a policy keeps of them."""
    from kubewitness.app.policies.simulate import simulate  # noqa: PLC0415 - the engine is imported when it runs

    whole = simulate(recording.policy, list(paths)).whole
    return {
        "events": whole.events,
        "kept_events": whole.kept_events,
        "bytes": whole.bytes,
        "kept_bytes": whole.kept_bytes,
    }


def _volume_text(name: str, fields: dict[str, int]) -> str:
    share = fields["kept_bytes"] / fields["bytes"] if fields["bytes"] else 0
    return f"{name} keeps {fields['kept_bytes']:,} of {fields['bytes']:,} bytes ({share:.1%})"


def advise(
    *paths: Logs,
    rules: Rules = None,
    builtin_rules: Builtin = True,
    rule_class: Annotated[
        list[RuleClass] | None,
        Parameter(name="--class", help="Noise classes of rules to keep; core when not given.", negative=()),
    ] = None,
    keep: Annotated[
        list[str] | None, Parameter(help="Keep only this rule, by its id or catalogue id; several times.", negative=())
    ] = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"], help="Write the policy to this file.")] = None,
) -> None:
    """Write the smallest policy under which the chosen detections could be shown.

    Each of its rules says in a comment which detections need it. Coverage of the result is checked and reported on
    standard error; with logs, what it keeps of them too, beside everything at Metadata and at RequestResponse.
    """
    from kubewitness.app.policies.coverage import advise_policy, cover, summary  # noqa: PLC0415
    from kubewitness.policy.advise import policy_text  # noqa: PLC0415
    from kubewitness.policy.coverage import Recording  # noqa: PLC0415

    refuse_options(paths, example="kubewitness policy advise audit.log -o policy.yaml")
    advised = advise_policy(
        rules or [], builtin=builtin_rules, classes=rule_class or (RuleClass.CORE,), keep=keep or [], paths=paths
    )
    text = policy_text(advised.advice)
    render_to(output, lambda out: out.write(text))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in summary(advised.coverage).items())
    print(f"{len(advised.advice.rules)} policy rules for {len(advised.coverage)} detections: {counts}", file=sys.stderr)  # noqa: T201
    for name, recording in [(str(output or "advised"), Recording(advised.advice.policy)), *_simple()] if paths else []:
        items = cover(recording, rules or [], builtin=builtin_rules, classes=rule_class or (RuleClass.CORE,))
        chosen = {item.rule.id for item in advised.coverage}
        shown = sum(item.coverage.verdict == "covered" for item in items if item.rule.id in chosen)
        text = f"{_volume_text(name, _volume(recording, paths))} and covers {shown} of {len(chosen)} detections"
        print(text, file=sys.stderr)  # noqa: T201
    for name in advised.advice.impossible:
        print(f"warning: no policy could show {name}", file=sys.stderr)  # noqa: T201


def _simple() -> list[tuple[str, Recording]]:
    """The two policies that most guides advise."""
    from kubewitness.policy.recordings import find_recording  # noqa: PLC0415

    return [(f"builtin:{name}", find_recording(name)) for name in ("metadata", "request-response")]


def builtins(*, format: Printed = Format.TABLE) -> None:  # noqa: A002
    """List the policies and categories that can be named as builtin:NAME."""
    from kubewitness.app.policies.coverage import builtin_names  # noqa: PLC0415

    listed = list(builtin_names())
    if format is Format.JSON:
        fields = [
            {
                "name": f"builtin:{name}",
                "title": each.title,
                "about": each.about,
                "rules": len(each.policy.rules),
                "dropped_verbs": sorted(each.dropped_verbs),
                "absent_columns": sorted(each.absent_columns),
            }
            for name, each in listed
        ]
        sys.stdout.write(json.dumps(fields, indent=2) + "\n")
        return
    from kubewitness.look.console import folded  # noqa: PLC0415

    for name, each in listed:
        about = folded(f"{each.title}. {each.about}", lead="    ", hanging="    ")
        sys.stdout.write(f"builtin:{name}\n{about}\n")


def print_coverage(recording: Recording, items: Sequence[RuleCoverage], whole: Sequence[RuleCoverage]) -> None:
    """Print a table.

    Args:
        recording: what is recorded.
        items: rules to list.
        whole: rules to count.
    """
    from rich.table import Table  # noqa: PLC0415

    from kubewitness.app.policies.coverage import gap_text, summary  # noqa: PLC0415
    from kubewitness.look.console import open_console  # noqa: PLC0415
    from kubewitness.words.escape import visible  # noqa: PLC0415

    counts = summary(whole)
    console = open_console()
    console.print(visible(recording.title) + ": " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    if not items:
        return
    table = Table("VERDICT", "SEVERITY", "RULE", "WHAT IT COULD NOT SHOW", box=None, pad_edge=False, header_style="dim")
    table.columns[2].overflow = "fold"
    table.columns[3].overflow = "fold"
    for item in sorted(items, key=lambda item: ("blind", "partly", "covered").index(item.coverage.verdict)):
        texts = [visible(gap_text(gap, recording.policy)) for gap in item.coverage.gaps]
        table.add_row(item.coverage.verdict.value, item.rule.severity.value, item.rule.id, "\n".join(_few(texts)))
    console.print(table)


def _few(texts: Sequence[str], most: int = 3) -> list[str]:
    more = len(texts) - most
    return [*texts[:most], f"and {more} more"] if more > 0 else list(texts)


def _print_comparison(comparison: Comparison) -> None:
    from kubewitness.look.console import folded  # noqa: PLC0415
    from kubewitness.words.escape import visible  # noqa: PLC0415

    for change in comparison.changes:
        where = "; ".join(f"{name} {value}" for name, value in change.where) or "everything else"
        old, new = (
            f"{each.level.value} (rule {each.rule if each.rule is not None else 'none'})"
            for each in (change.old, change.new)
        )
        stages = [" and ".join(sorted(each.omit_stages)) for each in (change.old, change.new)]
        note = f", omits {stages[1] or 'no stage'} instead of {stages[0] or 'none'}" if stages[0] != stages[1] else ""
        said = note if change.old.level.rank and change.new.level.rank else ""
        sys.stdout.write(folded(visible(f"{old} -> {new}{said}")) + "\n")
        sys.stdout.write(folded(visible(where), lead="    ", hanging="      ") + "\n")
    for title, items in (("detections lost", comparison.lost), ("detections won", comparison.won)):
        sys.stdout.write(f"{title}: {len(items)}\n")
        for rule, old, new in items:
            sys.stdout.write(visible(f"    {rule.id}: {old.value} -> {new.value}") + "\n")
