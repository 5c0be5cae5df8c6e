"""Coverage: which detections a log could show at all, decided from what is recorded and not from what happened.

All requests that a predicate could hold of are divided by the rule of the policy that decides them; of each part it is
asked whether an event that shows it is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING

from kubewitness.model.recording import Level, Stage
from kubewitness.policy.boxes import ALL_REQUESTS, divide, only
from kubewitness.policy.boxes_text import describe
from kubewitness.policy.evaluate import decision_of
from kubewitness.policy.recorded_columns import levels_apart, stage_alike
from kubewitness.policy.visibility import Recorded, boxes_about, possible, stages_of, whole_level
from kubewitness.query.identity import by_identity
from kubewitness.query.predicate import fields_of

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
        about: what it holds.
        policy_name: name of the builtin policy; empty for a policy of one's own.
    """

    policy: Policy
    dropped_verbs: frozenset[str] = frozenset()
    absent_columns: frozenset[str] = frozenset()
    title: str = ""
    about: str = ""
    policy_name: str = ""


class Verdict(StrEnum):
    """Whether a log could show a detection."""

    COVERED = "covered"
    PARTLY = "partly"
    BLIND = "blind"


class Cause(StrEnum):
    """Why something would not be shown; `level_too_low_for_some`: some of the ways to do it would be."""

    NOT_RECORDED = "not_recorded"
    STAGE_OMITTED = "stage_omitted"
    LEVEL_TOO_LOW = "level_too_low"
    LEVEL_TOO_LOW_FOR_SOME = "level_too_low_for_some"
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


@dataclass(slots=True, eq=False)
class _Part:
    box: Box
    decision: Decision
    cause: Cause | None
    needed: Level | None


def coverage(predicate: Predicate, recording: Recording) -> Coverage:
    """Whether a log of this recording could show an event of which the predicate holds."""
    parts = list(_parts(predicate, recording))
    lost = [part for part in parts if part.cause]
    if not parts:
        return Coverage(Verdict.BLIND)
    blind = [part for part in lost if part.cause is not Cause.LEVEL_TOO_LOW_FOR_SOME]
    verdict = Verdict.BLIND if len(blind) == len(parts) else Verdict.PARTLY if lost else Verdict.COVERED
    seen = dict.fromkeys(part.decision.rule for part in parts if part not in blind)
    return Coverage(verdict, tuple(_gaps(lost, parts)), tuple(seen))


def needed_level(
    predicate: Predicate, box: Box, *, absent: frozenset[str] = frozenset(), is_impersonated: bool = False
) -> Level | None:
    """The lowest level at which an event of these requests could show the predicate; None when none does."""
    question = _question(predicate)
    box = question.looked_at(box)
    key = (box, absent, is_impersonated)
    if key not in question.needed:
        question.needed[key] = _lowest(predicate, box, absent, is_impersonated=is_impersonated)
    return question.needed[key]


def _lowest(predicate: Predicate, box: Box, absent: frozenset[str], *, is_impersonated: bool) -> Level | None:
    question = _question(predicate)
    stages = question.stages(stages_of(box))
    for level in question.levels:
        if _shown(predicate, Recorded(box, level, Stage.PANIC, absent, is_impersonated), stages):
            return level
    return None


class _Question:
    """What was found out about a predicate."""

    def __init__(self, predicate: Predicate) -> None:
        columns = {field.column.name for field in fields_of(predicate)}
        self._indifferent = {name: getattr(ALL_REQUESTS, name) for name, looks in _LOOKS.items() if not columns & looks}
        self._same_at = {stage: stage_alike(stage, columns) for stage in Stage}
        self.levels = levels_apart(columns)
        self.needed: dict[tuple[Box, frozenset[str], bool], Level | None] = {}
        self.losses: dict[tuple[Recorded, frozenset[Stage]], tuple[Cause | None, Level]] = {}

    def looked_at(self, box: Box) -> Box:
        """The box without the dimensions that make no difference to the predicate: many boxes become one."""
        return replace(box, **self._indifferent) if self._indifferent else box

    def stages(self, stages: Iterable[Stage]) -> tuple[Stage, ...]:
        """One of these stages for all that show the predicate the same."""
        return tuple(dict.fromkeys(self._same_at[stage] for stage in stages))


_question = by_identity(_Question, most=1_000)


_LOOKS = {
    "group": frozenset({"api_group"}),
    "namespace": frozenset({"namespace"}),
    "name": frozenset({"name", "object_name"}),
    "path": frozenset({"request_uri", "request_path"}),
}
"""Dimensions that only these columns depend on."""


def whole_level_of(
    predicate: Predicate, box: Box, *, absent: frozenset[str] = frozenset(), is_impersonated: bool = False
) -> Level:
    """The lowest level at which these requests show the predicate in every way in which it can be true."""
    events = Recorded(box, Level.REQUEST_RESPONSE, Stage.RESPONSE_COMPLETE, absent, is_impersonated)
    return whole_level(predicate, events)


def is_about_impersonation(predicate: Predicate) -> bool:
    """Whether only requests that act as somebody else can show the predicate."""
    return all(needed_level(predicate, box) is None for box in boxes_about(predicate))


def _parts(predicate: Predicate, recording: Recording) -> Iterator[_Part]:
    # Who acts as somebody else could do everything: that is asked only of what is about it.
    acts_as = is_about_impersonation(predicate)
    for seed in boxes_about(predicate):
        for decided in divide(recording.policy, seed):
            for box, is_dropped in _by_category(decided.box, recording):
                needed = needed_level(predicate, box, is_impersonated=acts_as)
                if needed is None:
                    continue  # the predicate is not about these requests
                absent = recording.absent_columns
                if absent:
                    needed = needed_level(predicate, box, absent=absent, is_impersonated=acts_as)
                part = _Part(box, decision_of(recording.policy, decided.rule), None, needed)
                events = Recorded(box, part.decision.level, Stage.PANIC, absent, acts_as)
                part.cause = Cause.VERB_DROPPED if is_dropped else _cause(predicate, part, events)
                if part.decision.level is Level.NONE:
                    part.cause = Cause.NOT_RECORDED
                yield part


def _by_category(box: Box, recording: Recording) -> Iterator[tuple[Box, bool]]:
    if not recording.dropped_verbs:
        yield box, False
        return
    dropped = only(*recording.dropped_verbs)
    for verbs, is_dropped in ((box.verb.both(dropped), True), (box.verb.without(dropped), False)):
        part = replace(box, verb=verbs)
        if not part.is_empty:
            yield part, is_dropped


def _cause(predicate: Predicate, part: _Part, events: Recorded) -> Cause | None:
    """Why events of this level do not show the predicate; None when some do."""
    if part.needed is None:
        return Cause.COLUMN_ABSENT
    if part.needed.rank > events.level.rank:
        return Cause.LEVEL_TOO_LOW
    question = _question(predicate)
    key = (replace(events, box=question.looked_at(part.box)), part.decision.omit_stages)
    if key not in question.losses:
        question.losses[key] = _loss(predicate, *key)
    cause, whole = question.losses[key]
    if cause is Cause.LEVEL_TOO_LOW_FOR_SOME:
        part.needed = whole
    return cause


def _loss(predicate: Predicate, events: Recorded, omitted: frozenset[Stage]) -> tuple[Cause | None, Level]:
    question = _question(predicate)
    stages = question.stages(stage for stage in stages_of(events.box) if stage not in omitted)
    whole = Level.METADATA
    if len(question.levels) > 1:
        whole = whole_level(predicate, replace(events, level=Level.REQUEST_RESPONSE, stage=Stage.RESPONSE_COMPLETE))
    if not _shown(predicate, events, stages):
        return Cause.STAGE_OMITTED, whole
    return (Cause.LEVEL_TOO_LOW_FOR_SOME if whole.rank > events.level.rank else None), whole


def _shown(predicate: Predicate, events: Recorded, stages: Iterable[Stage]) -> bool:
    box, level, absent, acts_as = events.box, events.level, events.absent, events.is_impersonated
    return any(possible(predicate, Recorded(box, level, stage, absent, acts_as)) for stage in stages)


def _gaps(lost: Sequence[_Part], parts: Sequence[_Part]) -> Iterator[Gap]:
    """What is lost for one cause by one policy rule, described by what sets it apart from the rest."""

    def key(part: _Part) -> tuple[int, str, str]:
        rule = -1 if part.decision.rule is None else part.decision.rule
        return (rule, part.cause or "", part.needed or "")

    for _, group in groupby(sorted(lost, key=key), key=key):
        members = list(group)
        first = members[0]
        own = set(map(id, members))
        others = [part for part in parts if id(part) not in own]
        where = tuple(_apart(members, others)) if others else ()
        assert first.cause is not None  # noqa: S101 - only lost parts come here
        yield Gap(first.cause, first.decision.rule, first.decision.level, first.needed, where)


def _apart(members: Sequence[_Part], others: Sequence[_Part]) -> Iterator[tuple[str, str]]:
    own = describe([part.box for part in members])
    rest = describe([part.box for part in others], own)
    yield from ((name, text) for name, text in own.items() if rest.get(name) != text)
