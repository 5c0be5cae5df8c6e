"""Running the cases of rules through a scan: does every rule alert where it should, and nowhere else?

Besides the cases themselves, every matching case is run in other clothes (detect/mutations). All of it is read in
one scan. Each trial is written as the log of a cluster of its own, in the shape of Azure's storage export, so that
no trial counts, repeats or hides what another one shows.
"""

from __future__ import annotations

import json
import tempfile
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from kubewitness.app.rulebook.rules import RuleFile, read_rule_files, rule_of
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.detect.cases import FEWEST, Case
from kubewitness.detect.linking import bases_of, link_rules
from kubewitness.detect.mutations import EXEMPTIONS, Mutation, Variant, variants
from kubewitness.detect.pack import Pack
from kubewitness.detect.planning import build_plan
from kubewitness.model.errors import RuleError, UsageError
from kubewitness.model.rule import RuleKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kubewitness.detect.cases import Event
    from kubewitness.detect.rule import Rule

_RESOURCE_ID = (
    "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000000/RESOURCEGROUPS/CASES"
    "/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/CASE-"
)
_ENVELOPED, _PLAIN = "cases.ndjson", "plain.ndjson"


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong with a rule or one of its cases.

    Attributes:
        rule_id: the rule; None where a file could not be loaded.
        path: file to look at.
        case: what the case is about; None where no single case is meant.
        message: what is wrong.
        mutation: how the case was changed; None for the case itself.
        events: the events that were tried; none where no single case is meant.
    """

    rule_id: str | None
    path: str
    case: str | None
    message: str
    mutation: str | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the cases.

    Attributes:
        rules: number of rules that alert.
        cases: number of their cases.
        variants: number of changed cases that were tried besides.
        failures: what went wrong, in the order of files and cases.
    """

    rules: int
    cases: int
    variants: int
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class _Trial:
    rule: Rule
    case: Case
    variant: Variant | None = None

    @property
    def events(self) -> tuple[Event, ...]:
        return self.variant.events if self.variant else self.case.events

    @property
    def mutation(self) -> Mutation | None:
        return self.variant.mutation if self.variant else None

    @property
    def about(self) -> str:
        return self.variant.about if self.variant else ""

    @property
    def plain(self) -> bool:
        return bool(self.variant and self.variant.plain)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Whether the rule alerted; `unread` says why an event could not even be read."""

    trial: _Trial
    alerted: bool
    unread: str | None

    @property
    def is_right(self) -> bool:
        return self.unread is None and self.alerted == self.trial.case.is_match


def check_cases(folder: Path | None = None) -> Outcome:
    """Run the cases of the builtin rules, or of the rules of a folder or file.

    A rule fails when it does not alert on a case under `match` or on a variant of one from which it is not exempt,
    alerts on a case under `no_match`, has fewer than two of either, or is exempt from what it would pass.

    Raises:
        UsageError: there is no such folder, or no rule in it.
    """
    files = read_rule_files([folder] if folder else [], builtin=folder is None)
    if not files:
        raise UsageError("no rules found", where=str(folder), hint="rules are files that end in .yml or .yaml")
    known = _linked(files)
    failures: list[Failure] = []
    trials: list[_Trial] = []
    for file in files:
        try:
            cases = file.cases()
        except RuleError as error:
            failures.append(Failure(None, file.cases_path, None, _text(error)))
            continue
        failures += _count_failures(file, cases)
        trials += _trials(file, cases)
    failures += _failures(list(_run(trials, known)))
    position = {path: number for number, file in enumerate(files) for path in (file.path, file.cases_path)}
    failures.sort(key=lambda failure: position[failure.path])
    tried = sum(trial.variant is None for trial in trials)
    rules = sum(rule.alerts for file in files for rule in file.rules)
    return Outcome(rules, tried, len(trials) - tried, tuple(failures))


def outcome_fields(outcome: Outcome, *, events: bool = False) -> dict[str, Any]:
    """The outcome as `rules test --format json` shows it.

    Args:
        outcome: what became of the cases.
        events: whether to show the events that were tried.
    """
    names = ("rule_id", "path", "case", "mutation", "message", *(["events"] if events else []))
    return {
        "rules": outcome.rules,
        "cases": outcome.cases,
        "variants": outcome.variants,
        "failures": [{name: getattr(failure, name) for name in names} for failure in outcome.failures],
    }


def _linked(files: Sequence[RuleFile]) -> dict[str, Rule]:
    """The rules by their ids; what cannot be found keeps a file from being run, not the others."""
    known = {rule.info.id: rule for file in files for rule in file.rules}
    return {rule.info.id: rule for rule in link_rules(list(known.values()), whole=False)}


def _count_failures(file: RuleFile, cases: Sequence[Case]) -> Iterator[Failure]:
    """What is wrong with a file and its cases before any of them is run."""
    if file.error:
        yield Failure(None, file.path, None, _text(file.error))
        return
    meant = [(case, rule_of(case, file)) for case in cases]
    for case, rule in meant:
        if rule is None:
            yield Failure(case.rule_id, file.cases_path, case.about, "is about a rule that this file does not have")
    for rule in file.rules:
        for name in rule.info.exempt.keys() - EXEMPTIONS.keys():
            message = f"`exempt` names `{name}`, which is no mutation (hint: one of {', '.join(sorted(EXEMPTIONS))})"
            yield Failure(rule.info.id, file.path, None, message)
        if not rule.alerts:
            continue
        for kind, is_match in (("match", True), ("no_match", False)):
            count = sum(of is rule and case.is_match is is_match for case, of in meant)
            if count < FEWEST:
                message = f"has {count} of at least {FEWEST} cases under `{kind}`"
                yield Failure(rule.info.id, file.cases_path, None, message)


def _text(error: RuleError) -> str:
    return f"{error.message} (hint: {error.hint})" if error.hint else error.message


def _trials(file: RuleFile, cases: Sequence[Case]) -> Iterator[_Trial]:
    for case in cases:
        if rule := rule_of(case, file):
            yield _Trial(rule, case)
            for variant in variants(case) if case.is_match else ():
                # Plain events name no cluster, so several cases would be counted together.
                if not variant.plain or rule.info.kind is RuleKind.SINGLE:
                    yield _Trial(rule, case, variant)


def _failures(verdicts: Sequence[_Verdict]) -> Iterator[Failure]:
    by_case: dict[int, list[_Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_case[id(verdict.trial.case)].append(verdict)
    passed: dict[str, dict[Mutation, bool]] = defaultdict(dict)
    rules = {verdict.trial.rule.info.id: verdict.trial.rule for verdict in verdicts}
    broken: set[str] = set()
    for itself, *changed in by_case.values():
        rule = itself.trial.rule
        if not itself.is_right:  # what becomes of its variants says nothing
            broken.add(rule.info.id)
            yield _failure(itself.trial, itself.unread)
            continue
        for mutation in dict.fromkeys(verdict.trial.mutation for verdict in changed):
            wrong = [verdict for verdict in changed if verdict.trial.mutation is mutation and not verdict.is_right]
            if mutation:
                passed[rule.info.id][mutation] = not wrong and passed[rule.info.id].get(mutation, True)
            if wrong and not _is_exempt(rule, mutation):
                abouts = "; ".join(verdict.trial.about for verdict in wrong)
                yield _failure(wrong[0].trial, wrong[0].unread, abouts)
    for rule_id, rule in rules.items():
        if rule_id not in broken:
            yield from _idle_exemptions(rule, passed[rule_id])


def _failure(trial: _Trial, unread: str | None, about: str = "") -> Failure:
    if unread is not None:
        message = f"an event of the case cannot be read: {unread}"
    elif trial.case.is_match:
        message = "should alert, but does not" + (f": {about}" if about else "")
    else:
        message = "should not alert, but does"
    mutation = trial.mutation.value if trial.mutation else None
    return Failure(trial.rule.info.id, trial.case.path, trial.case.about, message, mutation, trial.events)


def _is_exempt(rule: Rule, mutation: Mutation | None) -> bool:
    return any(mutation in EXEMPTIONS.get(name, ()) for name in rule.info.exempt)


def _idle_exemptions(rule: Rule, passed: Mapping[Mutation, bool]) -> Iterator[Failure]:
    """Exemptions that the rule does not need, or needs only in part.

    Args:
        rule: the rule.
        passed: mutations that apply to its cases, and whether it alerted on all their variants.
    """
    for name in rule.info.exempt:
        applying = [mutation for mutation in EXEMPTIONS.get(name, ()) if mutation in passed]
        needed = [mutation.value for mutation in applying if not passed[mutation]]
        if name not in EXEMPTIONS or (needed and len(needed) == len(applying)):
            continue
        if needed:
            message = f"is exempt from `{name}`, but needs only {' and '.join(f'`{each}`' for each in needed)}"
        else:
            message = f"is exempt from `{name}`, but no case needs that"
        yield Failure(rule.info.id, rule.info.path, None, message)


def _run(trials: Sequence[_Trial], known: Mapping[str, Rule]) -> Iterator[_Verdict]:
    together = [trial for trial in trials if _keeps_to_its_cluster(trial.rule)]
    yield from _run_together(together, known)
    for trial in trials:
        if not _keeps_to_its_cluster(trial.rule):
            yield from _run_together([trial], known)


def _keeps_to_its_cluster(rule: Rule) -> bool:
    """Whether what a rule counts never crosses clusters."""
    if rule.correlation:
        return any(key.name == "cluster" for key in rule.correlation.group_by)
    return not rule.first_seen or any(field.column.name == "cluster" for field in rule.first_seen.by)


def _run_together(trials: Sequence[_Trial], known: Mapping[str, Rule]) -> Iterator[_Verdict]:
    if not trials:
        return
    wanted = {trial.rule.info.id for trial in trials}
    wanted |= {base for trial in trials for base in bases_of(trial.rule.info.id, known)}
    pack = Pack(tuple(rule for rule_id, rule in known.items() if rule_id in wanted))
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        logs = {
            name: _Log(Path(folder) / name, [trial for trial in trials if trial.plain is plain])
            for name, plain in ((_ENVELOPED, False), (_PLAIN, True))
        }
        written = [log.write() for log in logs.values() if log.trials]
        report = scan(written, build_plan(pack), ScanOptions(matches=True, alerts=False))
    alerted = {(logs[Path(match.source).name].trial(match.line), match.rule_id) for match in report.matches}
    unread: dict[int, str] = {}
    for rejection in report.ledger.rejections:
        origin = rejection.origin
        unread.setdefault(logs[Path(origin.source).name].trial(origin.line), rejection.reason)
    for trial in trials:
        yield _Verdict(trial, (id(trial), trial.rule.info.id) in alerted, unread.get(id(trial)))


class _Log:
    """A file of trials, one event a line."""

    def __init__(self, path: Path, trials: Sequence[_Trial]) -> None:
        self._path = path
        self.trials = trials
        self._first_lines = list(accumulate((len(trial.events) for trial in trials), initial=1))

    def write(self) -> str:
        """Write it; gives its path."""
        with self._path.open("w", encoding="utf-8") as out:
            for number, trial in enumerate(self.trials):
                line = _plain_line if trial.plain else _record
                out.writelines(line(event, number) for event in trial.events)
        return str(self._path)

    def trial(self, line: int | None) -> int:
        """Identity of the trial of which a line is an event."""
        return id(self.trials[bisect_right(self._first_lines, line or 0) - 1])


def _record(event: Mapping[str, object], number: int) -> str:
    """The event as one line of a storage export of the case's own cluster."""
    record = {
        "time": event.get("requestReceivedTimestamp"),
        "category": "kube-audit",
        "resourceId": f"{_RESOURCE_ID}{number}",
        "properties": {"log": json.dumps(event) + "\n"},
    }
    return json.dumps(record) + "\n"


def _plain_line(event: Mapping[str, object], number: int) -> str:
    """The event as a line of its own, with an Audit-ID that no other case has."""
    audit_id = event.get("auditID")
    own = {"auditID": str(uuid5(NAMESPACE_URL, f"{number} {audit_id}"))} if audit_id else {}
    return json.dumps({**event, **own}) + "\n"
