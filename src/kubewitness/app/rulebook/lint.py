"""What is wrong with rules: what cannot be loaded, can never match, says the same as another, lacks something."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from kubewitness.alert.explain import unknown_placeholders
from kubewitness.app.rulebook.rules import RuleFile, read_rule_files, rule_of
from kubewitness.detect.cases import FEWEST
from kubewitness.detect.checks import Neighbours, check_rule, names_of
from kubewitness.detect.linking import link_rules
from kubewitness.detect.lists import load_lists, named_lists
from kubewitness.detect.places import Place, Places
from kubewitness.detect.sigma import parse_documents
from kubewitness.model.errors import RuleError, UsageError
from kubewitness.model.issue import Issue, IssueSeverity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from kubewitness.detect.lists import Lists
    from kubewitness.detect.rule import Rule

WARNING = IssueSeverity.WARNING

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Stands for the values of a list that has none yet: an address, so that it may stand where a network does.
_SOME_VALUE = "203.0.113.1"


@dataclass(frozen=True, slots=True)
class _Source:
    """A file that is checked: its rules as if no list were empty, and where things stand in it."""

    file: RuleFile
    rules: tuple[Rule, ...]
    places: Places
    lists: tuple[str, ...]


def lint_rules(folder: Path | None = None, lists: Sequence[Path] = ()) -> list[Issue]:
    """What is wrong with the rules of a folder or file, in the order of the files.

    Args:
        folder: rules to check; the builtin ones when None.
        lists: lists that they may name, besides the builtin ones.

    Raises:
        UsageError: there is no such folder, or no rule in it.
        ListError: a list cannot be loaded.
    """
    files = read_rule_files([folder] if folder else [], builtin=folder is None)
    if not files:
        raise UsageError("no rules found", where=str(folder), hint="rules are files that end in .yml or .yaml")
    known_lists = load_lists(lists)
    sources = [_source(file, known_lists) for file in files]
    own = {rule.info.id: rule for source in sources for rule in source.rules}
    builtin = read_rule_files() if folder else files
    known = {rule.info.id: rule for file in builtin for rule in file.rules} | own
    links = _links(own, known)
    neighbours = Neighbours(known.values())
    taken: dict[str, str] = {}
    issues: list[Issue] = []
    for source in sources:
        issues += _check_file(source, taken, known_lists)
        for rule in source.rules:
            if error := links.get(rule.info.id):
                issues.append(_issue(source, "not-loaded", error.message, error.hint, place=_quoted(source, error)))
            issues += _check_placeholders(source, rule)
            issues += check_rule(rule, source.places, known)
            issues += neighbours.check(rule, source.places)
        issues += _check_filters(source, known)
        issues += _check_cases(source)
    return issues


def _source(file: RuleFile, lists: Lists) -> _Source:
    names: list[str] = []
    with suppress(yaml.YAMLError, RecursionError):  # the latter where a document holds itself: it was refused already
        names = sorted(set(named_lists(list(yaml.load_all(file.text, Loader=_LOADER)))))
    rules = file.rules
    if names and not file.error:
        filled = lists.with_values({name: [_SOME_VALUE] for name in names if not lists.values(name)})
        with suppress(RuleError):
            rules = parse_documents(file.text, file.path, filled).rules
    return _Source(file, rules, Places(file.text), tuple(names))


def _links(own: Mapping[str, Rule], known: Mapping[str, Rule]) -> dict[str, RuleError]:
    """Correlations whose base rules are not what they should be, by id."""
    errors: dict[str, RuleError] = {}
    for rule in own.values():
        if rule.correlation:
            bases = [each for each in known.values() if not each.correlation or each is rule]
            try:
                link_rules([*bases, *_correlations_below(rule, known)])
            except RuleError as error:
                errors[rule.info.id] = error
    return errors


def _correlations_below(rule: Rule, known: Mapping[str, Rule]) -> list[Rule]:
    found: dict[str, Rule] = {}
    waiting = [rule]
    names = {each.info.uuid: each for each in known.values()} | dict(known)
    while waiting:
        here = waiting.pop()
        for reference in here.correlation.rules if here.correlation else ():
            base = names.get(reference) or names.get(reference.replace("_", "-"))
            if base and base.correlation and base is not rule and base.info.id not in found:
                found[base.info.id] = base
                waiting.append(base)
    return list(found.values())


# One file.


def _check_file(source: _Source, taken: dict[str, str], lists: Lists) -> Iterator[Issue]:
    file = source.file
    if file.error:
        yield _issue(source, "not-loaded", file.error.message, file.error.hint, place=_quoted(source, file.error))
    elif not file.rules and not file.filters:
        yield _issue(source, "no-rule", "the file holds no rule", None)
    for rule_id in (*(rule.info.id for rule in file.rules), *(each.id for each in file.filters)):
        if rule_id in taken:
            message = f"id `{rule_id}` is already taken by {taken[rule_id]}"
            place = source.places.key([rule_id], "name")
            yield _issue(source, "id-taken", message, "give each rule a `name` of its own", place=place)
        taken.setdefault(rule_id, file.path)
    for name in source.lists:
        if name not in lists.by_name:
            message, hint = f"there is no list `{name}`, so a test of it never holds", "give it with --lists"
            place = source.places.message(f"`%{name}%`")
            yield _issue(source, "list-unknown", message, hint, severity=IssueSeverity.INFO, place=place)


def _check_cases(source: _Source) -> Iterator[Issue]:
    file = source.file
    try:
        cases = file.cases()
    except RuleError as error:
        yield Issue(IssueSeverity.ERROR, "cases-not-loaded", error.message, file.cases_path, None, error.hint)
        return
    for rule in file.rules:
        if not rule.alerts:
            continue
        own = [case for case in cases if rule_of(case, file) is rule]
        count = {"match": sum(case.is_match for case in own), "no_match": sum(not case.is_match for case in own)}
        few = [f"{number} of at least {FEWEST} under `{name}`" for name, number in count.items() if number < FEWEST]
        if few:
            hint = f"write them into {file.cases_path} and run `kubewitness rules test`"
            place = source.places.key([rule.info.id, rule.info.title], "title")
            yield _issue(
                source, "cases-missing", f"it has cases: {', '.join(few)}", hint, severity=WARNING, place=place
            )


def _check_filters(source: _Source, known: Mapping[str, Rule]) -> Iterator[Issue]:
    for each in source.file.filters:
        if not any(each.is_for(rule) for rule in known.values()):
            message = "the filter is for no rule that is loaded"
            hint = "`rules` names rules by name, file name or UUID; the log source must be theirs, or wider"
            place = source.places.key([each.id, each.title], "filter")
            yield _issue(source, "filter-unused", message, hint, severity=WARNING, place=place)


def _check_placeholders(source: _Source, rule: Rule) -> Iterator[Issue]:
    for name in sorted(unknown_placeholders(rule.info.explain or "")):
        message = f"`explain` names `{name}`, which no event has"
        hint = "use columns of the events table, {object}, {count} ..."
        place = source.places.key(names_of(rule), "explain")
        yield _issue(source, "placeholder-unknown", message, hint, place=place)


def _quoted(source: _Source, error: RuleError) -> Place | None:
    """Where what an error quotes stands."""
    return source.places.message(error.message)


def _issue(
    source: _Source,
    code: str,
    message: str,
    hint: str | None,
    *,
    severity: IssueSeverity = IssueSeverity.ERROR,
    place: Place | None = None,
) -> Issue:
    line, column = (place.line, place.column) if place else (None, None)
    return Issue(severity, code, message, source.file.path, line, hint, column)
