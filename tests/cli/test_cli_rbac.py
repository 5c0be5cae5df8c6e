"""Tests of `kubewitness rbac`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from kubewitness.app.events import Logs, open_events
from kubewitness.cli.application import app
from kubewitness.model.errors import KubewitnessError

LOG = str(Path(__file__).resolve().parents[2] / "examples" / "aks-attack")


def _run(*words: str) -> None:
    app(["rbac", *words], exit_on_error=False, print_error=False, result_action="return_value")


def _actor() -> str:
    with open_events(Logs((LOG,)), ["actor", "allowed"]) as events:
        ((row),) = events.rows(
            "SELECT actor FROM events WHERE allowed AND starts_with(actor, 'system:serviceaccount:')"
            " GROUP BY actor ORDER BY count(*) DESC, actor LIMIT 1"
        )
    return str(row["actor"])


def test_a_role_is_written_that_denies_nothing_of_what_was_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    actor, role = _actor(), tmp_path / "role.yaml"
    _run(actor, LOG, "-o", str(role))
    assert all(document["kind"] for document in yaml.safe_load_all(role.read_text("utf-8")))
    capsys.readouterr()
    _run(actor, LOG, "--replay", str(role), "--no-attack", "--format", "json")
    found = json.loads(capsys.readouterr().out)
    assert found["denied"] == []
    assert found["permissions"]
    _run(actor, LOG, "--unused", str(role))
    assert "permissions were never used" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("alice",), "no logs named"),
        (("alice", LOG, "--replay", "nowhere.yaml"), "nowhere.yaml: cannot be read"),
        (("alice", LOG, "--format", "table"), "roles are written as YAML"),
        (("alice", LOG, "--fold-names", "-1"), "below zero"),
        (("alice", LOG, "--unused", __file__), "is no YAML"),
    ],
)
def test_wrong_use_is_said_with_a_hint(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(KubewitnessError) as caught:
        _run(*words)
    assert message in str(caught.value)
    assert "hint:" in str(caught.value)


def test_the_least_role_of_before_the_attack_stops_most_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    role = tmp_path / "before.yaml"
    _run("shop/ci-deployer", LOG, "--until", "2026-11-17T08:40:00Z", "--no-default-roles", "-o", str(role))
    capsys.readouterr()
    _run("shop/ci-deployer", LOG, "--replay", str(role), "--format", "json")
    steps = json.loads(capsys.readouterr().out)["steps"]
    serious = [step for step in steps if step["severity"] in {"high", "critical"}]
    assert len(serious) >= 8
    assert {step["state"] for step in serious} == {"stopped"}
