"""`kubewitness facets` as people run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PLAIN = str(Path(__file__).parents[1] / "fixtures" / "shapes" / "plain.ndjson")
COMMAND = str(Path(sys.executable).with_name("kubewitness"))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, "facets", *words], capture_output=True, text=True, check=False)


def test_a_filter_may_stand_before_the_paths() -> None:
    first = json.loads(run("verb:get", PLAIN, "--format", "json").stdout)
    assert first["filter"] == "verb:get"
    assert first == json.loads(run(PLAIN, "--filter", "verb:get", "-f", "json").stdout)
    assert 0 < first["count"] < first["looked_at"]


def test_the_table_has_fields_values_and_what_is_left_out() -> None:
    text = run(PLAIN, "-n", "1").stdout
    whole = json.loads(run(PLAIN, "--format", "json").stdout)
    for field in whole["fields"]:
        assert f"\n{field['field']}: {field['distinct']} different\n" in text
    assert "left out, unique: audit_id" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "no logs named"),
        (("missing.log",), "nothing to read"),
        (("verb:(", PLAIN), "filter, character 7"),
        ((PLAIN, "-n", "0"), "--most"),
    ],
)
def test_what_cannot_be_done_is_an_error_with_a_hint(words: tuple[str, ...], says: str) -> None:
    answer = run(*words)
    assert answer.returncode == 2
    assert says in answer.stderr
    assert "hint:" in answer.stderr
