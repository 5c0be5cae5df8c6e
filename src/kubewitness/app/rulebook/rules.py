"""Rules as people handle them: files of them, a list, one by itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.detect.cases import Case, cases_path, parse_case_lists, parse_cases
from kubewitness.detect.lists import Lists, builtin_lists
from kubewitness.detect.pack import load_pack, rule_files
from kubewitness.detect.sigma import Documents, narrowed, parse_documents
from kubewitness.model.errors import RuleError, UsageError
from kubewitness.model.rule import RuleClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.detect.rule import Filter, Rule
    from kubewitness.model.rule import RuleInfo

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
            raise UsageError("no such folder or file", where=str(folder), hint="name a folder of rules, or one of them")
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
        "confidence": info.confidence.value,
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
    raise no_such_rule(rule_id)


def rule_of(case: Case, file: RuleFile) -> Rule | None:
    """The rule a case is about: the one it names, else the one named like the file, else the first."""
    stem = Path(file.path).stem
    alerting = [rule for rule in file.rules if rule.alerts]
    wanted = case.rule_id or stem
    named = [rule for rule in alerting if rule.info.id == wanted]
    return next(iter(named if case.rule_id else [*named, *alerting]), None)


def no_such_rule(rule_id: str) -> UsageError:
    """The error that says so."""
    return UsageError(f"there is no rule `{rule_id}`", hint="kubewitness rules list")
