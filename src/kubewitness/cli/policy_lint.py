"""`kubewitness policy lint`."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kubewitness.cli import EXIT_MET
from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from kubewitness.policy.lint import Linted


class LintFormat(StrEnum):
    """How to print what lint says."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"


def lint(
    file: Annotated[Path, Parameter(help="Audit policy (YAML or JSON), or builtin:NAME.")],
    /,
    *,
    fix: Annotated[bool, Parameter(help="Make the obvious repairs in the file.", negative="")] = False,
    format: Annotated[LintFormat, Parameter(name=["--format", "-f"], help="How to print it.")] = LintFormat.TABLE,  # noqa: A002
) -> int:
    """Say what is wrong with a policy: what kube-apiserver refuses or ignores, and what it does not do as meant.

    Exits with 1 when there is an error.
    """
    from kubewitness.app.policies.lint import fix_policy, has_errors, lint_fields, lint_policy  # noqa: PLC0415

    if fix:
        if str(file).startswith("builtin:"):
            raise UsageError("a builtin policy is not to be mended", hint="copy it to a file of your own first")
        for issue in fix_policy(file):
            place = f"{issue.mark}: " if issue.mark else ""
            print(f"mended {place}{issue.message}", file=sys.stderr)  # noqa: T201 - this is the front end
    linted = lint_policy(file)
    match format:
        case LintFormat.JSON:
            sys.stdout.write(json.dumps(lint_fields(linted), indent=2) + "\n")
        case LintFormat.SARIF:
            _write_sarif(file, linted)
        case LintFormat.TABLE:
            _print(file, linted)
    return EXIT_MET if has_errors(linted) else 0


def _write_sarif(file: Path, linted: Linted) -> None:
    from kubewitness.alert.render.sarif_lint import Finding, render_findings  # noqa: PLC0415

    render_findings(
        [
            Finding(
                issue.severity.value,
                issue.code,
                issue.message,
                str(file),
                issue.mark.line if issue.mark else None,
                issue.mark.column if issue.mark else None,
                issue.hint,
            )
            for issue in linted.issues
        ],
        sys.stdout,
    )


def _print(file: Path, linted: Linted) -> None:
    from kubewitness.words.escape import visible  # noqa: PLC0415

    for issue in linted.issues:
        place = f"{file}:{issue.mark}" if issue.mark else str(file)
        where = f"{issue.path}: " if issue.path else ""
        sys.stdout.write(visible(f"{place}: {issue.severity}: {where}{issue.message} [{issue.code}]") + "\n")
        if issue.hint:
            sys.stdout.write(visible(f"    hint: {issue.hint}") + "\n")
    fixable = sum(issue.edit is not None for issue in linted.issues)
    verdict = "kube-apiserver would load it" if linted.is_valid else "kube-apiserver would not load it"
    counts = f"{len(linted.issues)} issues" + (f", {fixable} of them mended by --fix" if fixable else "")
    sys.stdout.write(f"{verdict}; {counts}\n")
    if linted.repaired:
        sys.stdout.write("issues of rules are those of the policy as it would be once repaired\n")
