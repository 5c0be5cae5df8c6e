"""What lint says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.model.issue import IssueSeverity

if TYPE_CHECKING:
    from kubewitness.policy.document import Mark
    from kubewitness.policy.model import Policy


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the text: one word for another, or whole lines before a line.

    Attributes:
        line: line, from 1.
        column: column of the word, from 1; 0 for lines that come before `line`.
        old: word that stands there now; empty for lines that are added.
        new: what to write.
    """

    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing to mend, or to know.

    Attributes:
        severity: how bad.
        code: kebab-case name of the check.
        message: what is wrong, one sentence without a full stop.
        path: of the value, such as `rules[0].verbs[1]`; empty for the document.
        mark: where it stands; None when that cannot be said.
        hint: what to do about it, or None.
        edit: what would mend it, where that is obvious.
    """

    severity: IssueSeverity
    code: str
    message: str
    path: str = ""
    mark: Mark | None = None
    hint: str | None = None
    edit: Edit | None = None


@dataclass(frozen=True, slots=True)
class Reporter:
    """Makes issues about the values of one policy.

    Attributes:
        policy: knows where its values stand.
    """

    policy: Policy

    def error(
        self, code: str, message: str, *, path: str, hint: str | None, change: tuple[str, str] | None = None
    ) -> Issue:
        """An issue that is certainly not what was meant.

        Args:
            code: name of the check.
            message: what is wrong.
            path: of the value.
            hint: what to do.
            change: the word that stands at the path, and the one that should.
        """
        mark = self.policy.places.find(path)
        edit = Edit(mark.line, mark.column, *change) if mark and change else None
        return Issue(IssueSeverity.ERROR, code, message, path, mark, hint, edit)

    def warning(self, code: str, message: str, *, path: str, hint: str) -> Issue:
        """An issue that loses something, or costs something."""
        return Issue(IssueSeverity.WARNING, code, message, path, self.policy.places.find(path), hint)

    def info(self, code: str, message: str, *, path: str, hint: str) -> Issue:
        """Something to know."""
        return Issue(IssueSeverity.INFO, code, message, path, self.policy.places.find(path), hint)
