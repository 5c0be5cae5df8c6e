"""Use cases of policies and detections: what a log could show, what a change of policy costs, what policy to take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubewitness.app.caching import digest_of, name_of, program_state, recall
from kubewitness.app.caching import keep as keep_for_later
from kubewitness.app.policies.evaluation import load
from kubewitness.app.policies.simulate import simulate
from kubewitness.detect.pack import load_pack
from kubewitness.detect.rule import CorrelationKind
from kubewitness.model.errors import UsageError
from kubewitness.model.rule import RuleClass
from kubewitness.policy.advise import USUAL_NOISE, Advice, advise, noise_of
from kubewitness.policy.comparison import Change, compare
from kubewitness.policy.coverage import Coverage, Gap, Recording, Verdict, coverage
from kubewitness.policy.recordings import PREFIX, find_recording, recordings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kubewitness.detect.rule import Rule
    from kubewitness.model.rule import RuleInfo
    from kubewitness.policy.evaluate import Decision
    from kubewitness.policy.model import Policy
    from kubewitness.query.predicate import Predicate

_KEPT_RECORDINGS = 20
_ALL_NEEDED = frozenset({CorrelationKind.TEMPORAL, CorrelationKind.ORDERED})


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """Whether a log could show what a rule looks for.

    Attributes:
        rule: the rule.
        coverage: of its predicate, or of those of its base rules together.
    """

    rule: RuleInfo
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class Comparison:
    """What another policy would change.

    Attributes:
        changes: requests that are recorded in another way.
        lost: rules that would be shown no longer, or less, with their old and new verdict.
        won: rules that would be shown now, or more.
    """

    changes: tuple[Change, ...]
    lost: tuple[tuple[RuleInfo, Verdict, Verdict], ...]
    won: tuple[tuple[RuleInfo, Verdict, Verdict], ...]


@dataclass(frozen=True, slots=True)
class Advised:
    """A policy that was advised, and the proof that it does what was asked.

    Attributes:
        advice: the policy and its reasons.
        coverage: of the chosen rules under it.
    """

    advice: Advice
    coverage: tuple[RuleCoverage, ...]


def load_recording(path: Path) -> Recording:
    """What gets into a log: of a policy in a file, or of `builtin:NAME`.

    Raises:
        UsageError: it cannot be read, or there is no such builtin.
        PolicyError: kube-apiserver would not load it.
    """
    name = str(path)
    if name.startswith(PREFIX):
        return find_recording(name)
    return Recording(load(path), title=name)


def cover(
    recording: Recording,
    folders: Sequence[Path] = (),
    *,
    builtin: bool = True,
    classes: Iterable[RuleClass] = tuple(RuleClass),
) -> list[RuleCoverage]:
    """Whether a log of this recording could show what the rules look for, in the order of the pack.

    Raises:
        RuleError: a rule cannot be loaded.
    """
    return _cover(recording, load_pack(folders, builtin=builtin, classes=classes).rules)


class _Answers:
    """What a recording shows of predicates; kept between runs, because hundreds of them take some seconds."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        made_by = program_state("facts", "model", "policy", "query")
        lost = sorted(recording.dropped_verbs), sorted(recording.absent_columns)
        self._name = name_of("coverage", made_by, recording.policy, lost)
        self._found = recall(self._name, dict[str, Coverage]) or {}
        self._is_new = False

    def of(self, predicate: Predicate) -> Coverage:
        name = digest_of(predicate)
        if name not in self._found:
            self._found[name] = coverage(predicate, self._recording)
            self._is_new = True
        return self._found[name]

    def keep(self) -> None:
        if self._is_new:
            keep_for_later(self._name, self._found, most=_KEPT_RECORDINGS)


def _cover(recording: Recording, rules: Sequence[Rule]) -> list[RuleCoverage]:
    known: dict[str, Coverage] = {}
    by_id = {rule.info.id: rule for rule in rules}
    answers = _Answers(recording)
    for rule in rules:
        _cover_rule(rule, answers, by_id, known)
    answers.keep()
    return [RuleCoverage(rule.info, known[rule.info.id]) for rule in rules if rule.alerts]


def _cover_rule(rule: Rule, answers: _Answers, by_id: dict[str, Rule], known: dict[str, Coverage]) -> Coverage:
    """Coverage of a rule and, first, of the rules it looks at; they are no circle."""
    if rule.info.id not in known:
        if rule.predicate is not None:
            known[rule.info.id] = answers.of(rule.predicate)
        else:
            bases = rule.correlation.rules if rule.correlation else ()
            parts = [_cover_rule(by_id[base], answers, by_id, known) for base in bases]
            needs_all = rule.correlation is not None and rule.correlation.kind in _ALL_NEEDED
            known[rule.info.id] = _together(parts, needs_all=needs_all)
    return known[rule.info.id]


def _together(parts: Sequence[Coverage], *, needs_all: bool) -> Coverage:
    verdicts = {part.verdict for part in parts}
    gaps = tuple(dict.fromkeys(gap for part in parts for gap in part.gaps))
    seen = tuple(dict.fromkeys(index for part in parts for index in part.seen_by))
    if not verdicts or verdicts == {Verdict.BLIND} or (needs_all and Verdict.BLIND in verdicts):
        return Coverage(Verdict.BLIND, gaps, seen)
    return Coverage(Verdict.COVERED if verdicts == {Verdict.COVERED} else Verdict.PARTLY, gaps, seen)


def compare_recordings(old: Recording, new: Recording, folders: Sequence[Path] = ()) -> Comparison:
    """What changes when the new recording takes the place of the old one.

    Raises:
        RuleError: a rule cannot be loaded.
    """
    pairs = list(zip(cover(old, folders), cover(new, folders), strict=True))
    changed = [
        (before.rule, before.coverage.verdict, after.coverage.verdict)
        for before, after in pairs
        if before.coverage.verdict is not after.coverage.verdict
    ]
    rank = {Verdict.BLIND: 0, Verdict.PARTLY: 1, Verdict.COVERED: 2}
    return Comparison(
        tuple(compare(old.policy, new.policy)),
        tuple(item for item in changed if rank[item[2]] < rank[item[1]]),
        tuple(item for item in changed if rank[item[2]] > rank[item[1]]),
    )


def advise_policy(
    folders: Sequence[Path] = (),
    *,
    builtin: bool = True,
    classes: Iterable[RuleClass] = (RuleClass.CORE,),
    keep: Sequence[str] = (),
    paths: Sequence[str] = (),
) -> Advised:
    """The smallest policy under which the chosen rules could be shown, and the proof.

    With a log, what fills it most under that policy is left out where no chosen rule could be about it.

    Args:
        folders: folders or files of rules.
        builtin: whether the builtin rules count.
        classes: noise classes of rules.
        keep: ids, or catalogue ids, of the only rules to keep; all when empty.
        paths: logs in which to look for what fills them.

    Raises:
        RuleError: a rule cannot be loaded.
        UsageError: no rule has a wanted id.
        UnreadableError: nothing of the paths could be read.
    """
    rules = _chosen(load_pack(folders, builtin=builtin, classes=classes).rules, keep)
    detections: dict[str, Predicate] = {rule.info.id: rule.predicate for rule in rules if rule.predicate is not None}
    advice = advise(detections, USUAL_NOISE)
    if paths:
        found = simulate(advice.policy, paths).clients
        advice = advise(detections, (*USUAL_NOISE, *noise_of(found)))
    return Advised(advice, tuple(_cover(Recording(advice.policy), rules)))


def _chosen(rules: Sequence[Rule], keep: Sequence[str]) -> list[Rule]:
    if not keep:
        return list(rules)
    wanted = {name.casefold() for name in keep}
    found: dict[str, Rule] = {}
    by_id = {rule.info.id: rule for rule in rules}
    waiting = [rule for rule in rules if wanted & {rule.info.id.casefold(), *map(str.casefold, rule.info.catalogue)}]
    named = {name.casefold() for rule in waiting for name in (rule.info.id, *rule.info.catalogue)}
    if unknown := [name for name in keep if name.casefold() not in named]:
        raise UsageError(f"no rule has the id `{unknown[0]}`", hint="kubewitness rules list")
    while waiting:
        rule = waiting.pop()
        found[rule.info.id] = rule
        waiting += [by_id[base] for base in (rule.correlation.rules if rule.correlation else ()) if base not in found]
    return [rule for rule in rules if rule.info.id in found]


def coverage_fields(item: RuleCoverage) -> dict[str, Any]:
    """The coverage of a rule as JSON has it."""
    return {
        "rule_id": item.rule.id,
        "title": item.rule.title,
        "severity": item.rule.severity.value,
        "class": item.rule.rule_class.value,
        "catalogue": list(item.rule.catalogue),
        "verdict": item.coverage.verdict.value,
        "recorded_by": list(item.coverage.seen_by),
        "gaps": [_gap_fields(gap) for gap in item.coverage.gaps],
    }


def comparison_fields(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON has it."""

    def moved(items: Iterable[tuple[RuleInfo, Verdict, Verdict]]) -> list[dict[str, str]]:
        return [{"rule_id": rule.id, "old": old.value, "new": new.value} for rule, old, new in items]

    return {
        "changes": [
            {
                "old": _decision_fields(change.old),
                "new": _decision_fields(change.new),
                "where": dict(change.where),
            }
            for change in comparison.changes
        ],
        "detections_lost": moved(comparison.lost),
        "detections_won": moved(comparison.won),
    }


def _decision_fields(decision: Decision) -> dict[str, Any]:
    return {
        "rule": decision.rule,
        "level": decision.level.value,
        "omit_stages": sorted(decision.omit_stages),
        "omit_managed_fields": decision.omit_managed_fields,
    }


def _gap_fields(gap: Gap) -> dict[str, Any]:
    return {
        "cause": gap.cause.value,
        "policy_rule": gap.rule,
        "level": gap.level.value,
        "needed_level": gap.needed.value if gap.needed else None,
        "where": dict(gap.where),
    }


def gap_text(gap: Gap, policy: Policy) -> str:
    """What a log would not show and why, in words."""
    where = "; ".join(f"{_DIMENSIONS.get(name, name)} {value}" for name, value in gap.where) or "all of it"
    rule = "no rule matches" if gap.rule is None else f"rule {gap.rule}"
    line = "" if gap.rule is None else _line(policy, gap.rule)
    reason = _REASONS[gap.cause].format(level=gap.level.value, needed=gap.needed.value if gap.needed else "")
    return f"{where}: {reason} ({rule}{line})"


def _line(policy: Policy, rule: int) -> str:
    mark = policy.places.find(f"rules[{rule}]")
    return f", line {mark.line}" if mark else ""


_DIMENSIONS = {
    "verb": "verbs",
    "username": "users",
    "groups": "user groups",
    "group": "API groups",
    "resource": "resources",
    "subresource": "subresources",
    "namespace": "namespaces",
    "name": "names",
    "path": "paths",
}
_REASONS = {
    "not_recorded": "not recorded",
    "stage_omitted": "the stage that shows it is omitted",
    "level_too_low": "recorded at {level}, needs {needed}",
    "level_too_low_for_some": "recorded at {level}, some of it needs {needed}",
    "verb_dropped": "left out on the way to this log",
    "column_absent": "this log has no column for it",
}


def summary(items: Sequence[RuleCoverage]) -> dict[str, int]:
    """How many rules have each verdict."""
    return {verdict.value: sum(item.coverage.verdict is verdict for item in items) for verdict in Verdict}


def builtin_names() -> list[tuple[str, Recording]]:
    """Names and recordings that can be named as `builtin:NAME`."""
    return list(recordings().items())
