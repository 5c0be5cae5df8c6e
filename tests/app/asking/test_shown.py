"""Tests of what an empty answer says: whether the log could have shown what was asked for."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kubewitness.app.asking.shown import Could, Shown, could_have_shown
from kubewitness.app.events import Logs, open_events
from kubewitness.query.filters import parse_filter

if TYPE_CHECKING:
    from collections.abc import Callable

    LineOf = Callable[..., bytes]

DAY = datetime(2026, 11, 17)  # noqa: DTZ001 - times of events are naive and UTC
LATER = DAY.replace(day=20)


@pytest.fixture
def log(tmp_path: Path, line_of: LineOf) -> Path:
    """Reads of pods at Metadata: the policy of no well-known platform."""
    path = tmp_path / "audit.log"
    path.write_bytes(b"\n".join(line_of(number, level="Metadata") for number in range(5)) + b"\n")
    return path


def _shown(text: str, logs: Logs, policy: str | None = None) -> Shown:
    predicate = parse_filter(text)
    with open_events(logs, (), predicate) as events:
        return could_have_shown(predicate, logs, events, Path(policy) if policy else None)


@pytest.mark.parametrize(
    ("text", "policy", "could", "reason"),
    [
        ("verb:delete resource:pods", "builtin:aks-kube-audit", Could.YES, ""),
        ("verb:get resource:secrets", "builtin:aks-kube-audit-admin", Could.NO, "left out on the way"),
        ("action:exec", "builtin:aks-kube-audit-admin", Could.PARTLY, "left out on the way"),
        ("privileged:true", "builtin:metadata", Could.NO, "needs Request"),
        ("verb:get resource:secrets", "builtin:metadata", Could.YES, ""),
    ],
)
def test_a_policy_says_whether_events_could_have_been_recorded(
    log: Path, text: str, policy: str, could: Could, reason: str
) -> None:
    shown = _shown(text, Logs((str(log),)), policy)
    assert shown.could is could
    assert reason in " ".join(shown.reasons)
    assert shown.recording
    assert bool(shown.reasons) is (could is not Could.YES)


@pytest.mark.parametrize(("cuts", "records"), [(1, "1 record:"), (2, "2 records:")])
def test_what_stood_behind_a_cut_could_not_have_been_shown(
    tmp_path: Path, line_of: LineOf, cuts: int, records: str
) -> None:
    path = tmp_path / "audit.log"
    cut = [line_of(number, level="RequestResponse", requestObject={"kind": "Pod"}) for number in range(10, 10 + cuts)]
    path.write_bytes(b"\n".join([line_of(1), *(line[: line.index(b"requestObject") + 20] for line in cut)]) + b"\n")
    logs = Logs((str(path),))
    shown = _shown("privileged:true", logs, "builtin:aks-kube-audit")
    assert shown.could is Could.PARTLY
    assert f"behind the cut of {records}" in shown.reasons[0]
    assert _shown("privileged:true", logs, "builtin:metadata").could is Could.NO


def test_a_log_like_no_platforms_says_no_more_than_it_shows(log: Path) -> None:
    logs = Logs((str(log),))
    assert _shown("verb:delete resource:secrets", logs).could is not Could.NO
    assert _shown("verb:get resource:pods host_pid:true", logs).could is Could.NO


def test_a_log_is_recognised_without_a_policy(tmp_path: Path, line_of: LineOf) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(
        b"\n".join(
            line_of(number, level="Request", verb=verb, stage=stage)
            for number, (verb, stage) in enumerate(
                [("create", "ResponseComplete"), ("delete", "ResponseComplete"), ("get", "ResponseComplete")] * 4
            )
        )
    )
    assert _shown("verb:delete resource:pods user:eve", Logs((str(path),))).recording


def test_a_period_outside_of_the_log_could_not_have_been_shown(log: Path) -> None:
    for logs in (Logs((str(log),), since=LATER), Logs((str(log),), until=DAY)):
        shown = _shown("verb:get", logs)
        assert shown.could is Could.NO
        assert "it goes from 2026-11-17T08:00:00.000000Z" in shown.reasons[0]
    assert _shown("verb:get user:eve", Logs((str(log),), since=DAY)).could is not Could.NO


def test_where_there_is_nothing_to_judge_by_it_is_not_known(tmp_path: Path, line_of: LineOf) -> None:
    path = tmp_path / "audit.log"
    path.write_bytes(line_of(1, level=None) + b"\n")
    assert _shown("verb:delete", Logs((str(path),))).could is Could.UNKNOWN
    path.write_text("")
    assert _shown("verb:delete", Logs((str(path),))).could is Could.UNKNOWN
    assert _shown("verb:delete", Logs((str(path),)), "builtin:metadata").could is Could.YES


def test_it_is_said_in_a_sentence_and_in_json() -> None:
    shown = Shown(Could.PARTLY, "AKS", ("verbs get: not recorded",))
    assert shown.sentences() == [
        "nothing found; this log could have shown a part of it only (recorded as: AKS); not:",
        "  verbs get: not recorded",
    ]
    assert shown.fields() == {"answer": "partly", "recording": "AKS", "reasons": ["verbs get: not recorded"]}
    assert [Shown(could).sentences()[0].startswith("nothing found; ") for could in Could] == [True] * 4
