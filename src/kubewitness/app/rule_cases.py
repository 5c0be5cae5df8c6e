"""Running the cases of rules through a scan: does every rule alert where it should, and nowhere else?

All cases of all rules are read in one scan. Each case is written as the log of a cluster of its own, in the
shape of Azure's storage export, so that no case counts, repeats or hides what another one shows.
"""

from __future__ import annotations

import json
import tempfile
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.app.rules import RuleFile, read_rule_files, rule_of
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.detect.cases import FEWEST, Case
from kubewitness.detect.pack import Pack
from kubewitness.detect.planning import build_plan
from kubewitness.model.errors import RuleError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kubewitness.detect.rule import Rule

_RESOURCE_ID = (
    "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000000/RESOURCEGROUPS/CASES"
    "/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/CASE-"
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong with a rule or one of its cases.

    Attributes:
        rule_id: the rule; None where a file could not be loaded.
        path: file to look at.
        case: what the case is about; None where no single case is meant.
        message: what is wrong.
    """

    rule_id: str | None
    path: str
    case: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the cases.

    Attributes:
        rules: number of rules that alert.
        cases: number of their cases.
        failures: what went wrong, in the order of files and cases.
    """

    rules: int
    cases: int
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class _Trial:
    rule: Rule
    case: Case


def check_cases(folder: Path | None = None) -> Outcome:
    """Run the cases of the builtin rules, or of the rules of a folder or file.

    A rule fails when it does not alert on a case under `match`, alerts on one under `no_match`, or has fewer
    than two of either.

    Raises:
        UsageError: there is no such folder, or no rule in it.
    """
    files = read_rule_files([folder] if folder else [], builtin=folder is None)
    if not files:
        raise UsageError("no rules found", where=str(folder), hint="rules are files that end in .yml or .yaml")
    known = {rule.info.id: rule for file in files for rule in file.rules}
    failures: list[Failure] = []
    trials: list[_Trial] = []
    for file in files:
        failures += _count_failures(file)
        trials += _trials(file)
    failures += _run(trials, known)
    position = {path: number for number, file in enumerate(files) for path in (file.path, file.cases_path)}
    failures.sort(key=lambda failure: position[failure.path])
    return Outcome(sum(rule.alerts for file in files for rule in file.rules), len(trials), tuple(failures))


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """The outcome as `rules test --format json` shows it."""
    failures = [
        {"rule_id": failure.rule_id, "path": failure.path, "case": failure.case, "message": failure.message}
        for failure in outcome.failures
    ]
    return {"rules": outcome.rules, "cases": outcome.cases, "failures": failures}


def _bases(rule: Rule) -> set[str]:
    return set(rule.correlation.rules) if rule.correlation else set()


def _count_failures(file: RuleFile) -> Iterator[Failure]:
    """What is wrong with a file and its cases before any of them is run."""
    if file.error:
        yield Failure(None, file.path, None, _text(file.error))
        return
    try:
        cases = file.cases()
    except RuleError as error:
        yield Failure(None, file.cases_path, None, _text(error))
        return
    meant = [(case, rule_of(case, file)) for case in cases]
    for case, rule in meant:
        if rule is None:
            yield Failure(case.rule_id, file.cases_path, case.about, "is about a rule that this file does not have")
    for rule in file.rules:
        if not rule.alerts:
            continue
        for kind, is_match in (("match", True), ("no_match", False)):
            count = sum(of is rule and case.is_match is is_match for case, of in meant)
            if count < FEWEST:
                message = f"has {count} of at least {FEWEST} cases under `{kind}`"
                yield Failure(rule.info.id, file.cases_path, None, message)


def _text(error: RuleError) -> str:
    return f"{error.message} (hint: {error.hint})" if error.hint else error.message


def _trials(file: RuleFile) -> Iterator[_Trial]:
    try:
        cases = file.cases()
    except RuleError:
        return
    for case in cases:
        if rule := rule_of(case, file):
            yield _Trial(rule, case)


def _run(trials: Sequence[_Trial], known: Mapping[str, Rule]) -> Iterator[Failure]:
    together = [trial for trial in trials if _keeps_to_its_cluster(trial.rule)]
    yield from _run_together(together, known)
    for trial in trials:
        if not _keeps_to_its_cluster(trial.rule):
            yield from _run_together([trial], known)


def _keeps_to_its_cluster(rule: Rule) -> bool:
    """Whether what a rule counts never crosses clusters."""
    fields = rule.correlation.group_by if rule.correlation else rule.first_seen.by if rule.first_seen else None
    return fields is None or any(field.column.name == "cluster" for field in fields)


def _run_together(trials: Sequence[_Trial], known: Mapping[str, Rule]) -> Iterator[Failure]:
    if not trials:
        return
    wanted = {trial.rule.info.id for trial in trials}
    wanted |= {base for trial in trials for base in _bases(trial.rule)}
    pack = Pack(tuple(rule for rule_id, rule in known.items() if rule_id in wanted))
    first_lines = list(accumulate((len(trial.case.events) for trial in trials), initial=1))
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        log = Path(folder) / "cases.ndjson"
        with log.open("w", encoding="utf-8") as out:
            for number, trial in enumerate(trials):
                out.writelines(_record(event, number) for event in trial.case.events)
        report = scan([str(log)], build_plan(pack), ScanOptions(matches=True))
    alerted = {(bisect_right(first_lines, match.line or 0) - 1, match.rule_id) for match in report.matches}
    unread: dict[int, str] = {}
    for rejection in report.ledger.rejections:
        unread.setdefault(bisect_right(first_lines, rejection.origin.line or 0) - 1, rejection.reason)
    for number, trial in enumerate(trials):
        case, rule_id = trial.case, trial.rule.info.id
        if number in unread:
            yield Failure(rule_id, case.path, case.about, f"an event of the case cannot be read: {unread[number]}")
        elif case.is_match != ((number, rule_id) in alerted):
            message = "should alert, but does not" if case.is_match else "should not alert, but does"
            yield Failure(rule_id, case.path, case.about, message)


def _record(event: Mapping[str, object], number: int) -> str:
    """The event as one line of a storage export of the case's own cluster."""
    record = {
        "time": event.get("requestReceivedTimestamp"),
        "category": "kube-audit",
        "resourceId": f"{_RESOURCE_ID}{number}",
        "properties": {"log": json.dumps(event) + "\n"},
    }
    return json.dumps(record) + "\n"
