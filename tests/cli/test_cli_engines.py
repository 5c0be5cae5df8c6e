"""Options that say who asks: Spark asks stores."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("kubewitness"))
COMMANDS = [["scan"], ["hunt", "verb:get"], ["sql", "SELECT 1"], ["facets"]]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("options", "hint"), [(["--engine", "spark"], "--store DIR"), (["--spark-master", "local"], "add --engine spark")]
)
def test_options_that_do_not_fit_are_told(words: list[str], options: list[str], hint: str) -> None:
    done = subprocess.run([COMMAND, *words, "audit.log", *options], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert hint in done.stderr
