"""SARIF of what lint says of files: rules and policies. Source: OASIS SARIF 2.1.0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from kubewitness import __version__
from kubewitness.alert.render.sarif import SCHEMA, message_of, uri_of
from kubewitness.words.plain import to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.words.plain import Fields

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that lint says of a file.

    Attributes:
        severity: `error`, `warning` or `info`.
        code: kebab-case name of the check.
        message: what is wrong.
        file: path of the file.
        line: line, from 1, or None.
        column: column, from 1, or None.
        hint: what to do about it, or None.
    """

    severity: str
    code: str
    message: str
    file: str
    line: int | None = None
    column: int | None = None
    hint: str | None = None


def render_findings(findings: Sequence[Finding], out: TextIO) -> None:
    """Write one SARIF log of one run."""
    codes = list(dict.fromkeys(finding.code for finding in findings))
    run: Fields = {
        "tool": {"driver": {"name": "kubewitness", "version": __version__, "rules": [{"id": code} for code in codes]}},
        "results": [_result(finding, codes.index(finding.code)) for finding in findings],
        "columnKind": "unicodeCodePoints",
    }
    out.write(to_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n")


def _result(finding: Finding, rule_index: int) -> Fields:
    region = {"startLine": finding.line} if finding.line else {}
    if finding.line and finding.column:
        region["startColumn"] = finding.column
    place: Fields = {"artifactLocation": {"uri": uri_of(finding.file)}, **({"region": region} if region else {})}
    text = f"{finding.message}. Hint: {finding.hint}" if finding.hint else finding.message
    return {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": message_of(text),
        "locations": [{"physicalLocation": place}],
    }
