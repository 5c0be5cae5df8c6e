"""`kubewitness exceptions`: check what is said to be harmless."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import Annotated

from cyclopts import App, Parameter

from kubewitness.cli.content import ListFolders, RuleFolders  # noqa: TC001 - cyclopts reads the annotations
from kubewitness.cli.issues import IssueFormat, print_issues

app = App(name="exceptions", help="Check files of exceptions.")


@app.command(
    help_epilogue="Examples:\n\n    kubewitness exceptions lint exceptions.yml\n\n"
    "    kubewitness exceptions lint exceptions.yml --rules my-rules --format json"
)
def lint(
    file: Annotated[Path, Parameter(help="File of exceptions.")],
    /,
    *,
    rules: RuleFolders = None,
    lists: ListFolders = None,
    format: Annotated[IssueFormat, Parameter(name=["--format", "-f"], help="How to print it.")] = IssueFormat.TABLE,  # noqa: A002
) -> int:
    """Find what is wrong with exceptions; exits with 1 when one of them cannot be used."""
    from kubewitness.app.exception_lint import lint_exceptions  # noqa: PLC0415 - help must come quickly

    return print_issues(lint_exceptions(file, rules or (), lists or ()), format)
