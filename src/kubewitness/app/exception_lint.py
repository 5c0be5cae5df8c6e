"""Checking files of exceptions: what is refused, what has expired, what is about no rule."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kubewitness.app.rulebook.rules import list_rules
from kubewitness.detect.exceptions import RuleException, read_exceptions
from kubewitness.detect.lists import load_lists
from kubewitness.model.errors import ExceptionError, UsageError, reason_of
from kubewitness.model.issue import Issue, IssueSeverity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LONG = timedelta(days=366)


def lint_exceptions(
    path: Path, folders: Sequence[Path] = (), lists: Sequence[Path] = (), today: date | None = None
) -> list[Issue]:
    """What is wrong with the exceptions of a file, in their order.

    Args:
        path: the file.
        folders: rules that exceptions may be about, besides the builtin ones.
        lists: lists that they may name, besides the builtin ones.
        today: day against which last days are held (UTC); the present one when None.

    Raises:
        UsageError: the file cannot be read.
        RuleError: a rule cannot be loaded.
        ListError: a list cannot be loaded.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot be read: {reason_of(error)}", where=str(path)) from error
    rules = [info.id for info in list_rules(folders)]
    day = today or datetime.now(UTC).date()
    issues: list[Issue] = []
    taken: dict[str, str] = {}
    for item in read_exceptions(text, str(path), load_lists(lists)):
        if isinstance(item, ExceptionError):
            issues.append(_issue("refused", item.message, item.where or str(path), item.hint, IssueSeverity.ERROR))
        else:
            issues += _remarks(item, rules, day, taken)
    return issues


def _remarks(item: RuleException, rules: Sequence[str], today: date, taken: dict[str, str]) -> Iterator[Issue]:
    info = item.info
    if info.id in taken:
        yield _issue(
            "id-taken", f"`{info.id}` is already the id of {taken[info.id]}", info.origin, "give it another `id`"
        )
    taken.setdefault(info.id, info.origin)
    for pattern in info.rules:
        if not any(fnmatchcase(rule, pattern) for rule in rules):
            yield _issue("rule-unknown", f"no rule is called `{pattern}`", info.origin, "kubewitness rules list")
        elif not pattern.strip("*?"):
            yield _issue("all-rules", "it is about all rules, also those to come", info.origin, "name the rules")
    if info.is_expired(today):
        hint = "delete it, or give it another last day if it still holds"
        yield _issue("expired", f"it expired on {info.expires} and takes nothing out", info.origin, hint)
    elif info.expires and info.expires - today > _LONG:
        hint = "look at it once a year"
        yield _issue("long-lived", f"it holds until {info.expires}, more than a year", info.origin, hint)


def _issue(
    code: str, message: str, where: str, hint: str | None, severity: IssueSeverity = IssueSeverity.WARNING
) -> Issue:
    path, _, line = where.rpartition(":")
    if not line.isdigit():
        return Issue(severity, code, message, where, None, hint)
    return Issue(severity, code, message, path, int(line), hint)
