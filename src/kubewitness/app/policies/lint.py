"""Use case: lint of an audit policy, and mending it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubewitness.model.errors import UsageError
from kubewitness.model.issue import IssueSeverity
from kubewitness.policy.lint import fix, lint
from kubewitness.policy.recordings import PREFIX, builtin_policy, recordings

if TYPE_CHECKING:
    from pathlib import Path

    from kubewitness.policy.lint import Issue, Linted


def read_text(path: Path) -> bytes:
    """The bytes of a policy file, or of `builtin:NAME`.

    Raises:
        UsageError: it cannot be read, or there is no such builtin.
    """
    name = str(path)
    if name.startswith(PREFIX):
        known = {key: recording.policy_name for key, recording in recordings().items()}
        wanted = name.removeprefix(PREFIX)
        if wanted not in known:
            raise UsageError(f"there is no builtin policy `{name}`", hint=f"one of {', '.join(known)}")
        return builtin_policy(known[wanted]).encode()
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=name) from error


def lint_policy(path: Path) -> Linted:
    """All that is wrong with a policy.

    Raises:
        UsageError: it cannot be read.
    """
    return lint(read_text(path))


def fix_policy(path: Path) -> list[Issue]:
    """Make every obvious repair in a file; what was mended.

    Raises:
        UsageError: it cannot be read or written.
    """
    text, mended = fix(read_text(path))
    if mended:
        try:
            path.write_bytes(text)
        except OSError as error:
            raise UsageError(f"cannot be written: {error.strerror}", where=str(path)) from error
    return mended


def has_errors(linted: Linted) -> bool:
    """Whether the policy does not do what was certainly meant."""
    return not linted.is_valid or any(issue.severity is IssueSeverity.ERROR for issue in linted.issues)


def lint_fields(linted: Linted) -> dict[str, Any]:
    """What lint says as JSON has it. Fields are the command line contract of `policy lint`."""
    return {
        "valid": linted.is_valid,
        "repaired": linted.repaired,
        "issues": [
            {
                "severity": issue.severity.value,
                "code": issue.code,
                "message": issue.message,
                "path": issue.path,
                "line": issue.mark.line if issue.mark else None,
                "column": issue.mark.column if issue.mark else None,
                "hint": issue.hint,
                "fixable": issue.edit is not None,
            }
            for issue in linted.issues
        ],
    }
