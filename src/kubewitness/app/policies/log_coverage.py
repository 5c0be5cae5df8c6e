"""Use case: what a log could not have shown, judged by what is recorded in it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kubewitness.app.policies.coverage import RuleCoverage, cover
from kubewitness.app.reading import Reading, Target, read_sources
from kubewitness.facts import macros
from kubewitness.model.errors import UnreadableError
from kubewitness.model.recording import Level, Stage
from kubewitness.policy.bulk import asked_floors, deciding_rule
from kubewitness.policy.coverage import Recording
from kubewitness.policy.evaluate import decision_of
from kubewitness.policy.model import GroupResources, Policy, PolicyRule
from kubewitness.policy.recordings import recordings
from kubewitness.query.engine import Engine
from kubewitness.query.reading import OUTCOME

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.model.rule import RuleClass

_FITS = 0.999
_KEYS = "asked_verb, asked_api_group, asked_combined_resource, is_resource_request, level, stage"
_SHARED = """
-- One row per verb, API group, resource, level, stage and rule of each policy: how many events are so.
SELECT {keys}, {rules}, count(*) AS events, bool_or(impersonated) AS impersonated
FROM recorded
WHERE outcome = 1 AND level IS NOT NULL
GROUP BY ALL
"""


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a well-known recording agrees with a log.

    Attributes:
        name: of the recording.
        recording: itself.
        share: of events whose level and stage are what it says.
    """

    name: str
    recording: Recording
    share: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What a log holds of one resource.

    Attributes:
        resource: with its subresource and API group, such as `pods/exec` or `deployments.apps`.
        verbs: verbs and the highest level of each.
    """

    resource: str
    verbs: tuple[tuple[str, Level], ...]


@dataclass(frozen=True, slots=True)
class LogCoverage:
    """What a log could not have shown.

    Attributes:
        events: whole events that say their level.
        fits: well-known recordings, best first.
        recording: what the log is taken for: the best fit, or what is seen in it where none fits.
        is_inferred: whether no well-known recording fits.
        stages: stages that occur, and how often.
        levels: levels that occur, and how often.
        seen: per resource, most events first.
        rules: whether such a log could show what each rule looks for.
        read: all records.
    """

    events: int
    fits: tuple[Fit, ...]
    recording: Recording
    is_inferred: bool
    stages: tuple[tuple[str, int], ...]
    levels: tuple[tuple[str, int], ...]
    seen: tuple[Seen, ...]
    rules: tuple[RuleCoverage, ...]
    read: int


@dataclass(frozen=True, slots=True)
class _Row:
    verb: str
    group: str
    resource: str
    is_resource: bool
    level: str
    stage: str | None
    rules: tuple[int | None, ...]
    events: int
    impersonated: bool


def coverage_of_log(
    paths: Sequence[str], folders: Sequence[Path] = (), *, builtin: bool = True, classes: Iterable[RuleClass]
) -> LogCoverage:
    """Find out what is recorded in a log, and what such a log could not show.

    Args:
        paths: files, directories, globs, `-` for standard input.
        folders: folders or files of rules.
        builtin: whether the builtin rules are asked for.
        classes: noise classes of rules.

    Raises:
        UnreadableError: nothing of the paths could be read, or no event in it says its level.
        RuleError: a rule cannot be loaded.
    """
    policies = list(dict.fromkeys(recording.policy for recording in recordings().values()))
    rows, reading = _read(paths, policies)
    if not rows:
        raise UnreadableError("no event says at which level it was recorded", hint="name audit logs")
    fits = _fits(rows, policies)
    is_inferred = fits[0].share < _FITS
    recording = _inferred(rows) if is_inferred else fits[0].recording
    return LogCoverage(
        events=sum(row.events for row in rows),
        fits=tuple(fits),
        recording=recording,
        is_inferred=is_inferred,
        stages=_counts((row.stage or "none", row.events) for row in rows),
        levels=_counts((row.level, row.events) for row in rows),
        seen=tuple(_seen(rows)),
        rules=tuple(cover(recording, folders, builtin=builtin, classes=classes)),
        read=reading,
    )


def _read(paths: Sequence[str], policies: Sequence[Policy]) -> tuple[list[_Row], int]:
    rules = [f"{deciding_rule(policy).sql('duckdb')} AS rule_{index}" for index, policy in enumerate(policies)]
    select = f"""
    SELECT
        source_id, record_line,
        {OUTCOME}
            AS outcome,
        {_KEYS}, impersonated_username IS NOT NULL AS impersonated, {", ".join(rules)}
    FROM asked
    """  # noqa: S608 - names of columns and expressions of policies
    columns = ", ".join(f"rule_{index}" for index in range(len(policies)))
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        engine = Engine(Path(folder))
        try:
            engine.run(macros())
            engine.run(
                "CREATE TABLE recorded (source_id INTEGER, record_line BIGINT, outcome TINYINT, asked_verb VARCHAR,"
                " asked_api_group VARCHAR, asked_combined_resource VARCHAR, is_resource_request BOOLEAN, level VARCHAR,"
                " stage VARCHAR, impersonated BOOLEAN, "
                + ", ".join(f"rule_{index} INTEGER" for index in range(len(policies)))
                + ")"
            )
            reading = Reading()
            target = Target("recorded", select, asked_floors(), heads_only=True)
            read_sources(engine, paths, target, Path(folder), reading)
            reading.demand_sources()
            found = engine.run(_SHARED.format(keys=_KEYS, rules=columns))
            ((records,),) = engine.run("SELECT count(*) FROM recorded WHERE outcome <> 0")
        finally:
            engine.close()
    rows: list[_Row] = []
    for verb, group, resource, is_resource, level, stage, *numbers, events, impersonated in found:
        rows.append(_Row(verb, group, resource, is_resource, level, stage, tuple(numbers), events, impersonated))
    return rows, records + reading.other + reading.rejected


def _fits(rows: Sequence[_Row], policies: Sequence[Policy]) -> list[Fit]:
    """How well each well-known recording agrees, best first; of equals the one that leaves out what does not occur."""
    whole = sum(row.events for row in rows)
    seen_verbs = {row.verb for row in rows}
    is_impersonated = any(row.impersonated for row in rows)
    found: list[tuple[float, int, Fit]] = []
    for name, known in recordings().items():
        index = policies.index(known.policy)
        recording = _with_stages(known, rows)
        agreeing = sum(row.events for row in rows if _agrees(row, recording, index))
        if recording.absent_columns and is_impersonated:
            agreeing = 0
        lean = sum(verb not in seen_verbs for verb in recording.dropped_verbs) - 3 * bool(recording.absent_columns)
        found.append((agreeing / whole, lean, Fit(name, recording, agreeing / whole)))
    return [fit for _, _, fit in sorted(found, key=lambda item: item[:2], reverse=True)]


def _with_stages(recording: Recording, rows: Sequence[_Row]) -> Recording:
    """The recording without stages that it omits everywhere and that occur: everybody decides about these."""
    seen = {row.stage for row in rows}
    left = tuple(stage for stage in recording.policy.omit_stages if stage not in seen)
    return replace(recording, policy=replace(recording.policy, omit_stages=left))


def _agrees(row: _Row, recording: Recording, index: int) -> bool:
    if row.verb in recording.dropped_verbs:
        return False
    decision = decision_of(recording.policy, row.rules[index])
    return decision.level == row.level and (row.stage is None or row.stage not in decision.omit_stages)


def _inferred(rows: Sequence[_Row]) -> Recording:
    """What is seen, as a policy: what the log holds nothing of counts as not recorded."""
    levels: dict[tuple[str, str, bool, str], Level] = {}
    for row in rows:
        key = (row.group, row.resource, row.is_resource, row.verb)
        level = Level(row.level)
        levels[key] = max(levels.get(key, Level.NONE), level, key=lambda each: each.rank)
    alike: dict[tuple[str, Level], dict[str, set[str]]] = {}
    paths: set[str] = set()
    for (group, resource, is_resource, verb), level in levels.items():
        if is_resource:
            alike.setdefault((verb, level), {}).setdefault(group, set()).add(resource)
        else:
            paths.add(verb)
    missing = tuple(stage for stage in Stage if stage not in {row.stage for row in rows} and stage is not Stage.PANIC)
    rules = [
        PolicyRule(
            level,
            verbs=(verb,),
            resources=tuple(GroupResources(group, tuple(sorted(names))) for group, names in sorted(by_group.items())),
        )
        for (verb, level), by_group in sorted(alike.items())
    ]
    if paths:
        rules.append(PolicyRule(Level.METADATA, verbs=tuple(sorted(paths)), non_resource_urls=("*",)))
    policy = Policy((*rules, PolicyRule(Level.NONE)), omit_stages=missing)
    return Recording(policy, title="What is seen in this log")


def _counts(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for name, count in pairs:
        found[name] = found.get(name, 0) + count
    return tuple(sorted(found.items(), key=lambda item: -item[1]))


def _seen(rows: Sequence[_Row]) -> list[Seen]:
    events: dict[str, int] = {}
    verbs: dict[str, dict[str, Level]] = {}
    for row in rows:
        name = f"{row.resource}.{row.group}" if row.group else row.resource
        name = name if row.is_resource else "(paths)"
        events[name] = events.get(name, 0) + row.events
        levels = verbs.setdefault(name, {})
        levels[row.verb] = max(levels.get(row.verb, Level.NONE), Level(row.level), key=lambda each: each.rank)
    return [Seen(name, tuple(sorted(verbs[name].items()))) for name in sorted(events, key=lambda name: -events[name])]
