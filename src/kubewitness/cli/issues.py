"""Printing what is wrong with files."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

from kubewitness.cli import EXIT_MET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.model.issue import Issue


class IssueFormat(StrEnum):
    """How to print issues."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"


def print_issues(issues: Sequence[Issue], format: IssueFormat) -> int:  # noqa: A002 - the name of the option
    """Print issues; the exit code is 1 when one of them is an error."""
    from kubewitness.model.issue import is_valid, issue_fields  # noqa: PLC0415 - help must come quickly

    match format:
        case IssueFormat.JSON:
            answer = {"valid": is_valid(issues), "issues": [issue_fields(issue) for issue in issues]}
            sys.stdout.write(json.dumps(answer) + "\n")
        case IssueFormat.SARIF:
            _print_sarif(issues)
        case IssueFormat.TABLE:
            _print_lines(issues)
    return 0 if is_valid(issues) else EXIT_MET


def _print_lines(issues: Sequence[Issue]) -> None:
    from kubewitness.words.escape import visible  # noqa: PLC0415

    for issue in issues:
        place = ":".join(str(part) for part in (issue.path, issue.line, issue.column) if part is not None)
        sys.stdout.write(visible(f"{place}: {issue.severity.value}: {issue.message} [{issue.code}]") + "\n")
        if issue.hint:
            sys.stdout.write(f"    hint: {visible(issue.hint)}\n")
    if not issues:
        sys.stdout.write("nothing is wrong\n")


def _print_sarif(issues: Sequence[Issue]) -> None:
    from kubewitness.alert.render.sarif_lint import Finding, render_findings  # noqa: PLC0415

    findings = [
        Finding(each.severity.value, each.code, each.message, each.path, each.line, each.column, each.hint)
        for each in issues
    ]
    render_findings(findings, sys.stdout)
