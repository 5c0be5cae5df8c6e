"""Whether an answer that is empty could have been another one: what the log records of what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.policies.coverage import gap_text, load_recording
from kubewitness.app.policies.recognition import recognise, recognise_stored
from kubewitness.policy.coverage import Cause, Verdict, coverage
from kubewitness.words.plain import rfc3339

if TYPE_CHECKING:
    from pathlib import Path

    from kubewitness.app.events import Events, Logs
    from kubewitness.policy.coverage import Recording
    from kubewitness.query.predicate import Predicate

_MOST_REASONS = 5


class Could(StrEnum):
    """Whether a log could have shown events of which a predicate holds."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Shown:
    """Whether a log could have shown what was asked for, had it happened.

    Attributes:
        could: the answer.
        recording: as what the log was taken, or the policy that was given; empty where that did not matter.
        reasons: what it could not have shown and why, in words.
    """

    could: Could
    recording: str = ""
    reasons: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {"answer": self.could.value, "recording": self.recording or None, "reasons": list(self.reasons)}

    def sentences(self) -> list[str]:
        """The same for people: a sentence, and a line for each reason."""
        taken = f" (recorded as: {self.recording})" if self.recording else ""
        match self.could:
            case Could.YES:
                says = f"this log could have shown it{taken}"
            case Could.PARTLY:
                says = f"this log could have shown a part of it only{taken}; not:"
            case Could.NO:
                says = f"this log could not have shown it{taken}:"
            case Could.UNKNOWN:
                says = f"whether this log could have shown it is not known{taken}:"
        return [f"nothing found; {says}", *(f"  {reason}" for reason in self.reasons)]


def could_have_shown(predicate: Predicate, logs: Logs, events: Events, policy: Path | None = None) -> Shown:
    """Whether logs could have shown events of which a predicate holds.

    Args:
        predicate: what was asked for.
        logs: that were asked; they are read once more to find out how they were recorded, unless a policy says it.
        events: of these logs.
        policy: what the server was told to record: a file, or `builtin:NAME`.

    Raises:
        UsageError: the policy cannot be read.
        PolicyError: kube-apiserver would not load it.
    """
    found = _could_have_recorded(predicate, logs, events, policy)
    if not events.ledger.partial or found.could not in (Could.YES, Could.PARTLY):
        return found
    records = "1 record" if events.ledger.partial == 1 else f"{events.ledger.partial:,} records"
    lost = f"what stood behind the cut of {records}: kubewitness hunt cut-records"
    return Shown(Could.PARTLY, found.recording, (lost, *found.reasons))


def _could_have_recorded(predicate: Predicate, logs: Logs, events: Events, policy: Path | None) -> Shown:
    """The same of records that came whole."""
    recording = load_recording(policy) if policy else None
    if not events.ledger.events and logs.store is not None:
        return Shown(Could.NO, reasons=("the store has no events of this period and cluster",))
    if recording is None and not events.ledger.events:
        return Shown(Could.UNKNOWN, reasons=("there is no whole event in these logs",))
    if outside := _outside(logs, events):
        return Shown(Could.NO, reasons=(outside,))
    if recording is not None:
        return _judged(predicate, recording, is_inferred=False)
    if "-" in logs.paths:
        return Shown(
            Could.UNKNOWN, reasons=("standard input cannot be read twice; name a file, or say how with --policy",)
        )
    found = (
        recognise(logs.paths)
        if logs.store is None
        else recognise_stored(open_snapshot(logs.store, cluster=logs.cluster))
    )
    if not found.rows:
        return Shown(Could.UNKNOWN, reasons=("no event says at which level it was recorded",))
    return _judged(predicate, found.recording, is_inferred=found.is_inferred)


def _outside(logs: Logs, events: Events) -> str | None:
    """Why a period has no events at all, when it lies outside of what the logs hold."""
    first, last = events.first_at, events.last_at
    if first is None or last is None:
        return None
    if (logs.since and logs.since > last) or (logs.until and logs.until <= first):
        return f"nothing of this period is in it: it goes from {rfc3339(first)} to {rfc3339(last)}"
    return None


def _judged(predicate: Predicate, recording: Recording, *, is_inferred: bool) -> Shown:
    found = coverage(predicate, recording)
    title = recording.title or recording.policy_name
    if found.verdict is Verdict.COVERED:
        return Shown(Could.YES, title)
    if is_inferred and found.verdict is Verdict.BLIND and any(gap.cause is Cause.NOT_RECORDED for gap in found.gaps):
        reason = "no well-known audit policy fits this log, and it has nothing of this kind: say how with --policy"
        return Shown(Could.UNKNOWN, title, (reason,))
    texts = [gap_text(gap, recording.policy) for gap in found.gaps]
    left = len(texts) - _MOST_REASONS
    reasons = (*texts[:_MOST_REASONS], *((f"and {left} more",) if left > 0 else ()))
    could = Could.NO if found.verdict is Verdict.BLIND else Could.PARTLY
    return Shown(could, title, reasons or ("no request is so",))
