"""`kubewitness timeline` as people run it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

ATTACK = str(Path(__file__).parents[2] / "examples" / "aks-attack")
COMMAND = str(Path(sys.executable).with_name("kubewitness"))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, "timeline", *words], capture_output=True, text=True, check=False)


def test_a_filter_may_come_before_the_paths() -> None:
    answer = run("user:*:storefront AND code:403", ATTACK, "--no-alerts", "--format", "json")
    found = json.loads(answer.stdout)
    assert answer.returncode == 0
    assert found["summary"]["subject"] == "user:*:storefront AND code:403"
    assert {request["code"] for entry in found["entries"] for request in entry["requests"]} == {403}


def test_a_page_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    page = tmp_path / "timeline.html"
    answer = run("--source", "203.0.113.77", "--no-alerts", ATTACK, "-f", "html", "-o", str(page))
    assert (answer.returncode, answer.stdout) == (0, "")
    assert "Timeline of source 203.0.113.77" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--actor", "x"), "no logs named"),
        ((ATTACK, "--idle", "0"), "idle gap"),
        ((ATTACK, "--nonsense"), "--nonsense"),
        (("no/such/file.log", "--no-alerts"), "no/such/file.log"),
    ],
)
def test_wrong_usage_is_said(words: tuple[str, ...], message: str) -> None:
    answer = run(*words)
    assert answer.returncode == 2
    assert message in answer.stderr


def test_standard_input_is_read_once_and_so_has_no_alerts() -> None:
    log = gzip.decompress((Path(ATTACK).parent / "stolen-admin" / "audit.log.gz").read_bytes()).decode()
    words = [COMMAND, "timeline", "--source", "127.0.0.99", "-", "-f", "json"]
    found = json.loads(subprocess.run(words, input=log, capture_output=True, text=True, check=True).stdout)
    assert (found["summary"]["requests"], found["summary"]["alerts"]) == (65, 0)
    assert found["summary"]["remarks"] == ["alerts are not looked for in standard input, which can be read only once"]


def test_an_empty_answer_says_where_to_ask_next() -> None:
    answer = run("--actor", "nobody", "--no-alerts", ATTACK)
    assert "kubewitness coverage" in answer.stdout
    assert answer.returncode == 0
