"""How a log was recorded: which well-known recording agrees with its levels and stages, or what is seen in it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.app.caching import keep, name_of, program_state, recall
from kubewitness.app.policies.acted import read_into
from kubewitness.app.reading import Target
from kubewitness.app.readings import demand_events
from kubewitness.decode.engine_shapes import Depth
from kubewitness.facts import macros
from kubewitness.model.recording import Level, Stage
from kubewitness.policy.bulk import asked_floors, deciding_rule
from kubewitness.policy.coverage import Recording
from kubewitness.policy.evaluate import decision_of
from kubewitness.policy.model import GroupResources, Policy, PolicyRule
from kubewitness.policy.recordings import recordings
from kubewitness.query.engine import Engine, with_floors
from kubewitness.query.pruning import needed
from kubewitness.query.reading import OUTCOME
from kubewitness.store.table import BY_STORED_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.app.lake.opening import Snapshot
    from kubewitness.store.files import DataFile

_FITS = 0.999
_LOOKED_AT = 50_000
"""So many events of a store are enough to tell how they were recorded."""
_KEPT = 50
_READ_THROUGH = 1_000_000
_FEWEST_FILES = 3
"""Out of so many events and files at least these are taken: how a log is recorded can change in the course of time."""
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
class RecordedRow:
    """Events that are alike in what says how they were recorded.

    Attributes:
        verb: of the request.
        group: API group.
        resource: with its subresource.
        is_resource: whether the request is about a resource.
        level: at which they are recorded.
        stage: of the events.
        rules: for each well-known policy, the index of its rule that decides about the request.
        events: how many.
        impersonated: whether one of them acts as somebody else.
    """

    verb: str
    group: str
    resource: str
    is_resource: bool
    level: str
    stage: str | None
    rules: tuple[int | None, ...]
    events: int
    impersonated: bool


@dataclass(frozen=True, slots=True)
class Recognised:
    """How a log was recorded.

    Attributes:
        recording: what the log is taken for: the best fit, or what is seen in it where none fits.
        is_inferred: whether no well-known recording fits.
        fits: well-known recordings, best first.
        rows: what is seen, by verb, resource, level and stage; none when no event says its level.
        read: all records.
    """

    recording: Recording
    is_inferred: bool
    fits: tuple[Fit, ...]
    rows: tuple[RecordedRow, ...]
    read: int


def recognise(paths: Sequence[str]) -> Recognised:
    """Find out how a log was recorded.

    Raises:
        UnreadableError: nothing of the paths could be read.
    """
    return _recognised(*_read(paths, _policies()))


def recognise_stored(snapshot: Snapshot) -> Recognised:
    """Find out how the events of a store were recorded; of very many, some are looked at. What was seen is kept."""
    chosen = replace(snapshot, files=_spread(snapshot.files))
    # Data files never change, so what is seen in them depends on how they are looked at alone.
    made_by = program_state("decode", "facts", "policy", "query")
    name = name_of("recorded", made_by, _LOOKED_AT, snapshot.location, [each.path for each in chosen.files])
    rows = recall(name, list[RecordedRow])
    if rows is None:
        rows = _look_at(chosen)
        keep(name, rows, most=_KEPT)
    return _recognised(rows, snapshot.events)


def _look_at(snapshot: Snapshot) -> list[RecordedRow]:
    """What is seen of so many events of a store."""
    part = max(1, snapshot.events // _LOOKED_AT)
    listed, columns = _rules(_policies())
    chosen = f"""
    SELECT
        CASE WHEN partial THEN 2 ELSE 1 END AS outcome,
        {_KEYS}, impersonated_username IS NOT NULL AS impersonated, {listed}
    FROM asked
    """  # noqa: S608 - names of columns and expressions of policies
    floors = (*asked_floors("looked_at"), ("recorded", chosen))
    named = needed((), [sql for _, sql in floors]) & BY_STORED_NAME.keys()
    names = ", ".join(f'"{name}"' for name in sorted(named))
    query = snapshot.query(f'SELECT {names} FROM events WHERE "row" % {part} = 0')  # noqa: S608 - same
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as folder:
        engine = Engine(Path(folder))
        try:
            engine.run(macros())
            engine.run(f"CREATE TEMP TABLE looked_at AS {query.sql}", query.parameters)
            return _rows(engine.run(with_floors(floors, _SHARED.format(keys=_KEYS, rules=columns))))
        finally:
            engine.close()


def _spread(files: Sequence[DataFile]) -> tuple[DataFile, ...]:
    """Some of the files of a store, spread over its time, the first and the last among them."""
    ordered = sorted(files, key=lambda file: (file.least.get("happened_at") or datetime.min, file.path))  # noqa: DTZ901 - naive
    events = sum(each.events for each in ordered)
    count = max(_FEWEST_FILES, -(-len(ordered) * _READ_THROUGH // max(events, 1)))
    if count >= len(ordered):
        return tuple(ordered)
    return tuple(ordered[at * (len(ordered) - 1) // (count - 1)] for at in range(count))


def _policies() -> list[Policy]:
    return list(dict.fromkeys(recording.policy for recording in recordings().values()))


def _rules(policies: Sequence[Policy]) -> tuple[str, str]:
    """The deciding rule of each policy, as expressions and as names of columns."""
    rules = [f"{deciding_rule(policy).sql('duckdb')} AS rule_{index}" for index, policy in enumerate(policies)]
    return ", ".join(rules), ", ".join(f"rule_{index}" for index in range(len(policies)))


def _recognised(rows: list[RecordedRow], read: int) -> Recognised:
    policies = _policies()
    fits = _fits(rows, policies) if rows else []
    is_inferred = not fits or fits[0].share < _FITS
    recording = _inferred(rows) if is_inferred else fits[0].recording
    return Recognised(recording, is_inferred, tuple(fits), tuple(rows), read)


def _read(paths: Sequence[str], policies: Sequence[Policy]) -> tuple[list[RecordedRow], int]:
    listed, columns = _rules(policies)
    select = f"""
    SELECT
        source_id, record_line,
        {OUTCOME}
            AS outcome,
        {_KEYS}, impersonated_username IS NOT NULL AS impersonated, {listed}
    FROM asked
    """  # noqa: S608 - names of columns and expressions of policies
    create = (
        "CREATE TABLE recorded (source_id INTEGER, record_line BIGINT, outcome TINYINT, asked_verb VARCHAR,"
        " asked_api_group VARCHAR, asked_combined_resource VARCHAR, is_resource_request BOOLEAN, level VARCHAR,"
        " stage VARCHAR, impersonated BOOLEAN, "
        + ", ".join(f"rule_{index} INTEGER" for index in range(len(policies)))
        + ")"
    )
    target = Target("recorded", select, asked_floors(), depth=Depth.HEADS)
    with (
        tempfile.TemporaryDirectory(prefix="kubewitness-") as folder,
        read_into(target, create, paths, Path(folder)) as (engine, reading),
    ):
        found = engine.run(_SHARED.format(keys=_KEYS, rules=columns))
        ((records,),) = engine.run("SELECT count(*) FROM recorded WHERE outcome <> 0")
        demand_events(reading.ledger(events=records, partial=0, duplicates=0, other=0))
    return _rows(found), records + reading.other + reading.rejected


def _rows(found: Iterable[tuple[Any, ...]]) -> list[RecordedRow]:
    return [
        RecordedRow(verb, group, resource, is_resource, level, stage, tuple(numbers), events, impersonated)
        for verb, group, resource, is_resource, level, stage, *numbers, events, impersonated in found
    ]


def _fits(rows: Sequence[RecordedRow], policies: Sequence[Policy]) -> list[Fit]:
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


def _with_stages(recording: Recording, rows: Sequence[RecordedRow]) -> Recording:
    """The recording without stages that it omits everywhere and that occur: everybody decides about these."""
    seen = {row.stage for row in rows}
    left = tuple(stage for stage in recording.policy.omit_stages if stage not in seen)
    return replace(recording, policy=replace(recording.policy, omit_stages=left))


def _agrees(row: RecordedRow, recording: Recording, index: int) -> bool:
    if row.verb in recording.dropped_verbs:
        return False
    decision = decision_of(recording.policy, row.rules[index])
    return decision.level == row.level and (row.stage is None or row.stage not in decision.omit_stages)


def _inferred(rows: Sequence[RecordedRow]) -> Recording:
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
