"""`kubewitness object` as people run it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ATTACK = str(Path(__file__).parents[2] / "examples" / "aks-attack")
BINDING = "clusterrolebinding/aks-node-metrics"
COMMAND = str(Path(sys.executable).with_name("kubewitness"))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, "object", *words], capture_output=True, text=True, check=False)


def test_a_life_is_told() -> None:
    answer = run(BINDING, ATTACK)
    assert answer.returncode == 0
    assert "life 1" in answer.stdout
    assert "11-17 09:12:29 end    deleted by system:serviceaccount:shop:ci-deployer (kubectl)" in answer.stdout


def test_standard_input_is_read() -> None:
    log = gzip.decompress((Path(ATTACK).parent / "stolen-admin" / "audit.log.gz").read_bytes()).decode()
    answer = subprocess.run(
        [COMMAND, "object", "ns/monitoring", "-"], input=log, capture_output=True, text=True, check=True
    )
    assert "deleted by ops-admin (kubectl); gone after 12 s" in answer.stdout


def test_json_is_one_object() -> None:
    whole = json.loads(run(BINDING, ATTACK, "-f", "json").stdout)
    assert list(whole) == ["summary", "ledger", "lives"]
    ((life),) = whole["lives"]
    assert life["revisions"][0]["actor"] == "system:serviceaccount:shop:ci-deployer"


def test_the_state_of_a_moment_is_yaml(tmp_path: Path) -> None:
    file = tmp_path / "binding.yaml"
    answer = run(BINDING, ATTACK, "--at", "2026-11-17T09:00:00Z", "-o", str(file))
    assert (answer.returncode, answer.stdout) == (0, "")
    assert yaml.safe_load(file.read_text("utf-8"))["roleRef"]["name"] == "cluster-admin"


def test_differences_begin_with_nothing() -> None:
    assert run(BINDING, ATTACK, "--diff").stdout.startswith("--- (nothing)\n+++ life 1 r1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((BINDING,), "no logs named"),
        (("web", ATTACK), "names no object"),
        ((BINDING, ATTACK, "--at", "yesterday"), "is no time"),
    ],
)
def test_wrong_usage_is_said(words: tuple[str, ...], message: str) -> None:
    answer = run(*words)
    assert answer.returncode == 2
    assert message in answer.stderr


def test_an_object_that_is_not_there_says_where_to_ask_next() -> None:
    answer = run("shop/pod/nothing", ATTACK)
    assert "kubewitness coverage" in answer.stdout
    assert answer.returncode == 0
