"""Use case: what a log could not have shown, judged by what is recorded in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.policies.coverage import RuleCoverage, cover
from kubewitness.app.policies.recognition import Fit, RecordedRow, recognise, recognise_stored
from kubewitness.model.errors import UnreadableError
from kubewitness.model.recording import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kubewitness.model.rule import RuleClass
    from kubewitness.policy.coverage import Recording


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


def coverage_of_log(
    paths: Sequence[str],
    folders: Sequence[Path] = (),
    *,
    store: str | None = None,
    cluster: str | None = None,
    builtin: bool = True,
    classes: Iterable[RuleClass],
) -> LogCoverage:
    """Find out what is recorded in a log, and what such a log could not show.

    Args:
        paths: files, directories, globs, `-` for standard input.
        folders: folders or files of rules.
        store: what is asked instead of paths; of very many events some are looked at.
        cluster: the only one of the store that is asked.
        builtin: whether the builtin rules are asked for.
        classes: noise classes of rules.

    Raises:
        UnreadableError: nothing of the paths could be read, or no event in it says its level.
        RuleError: a rule cannot be loaded.
    """
    found = recognise(paths) if store is None else recognise_stored(open_snapshot(store, cluster=cluster))
    if not found.rows:
        raise UnreadableError(
            "no event says at which level it was recorded",
            hint="name audit logs that tell it: cut records, GKE's entries and the older text format do not",
        )
    rows = found.rows
    return LogCoverage(
        events=sum(row.events for row in rows),
        fits=found.fits,
        recording=found.recording,
        is_inferred=found.is_inferred,
        stages=_counts((row.stage or "none", row.events) for row in rows),
        levels=_counts((row.level, row.events) for row in rows),
        seen=tuple(_seen(rows)),
        rules=tuple(cover(found.recording, folders, builtin=builtin, classes=classes)),
        read=found.read,
    )


def _counts(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for name, count in pairs:
        found[name] = found.get(name, 0) + count
    return tuple(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _seen(rows: Sequence[RecordedRow]) -> list[Seen]:
    events: dict[str, int] = {}
    verbs: dict[str, dict[str, Level]] = {}
    for row in rows:
        name = f"{row.resource}.{row.group}" if row.group else row.resource
        name = name if row.is_resource else "(paths)"
        events[name] = events.get(name, 0) + row.events
        levels = verbs.setdefault(name, {})
        levels[row.verb] = max(levels.get(row.verb, Level.NONE), Level(row.level), key=lambda each: each.rank)
    ordered = sorted(events, key=lambda name: (-events[name], name))
    return [Seen(name, tuple(sorted(verbs[name].items()))) for name in ordered]
