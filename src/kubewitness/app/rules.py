"""Rules as people handle them: list them, read one, see its SQL, find what is wrong with one's own."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.alert.explain import unknown_placeholders
from kubewitness.detect.cases import Case, cases_path, parse_case_lists, parse_cases
from kubewitness.detect.linking import bases_of
from kubewitness.detect.lists import Lists, builtin_lists
from kubewitness.detect.pack import load_pack, rule_files
from kubewitness.detect.sigma import Documents, narrowed, parse_documents
from kubewitness.detect.wording import describe_correlation
from kubewitness.model.errors import RuleError, UsageError
from kubewitness.model.rule import RuleClass
from kubewitness.query.lower import lower
from kubewitness.query.predicate import And, Not, Operator, Or, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kubewitness.detect.rule import Filter, Key, Rule
    from kubewitness.model.rule import RuleInfo
    from kubewitness.query.fields import Field
    from kubewitness.query.predicate import Predicate

_BUILTIN = Path("rules")


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of rules and the cases beside it.

    Attributes:
        path: the file, as errors and reports name it.
        text: its text, empty when it cannot be read.
        rules: its rules, in order, narrowed by all filters; none when it cannot be loaded.
        filters: its filters.
        error: why it cannot be loaded.
        cases_path: file of the cases, as errors name it.
        cases_text: its text; None when there is none.
    """

    path: str
    text: str
    rules: tuple[Rule, ...]
    filters: tuple[Filter, ...]
    error: RuleError | None
    cases_path: str
    cases_text: str | None

    def cases(self) -> list[Case]:
        """The cases, in order.

        Raises:
            RuleError: the file of the cases is none.
        """
        return parse_cases(self.cases_text, self.cases_path) if self.cases_text is not None else []


@dataclass(frozen=True, slots=True)
class RulePage:
    """All there is to say of one rule.

    Attributes:
        rule: the rule.
        file: where it stands.
        matching: cases on which it alerts.
        passing: look-alikes on which it does not.
    """

    rule: Rule
    file: RuleFile
    matching: tuple[Case, ...]
    passing: tuple[Case, ...]


class IssueSeverity(StrEnum):
    """Whether a rule cannot be used, or is likely not to do what it seems to."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Issue:
    """Something wrong with a file of rules.

    Attributes:
        severity: how bad.
        code: kebab-case, the same for the same kind of issue.
        message: what is wrong.
        path: file.
        line: line in it, from 1; None when the file as a whole is meant.
        hint: what to do about it.
    """

    severity: IssueSeverity
    code: str
    message: str
    path: str
    line: int | None
    hint: str | None


def read_rule_files(folders: Sequence[Path] = (), *, builtin: bool = True) -> list[RuleFile]:
    """Read files of rules and their cases, also those that cannot be loaded.

    Args:
        folders: folders (searched through) or single files.
        builtin: whether the rules of this package come first.

    Raises:
        UsageError: there is no such folder or file.
    """
    found: list[RuleFile] = []
    if builtin:
        with as_file(files("kubewitness").joinpath("rules")) as folder:
            found += [_read(path, str(_BUILTIN / path.relative_to(folder))) for path in rule_files(folder)]
    for folder in folders:
        if not folder.exists():
            raise UsageError("no such folder or file", where=str(folder))
        found += [_read(path, str(path)) for path in rule_files(folder)]
    filters = [each for file in found for each in file.filters]
    return [replace(file, rules=tuple(narrowed(rule, filters) for rule in file.rules)) for file in found]


def _read(path: Path, shown: str) -> RuleFile:
    cases = cases_path(path)
    shown_cases = str(cases_path(Path(shown)))
    text = ""
    documents = Documents((), ())
    error: RuleError | None = None
    try:
        cases_text = cases.read_text(encoding="utf-8", errors="replace") if cases.exists() else None
    except OSError:
        cases_text = None
    try:
        text = path.read_text(encoding="utf-8")
        documents = parse_documents(text, shown, _lists(cases_text, shown_cases))
    except (OSError, UnicodeDecodeError) as reason:
        error = RuleError(f"cannot be read: {reason}", where=shown)
    except RuleError as reason:
        error = reason
    return RuleFile(shown, text, documents.rules, documents.filters, error, shown_cases, cases_text)


def _lists(cases_text: str | None, path: str) -> Lists:
    """The builtin lists, and in their place those that the cases give; a file that holds no cases gives none."""
    with suppress(RuleError):
        return builtin_lists().with_values(parse_case_lists(cases_text or "{}", path))
    return builtin_lists()


def list_rules(
    folders: Sequence[Path] = (), *, builtin: bool = True, classes: Iterable[RuleClass] = tuple(RuleClass)
) -> list[RuleInfo]:
    """The rules that alert, in the order of their files.

    Raises:
        RuleError: a rule cannot be loaded.
    """
    return [rule.info for rule in load_pack(folders, builtin=builtin, classes=classes).alerting]


def rule_fields(info: RuleInfo) -> dict[str, Any]:
    """A rule as `rules list --format json` shows it."""
    return {
        "id": info.id,
        "title": info.title,
        "severity": info.severity.value,
        "class": info.rule_class.value,
        "catalogue": list(info.catalogue),
        "techniques": list(info.techniques),
        "kind": info.kind.value,
    }


def show_rule(rule_id: str, folders: Sequence[Path] = ()) -> RulePage:
    """All there is to say of a rule; of several with this id, the one that a scan would run.

    Raises:
        UsageError: no rule has this id.
        RuleError: its cases cannot be loaded.
    """
    for file in reversed(read_rule_files(folders)):
        for rule in file.rules:
            if rule.info.id == rule_id:
                cases = [case for case in file.cases() if rule_of(case, file) is rule]
                return RulePage(
                    rule,
                    file,
                    tuple(case for case in cases if case.is_match),
                    tuple(case for case in cases if not case.is_match),
                )
    raise _no_such_rule(rule_id)


def rule_of(case: Case, file: RuleFile) -> Rule | None:
    """The rule a case is about: the one it names, else the one named like the file, else the first."""
    stem = Path(file.path).stem
    alerting = [rule for rule in file.rules if rule.alerts]
    wanted = case.rule_id or stem
    named = [rule for rule in alerting if rule.info.id == wanted]
    return next(iter(named if case.rule_id else [*named, *alerting]), None)


def _no_such_rule(rule_id: str) -> UsageError:
    return UsageError(f"there is no rule `{rule_id}`", hint="kubewitness rules list")


def rule_sql(rule_id: str, folders: Sequence[Path] = (), dialect: str = "duckdb") -> str:
    """What a rule asks of one event, as queries over `events`; comments say what is done with the rows.

    Functions whose names begin with `kw_` are this project's own.

    Args:
        rule_id: the rule.
        folders: where to look besides the builtin rules.
        dialect: SQLGlot's name of an SQL dialect.

    Raises:
        UsageError: no rule has this id.
        RuleError: a rule cannot be loaded.
    """
    rules = {rule.info.id: rule for rule in load_pack(folders).rules}
    rule = rules.get(rule_id)
    if rule is None:
        raise _no_such_rule(rule_id)
    bases = [rules[base] for base in rules if base in bases_of(rule_id, rules)] if rule.correlation else [rule]
    queries = [_query(base, dialect) for base in bases]
    return "\n".join((*remarks(rule), *queries))


def remarks(rule: Rule) -> Iterator[str]:
    """What a rule counts or remembers, as comments of SQL; nothing for a rule of single events."""
    if correlation := rule.correlation:
        yield f"-- alerts where {describe_correlation(correlation)} within {correlation.window_s} s"
        yield f"-- among rows with the same {_names(correlation.group_by)}"
    if first_seen := rule.first_seen:
        learning = f" and {first_seen.learning_s} s" if first_seen.learning_s else ""
        yield f"-- alerts where {_names(first_seen.fields)} is new after {first_seen.after} requests{learning}"
        yield f"-- among rows with the same {_names(first_seen.by)}"
    if rule.unfinished:
        yield "-- alerts where the log has no end of the request"


def _names(fields: Iterable[Field | Key]) -> str:
    return ", ".join(field.name for field in fields) or "log"


def _query(rule: Rule, dialect: str) -> str:
    if rule.predicate is None:
        return f"-- {rule.info.id} counts matches of other rules"
    condition = lower(rule.predicate).sql(dialect, pretty=True)
    return f"-- {rule.info.id}\nSELECT *\nFROM events\nWHERE\n" + "\n".join(
        f"  {line}" for line in condition.splitlines()
    )


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


def is_valid(issues: Iterable[Issue]) -> bool:
    """Whether none of the issues is an error."""
    return all(issue.severity is not IssueSeverity.ERROR for issue in issues)


def issue_fields(issue: Issue) -> dict[str, Any]:
    """An issue as `rules lint --format json` shows it."""
    return {name: getattr(issue, name) for name in ("severity", "code", "message", "path", "line", "hint")}


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
