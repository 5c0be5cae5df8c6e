"""All checks of a policy, and mending what has an obvious remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.model.issue import IssueSeverity
from kubewitness.policy.document import Mark
from kubewitness.policy.lint.effect import effect_issues
from kubewitness.policy.lint.issue import Issue
from kubewitness.policy.lint.names import name_issues, root_of
from kubewitness.policy.lint.values import value_issues
from kubewitness.policy.load import load_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubewitness.policy.lint.issue import Edit
    from kubewitness.policy.load import Loaded, Problem

_MOST_ROUNDS = 5
_LAST = Mark(1 << 30, 0)
_RANKS = {severity: rank for rank, severity in enumerate(IssueSeverity)}


@dataclass(frozen=True, slots=True)
class Linted:
    """What there is to say of a policy.

    Attributes:
        is_valid: whether kube-apiserver would load it as it is.
        issues: worst first, then by place.
        repaired: whether issues of rules are about the policy as it would be once repaired.
    """

    is_valid: bool
    issues: tuple[Issue, ...]
    repaired: bool = False


def lint(data: bytes) -> Linted:
    """All that is wrong with the text of a policy.

    A policy that the server refuses, and that obvious repairs would save, is looked at as if it were repaired too.
    """
    loaded = load_policy(data)
    issues = list(_document_issues(data, loaded))
    policy = loaded.policy
    repaired = False
    if policy is None:
        policy = load_policy(_edited(data, issues)).policy if any(issue.edit for issue in issues) else None
        repaired = policy is not None
    if policy is not None:
        issues += value_issues(policy)
        issues += effect_issues(policy)
    unique = {(issue.code, issue.path, issue.message): issue for issue in issues}
    ordered = sorted(unique.values(), key=lambda issue: (_RANKS[issue.severity], issue.mark or _LAST, issue.code))
    return Linted(loaded.policy is not None, tuple(ordered), repaired)


def fix(data: bytes) -> tuple[bytes, list[Issue]]:
    """The text with every obvious repair made, and the issues that were mended by it."""
    mended: list[Issue] = []
    for _ in range(_MOST_ROUNDS):
        issues = [issue for issue in lint(data).issues if issue.edit]
        edited = _edited(data, issues)
        if edited == data:
            break
        mended += issues
        data = edited
    return data, mended


_HINTS = {
    'no kind "Policy" is registered': "write apiVersion: audit.k8s.io/v1",
    'no kind "ConfigMap" is registered': "the policy is the text under `data`: check that by itself",
    "cannot start any token": "YAML is indented with blanks, not with tabs",
}


def _document_issues(data: bytes, loaded: Loaded) -> Iterator[Issue]:
    root = root_of(data)
    names = list(name_issues(root)) if root else []
    told = {issue.path for issue in names}
    if root is not None and isinstance(root.value, dict) and "apiVersion" not in root.value:
        yield Issue(
            IssueSeverity.ERROR, "api-version-missing", "apiVersion is missing: the server does not load it", "",
            root.mark, "apiVersion: audit.k8s.io/v1",
        )  # fmt: skip
    yield from names
    for problem in loaded.errors:
        yield _of_problem(problem, IssueSeverity.ERROR, "invalid")
    for problem in loaded.warnings:
        if problem.path in told:
            continue
        is_duplicate = "already set" in problem.message or "duplicate field" in problem.message
        yield _of_problem(problem, IssueSeverity.WARNING, "duplicate-key" if is_duplicate else "ignored")


def _of_problem(problem: Problem, severity: IssueSeverity, code: str) -> Issue:
    hint = next((hint for words, hint in _HINTS.items() if words in problem.message), None)
    if code == "duplicate-key":
        hint = "the last one counts; take the others out"
    return Issue(severity, code, problem.message, problem.path or "", problem.mark, hint)


def _edited(data: bytes, issues: Iterable[Issue]) -> bytes:
    """The text with the edits made, from its end to its beginning, so that places stay true."""
    lines = data.decode("utf-8", "replace").split("\n")
    edits = {issue.edit for issue in issues if issue.edit}
    for edit in sorted(edits, key=lambda edit: (edit.line, edit.column), reverse=True):
        _apply(lines, edit)
    return "\n".join(lines).encode()


def _apply(lines: list[str], edit: Edit) -> None:
    at = edit.line - 1
    if edit.column == 0:
        if not _is_json(lines):
            lines.insert(at, edit.new)
        return
    line = lines[at]
    start = edit.column - 1
    word = re.compile(r"""(["']?)""" + re.escape(edit.old) + r"""\1""")
    found = word.match(line, start)
    if found:
        quote = found[1] if edit.new != '""' else ""
        lines[at] = f"{line[:start]}{quote}{edit.new}{quote}{line[found.end() :]}"


def _is_json(lines: list[str]) -> bool:
    """Whether the text is JSON, into which no lines of YAML can be put."""
    return next((line.strip() for line in lines if line.strip()), "").startswith("{")
