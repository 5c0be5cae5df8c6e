"""`kubewitness exceptions`: check what is said to be harmless."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import Annotated

from cyclopts import App, Parameter

from kubewitness.cli import EXIT_MET


class Format(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


app = App(name="exceptions", help="Check files of exceptions.")


@app.command(
    help_epilogue="Examples:\n\n    kubewitness exceptions lint exceptions.yml\n\n"
    "    kubewitness exceptions lint exceptions.yml --rules my-rules --format json"
)
def lint(
    file: Annotated[Path, Parameter(help="File of exceptions.")],
    /,
    *,
    rules: Annotated[
        list[Path] | None,
        Parameter(help="Folder or file of Sigma rules; may be given several times.", negative=()),
    ] = None,
    lists: Annotated[
        list[Path] | None,
        Parameter(help="Folder or file of lists; may be given several times.", negative=()),
    ] = None,
    format: Annotated[Format, Parameter(name=["--format", "-f"], help="How to print it.")] = Format.TABLE,  # noqa: A002
) -> int:
    """Find what is wrong with exceptions; exits with 1 when one of them cannot be used."""
    from kubewitness.alert.render.escape import visible  # noqa: PLC0415 - help must come quickly
    from kubewitness.app.exception_lint import lint_exceptions  # noqa: PLC0415
    from kubewitness.model.issue import is_valid, issue_fields  # noqa: PLC0415

    issues = lint_exceptions(file, rules or (), lists or ())
    if format is Format.JSON:
        sys.stdout.write(
            json.dumps({"valid": is_valid(issues), "issues": [issue_fields(issue) for issue in issues]}) + "\n"
        )
    else:
        for issue in issues:
            place = issue.path if issue.line is None else f"{issue.path}:{issue.line}"
            sys.stdout.write(visible(f"{place}: {issue.severity.value}: {issue.message} [{issue.code}]") + "\n")
            if issue.hint:
                sys.stdout.write(f"    hint: {visible(issue.hint)}\n")
        if not issues:
            sys.stdout.write("nothing is wrong\n")
    return 0 if is_valid(issues) else EXIT_MET
