"""Coverage: which detections a log could show at all, decided from what is recorded and not from what happened.

All requests that a predicate could hold of are divided by the rule of the policy that decides them; of each part it is
asked whether an event that shows it is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING

from kubewitness.model.recording import Level, Stage
from kubewitness.policy.boxes import DIMENSIONS, Members, Values, divide, only
from kubewitness.policy.evaluate import decision_of
from kubewitness.policy.visibility import Recorded, boxes_about, possible, stages_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kubewitness.policy.boxes import Box
    from kubewitness.policy.evaluate import Decision
    from kubewitness.policy.model import Policy
    from kubewitness.query.predicate import Predicate


@dataclass(frozen=True, slots=True)
class Recording:
    """What gets into a log: what a policy records, less what is lost behind it.

    Attributes:
        policy: of the server.
        dropped_verbs: verbs whose events never arrive: a category of a cloud's log may leave them out.
        absent_columns: columns of the events table that the log's shape has no place for.
        title: what to call it.
        about: where that is known from.
    """

    policy: Policy
    dropped_verbs: frozenset[str] = frozenset()
    absent_columns: frozenset[str] = frozenset()
    title: str = ""
    about: str = ""


class Verdict(StrEnum):
    """Whether a log could show a detection."""

    COVERED = "covered"
    PARTLY = "partly"
    BLIND = "blind"


class Cause(StrEnum):
    """Why something would not be shown."""

    NOT_RECORDED = "not_recorded"
    STAGE_OMITTED = "stage_omitted"
    LEVEL_TOO_LOW = "level_too_low"
    VERB_DROPPED = "verb_dropped"
    COLUMN_ABSENT = "column_absent"


@dataclass(frozen=True, slots=True)
class Gap:
    """Requests that a detection is about and that the log would not show.

    Attributes:
        cause: why not.
        rule: index of the policy rule that decides them; None where none does.
        level: level at which they are recorded.
        needed: level at which they would be shown; None where no level would do.
        where: which requests, as dimension and values that set them apart: `verb` to `get, list`; empty for all that
            the detection is about.
    """

    cause: Cause
    rule: int | None
    level: Level
    needed: Level | None
    where: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """Whether a log could show what a predicate says.

    Attributes:
        verdict: for all requests the predicate is about.
        gaps: what would not be shown.
        seen_by: indexes of the policy rules that record what is shown; None stands for a request that no rule decides.
    """

    verdict: Verdict
    gaps: tuple[Gap, ...] = ()
    seen_by: tuple[int | None, ...] = ()


@dataclass(slots=True)
class _Part:
    box: Box
    decision: Decision
    cause: Cause | None
    needed: Level | None = field(default=None)


def coverage(predicate: Predicate, recording: Recording) -> Coverage:
    """Whether a log of this recording could show an event of which the predicate holds."""
    parts = list(_parts(predicate, recording))
    lost = [part for part in parts if part.cause]
    if not parts:
        return Coverage(Verdict.BLIND)
    if not lost:
        verdict = Verdict.COVERED
    else:
        verdict = Verdict.BLIND if len(lost) == len(parts) else Verdict.PARTLY
    seen = dict.fromkeys(part.decision.rule for part in parts if not part.cause)
    return Coverage(verdict, tuple(_gaps(lost, parts)), tuple(seen))


def needed_level(predicate: Predicate, box: Box, *, absent: frozenset[str] = frozenset()) -> Level | None:
    """The lowest level at which an event of these requests could show the predicate; None when none does."""
    for level in (Level.METADATA, Level.REQUEST, Level.REQUEST_RESPONSE):
        if any(possible(predicate, Recorded(box, level, stage, absent)) for stage in stages_of(box)):
            return level
    return None


def _parts(predicate: Predicate, recording: Recording) -> Iterator[_Part]:
    for seed in boxes_about(predicate):
        for decided in divide(recording.policy, seed):
            for box, is_dropped in _by_category(decided.box, recording):
                needed = needed_level(predicate, box)
                if needed is None:
                    continue  # the predicate is not about these requests
                if recording.absent_columns:
                    needed = needed_level(predicate, box, absent=recording.absent_columns)
                decision = decision_of(recording.policy, decided.rule)
                yield _part(predicate, recording, box, decision, needed, is_dropped=is_dropped)


def _by_category(box: Box, recording: Recording) -> Iterator[tuple[Box, bool]]:
    if not recording.dropped_verbs:
        yield box, False
        return
    dropped = only(*recording.dropped_verbs)
    for verbs, is_dropped in ((box.verb.both(dropped), True), (box.verb.without(dropped), False)):
        part = _with_verbs(box, verbs)
        if not part.is_empty:
            yield part, is_dropped


def _with_verbs(box: Box, verbs: Values) -> Box:
    values = {name: getattr(box, name) for name in DIMENSIONS} | {"verb": verbs}
    return type(box)(**values)


def _part(
    predicate: Predicate, recording: Recording, box: Box, decision: Decision, needed: Level | None, *, is_dropped: bool
) -> _Part:
    if decision.level is Level.NONE:
        return _Part(box, decision, Cause.NOT_RECORDED, needed)
    if is_dropped:
        return _Part(box, decision, Cause.VERB_DROPPED)
    if needed is None:
        return _Part(box, decision, Cause.COLUMN_ABSENT)
    if needed.rank > decision.level.rank:
        return _Part(box, decision, Cause.LEVEL_TOO_LOW, needed)
    stages = [stage for stage in stages_of(box) if stage not in decision.omit_stages]
    if _shown(predicate, box, decision.level, stages, recording.absent_columns):
        return _Part(box, decision, None)
    return _Part(box, decision, Cause.STAGE_OMITTED, needed)


def _shown(
    predicate: Predicate, box: Box, level: Level, stages: Iterable[Stage], absent: frozenset[str]
) -> bool:
    return any(possible(predicate, Recorded(box, level, stage, absent)) for stage in stages)


def _gaps(lost: Sequence[_Part], parts: Sequence[_Part]) -> Iterator[Gap]:
    """What is lost for one cause by one policy rule, described by what sets it apart from the rest."""

    def key(part: _Part) -> tuple[int, str, str]:
        rule = -1 if part.decision.rule is None else part.decision.rule
        return (rule, part.cause or "", part.needed or "")

    for _, group in groupby(sorted(lost, key=key), key=key):
        members = list(group)
        first = members[0]
        others = [part for part in parts if all(part is not member for member in members)]
        where = tuple(_apart(members, others)) if others else ()
        assert first.cause is not None  # noqa: S101 - only lost parts come here
        yield Gap(first.cause, first.decision.rule, first.decision.level, first.needed, where)


def _apart(members: Sequence[_Part], others: Sequence[_Part]) -> Iterator[tuple[str, str]]:
    for name in DIMENSIONS:
        own = {describe(name, getattr(part.box, name)) for part in members}
        rest = {describe(name, getattr(part.box, name)) for part in others}
        if own != rest and "" not in own:
            yield name, " or ".join(sorted(own))


def describe(dimension: str, values: Values | Members) -> str:
    """A set of values for people; empty text for a set that says nothing."""
    if isinstance(values, Members):
        if values.inside:
            return ", ".join(sorted(values.inside))
        return f"not {', '.join(sorted(values.outside))}" if values.outside else ""
    named = ", ".join(sorted(_NOTHING.get((dimension, value), value or "none") for value in values.named))
    if values.is_rest:
        return f"all but {named}" if named else ""
    return named


_NOTHING = {("group", ""): "core", ("group", None): "no resource", ("username", None): "nobody"}
