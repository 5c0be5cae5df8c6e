"""What is wrong with rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubewitness.alert.explain import unknown_placeholders
from kubewitness.app.rules import RuleFile, read_rule_files
from kubewitness.model.errors import RuleError, UsageError
from kubewitness.model.issue import Issue, IssueSeverity
from kubewitness.query.predicate import And, Not, Operator, Or, Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kubewitness.detect.rule import Rule
    from kubewitness.query.predicate import Predicate


def lint_rules(folder: Path) -> list[Issue]:
    """What is wrong with the rules of a folder or file, in the order of the files.

    Raises:
        UsageError: there is no such folder, or no rule in it.
    """
    own = read_rule_files([folder], builtin=False)
    if not own:
        raise UsageError("no rules found", where=str(folder), hint="rules are files that end in .yml or .yaml")
    issues: list[Issue] = []
    taken: dict[str, str] = {}
    for file in own:
        issues += _lint_file(file, taken)
    return issues


def _lint_file(file: RuleFile, taken: dict[str, str]) -> Iterator[Issue]:
    if file.error:
        yield _issue(file, "not-loaded", file.error.message, file.error.hint)
    elif not file.rules and not file.filters:
        yield _issue(file, "no-rule", "the file holds no rule")
    for rule in file.rules:
        rule_id = rule.info.id
        if rule_id in taken:
            message = f"id `{rule_id}` is already taken by {taken[rule_id]}"
            yield _issue(file, "id-taken", message, "give each rule a `name` of its own")
        taken.setdefault(rule_id, file.path)
        yield from _lint_rule(rule, file)
    try:
        file.cases()
    except RuleError as error:
        yield Issue(IssueSeverity.ERROR, "cases-not-loaded", error.message, file.cases_path, None, error.hint)


def _lint_rule(rule: Rule, file: RuleFile) -> Iterator[Issue]:
    for name in sorted(unknown_placeholders(rule.info.explain or "")):
        message = f"`explain` names `{name}`, which no event has"
        yield _issue(file, "placeholder-unknown", message, "use columns of the events table, {object}, {count} ...")
    for test in _texts(rule.predicate) if rule.predicate else ():
        if test.field.column.name == "verb" and test.operator is Operator.EQUALS:
            yield from _lint_verb(file, test.value.lower())


def _lint_verb(file: RuleFile, verb: str) -> Iterator[Issue]:
    if verb not in _VERBS:
        hint = _INSTEAD.get(verb, "verbs are those of the Kubernetes API, in lower case")
        yield _issue(file, "verb-impossible", f"no event has the verb `{verb}`", hint, IssueSeverity.WARNING)


# Source: apiserver RequestInfo; where there is no resource, the verb is the HTTP method in lower case.
_VERBS = frozenset(
    {
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "head",
        "options",
        "post",
        "put",
    }
)
_BY_ACTION = "an event shows it in the fact `action`, by whatever verb"
_INSTEAD = {
    "replace": "a replacement is recorded as `update`",
    "edit": "an edit is recorded as `patch`",
    "apply": "apply is recorded as `create` or `patch`",
    **dict.fromkeys(
        ("exec", "attach", "portforward", "proxy", "approve", "bind", "escalate", "impersonate"), _BY_ACTION
    ),
}


def _texts(predicate: Predicate) -> Iterator[Text]:
    match predicate:
        case And(items) | Or(items):
            for item in items:
                yield from _texts(item)
        case Not(item):
            yield from _texts(item)
        case Text():
            yield predicate
        case _:
            return


def _issue(
    file: RuleFile,
    code: str,
    message: str,
    hint: str | None = None,
    severity: IssueSeverity = IssueSeverity.ERROR,
) -> Issue:
    return Issue(severity, code, message, file.path, _line(file.text, message), hint)


def _line(text: str, message: str) -> int | None:
    """The line that a message is about: the one it names, else the first that holds what it quotes."""
    if named := re.search(r"\bline (\d+)", message):
        return int(named[1])
    quoted = re.findall(r"`([^`]+)`", message)
    lines = text.splitlines()
    for value in reversed(quoted):
        word = re.compile(rf"(?<![\w.]){re.escape(value)}(?![\w.])", re.IGNORECASE)
        for number, line in enumerate(lines, 1):
            if word.search(line):
                return number
    return None
