"""What a recording shows of rules is worked out once, and again when it, or a rule, has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kubewitness.app.policies import coverage as covering
from kubewitness.policy.coverage import coverage
from kubewitness.policy.recordings import find_recording

if TYPE_CHECKING:
    from pathlib import Path

    from kubewitness.policy.coverage import Coverage, Recording
    from kubewitness.query.predicate import Predicate

RULES = """
title: A secret read
name: a-secret-read
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: get, objectRef.resource: secrets}, condition: s}
---
title: A privileged pod
name: a-privileged-pod
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: create, privileged: true}, condition: s}
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Predicate]:
    """What was worked out, in a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "rules.yml").write_text(RULES)
    found: list[Predicate] = []

    def spy(predicate: Predicate, recording: Recording) -> Coverage:
        found.append(predicate)
        return coverage(predicate, recording)

    monkeypatch.setattr(covering, "coverage", spy)
    return found


def test_what_a_recording_shows_is_worked_out_once(asked: list[Predicate], tmp_path: Path) -> None:
    recording = find_recording("aks-kube-audit")
    first = covering.cover(recording, [tmp_path], builtin=False)
    assert len(asked) == 2
    assert covering.cover(recording, [tmp_path], builtin=False) == first
    assert len(asked) == 2


def test_what_changed_is_worked_out_again(asked: list[Predicate], tmp_path: Path) -> None:
    recording = find_recording("aks-kube-audit")
    covering.cover(recording, [tmp_path], builtin=False)
    (tmp_path / "rules.yml").write_text(RULES.replace("verb: get", "verb: list"))
    covering.cover(recording, [tmp_path], builtin=False)
    assert len(asked) == 3
    for other in (
        replace(recording, dropped_verbs=frozenset({"list"})),
        replace(recording, absent_columns=frozenset({"privileged"})),
        replace(recording, policy=replace(recording.policy, rules=recording.policy.rules[:2])),
    ):
        before = len(asked)
        covering.cover(other, [tmp_path], builtin=False)
        assert len(asked) == before + 2


def test_a_broken_cache_is_no_error(asked: list[Predicate], tmp_path: Path) -> None:
    recording = find_recording("aks-kube-audit")
    first = covering.cover(recording, [tmp_path], builtin=False)
    for kept in (tmp_path / "cache" / "kubewitness").iterdir():
        kept.write_text("[")
    assert covering.cover(recording, [tmp_path], builtin=False) == first
    assert len(asked) == 4
