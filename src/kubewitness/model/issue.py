"""What is wrong with a file that people write: rules, exceptions, policies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class IssueSeverity(StrEnum):
    """Whether the file cannot do what it is for, likely does not do what it seems to, or could be better."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Issue:
    """Something wrong with a file.

    Attributes:
        severity: how bad.
        code: kebab-case, the same for the same kind of issue.
        message: what is wrong.
        path: file.
        line: line in it, from 1; None when the file as a whole is meant.
        hint: what to do about it.
        column: column of the line, from 1; None when the line as a whole is meant.
    """

    severity: IssueSeverity
    code: str
    message: str
    path: str
    line: int | None
    hint: str | None
    column: int | None = None


def is_valid(issues: Iterable[Issue]) -> bool:
    """Whether none of the issues is an error."""
    return all(issue.severity is not IssueSeverity.ERROR for issue in issues)


def issue_fields(issue: Issue) -> dict[str, Any]:
    """An issue as `--format json` shows it."""
    return {name: getattr(issue, name) for name in ("severity", "code", "message", "path", "line", "column", "hint")}
