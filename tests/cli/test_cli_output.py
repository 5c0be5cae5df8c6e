"""What becomes of a command whose output nobody takes: a reader that goes away, a disk that is full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("kubewitness"))
ATTACK = str(Path(__file__).parents[2] / "examples" / "aks-attack")
# Each is more than a pipe holds, so that the command cannot have ended before its reader goes away.
LONG = {
    "lines": ("policy", "apply", "builtin:request-response", ATTACK, "--quiet"),
    "a table": ("hunt", "verb:*", ATTACK, "--most", "100000"),
    "one document": ("scan", ATTACK, "--format", "json"),
}
ENVIRONMENTS = {
    "buffered": {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
    "unbuffered": {**os.environ, "PYTHONUNBUFFERED": "1"},
}


@pytest.mark.parametrize(
    "words",
    [
        ("actor", "system:serviceaccount:shop:ci-deployer", ATTACK),
        ("compare", ATTACK, "--split", "2026-11-17T09:00:00Z"),
        ("coverage", ATTACK),
        ("hunt", "show", "secret-readers"),
        ("policy", "diff", "builtin:gce", "builtin:metadata"),
        ("policy", "list"),
    ],
    ids=" ".join,
)
def test_what_is_printed_fits_into_a_hundred_columns(words: tuple[str, ...]) -> None:
    lines = subprocess.run([COMMAND, *words], capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines
    assert max(map(len, lines)) <= 100
    assert not any("\\x0a" in line for line in lines)


@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
@pytest.mark.parametrize("words", LONG.values(), ids=LONG)
def test_a_reader_that_goes_away_ends_a_command_quietly(words: tuple[str, ...], environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device here")
@pytest.mark.parametrize("environment", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
@pytest.mark.parametrize("words", [*LONG.values(), ("rules", "list")], ids=[*LONG, "a little"])
def test_a_full_disk_is_told(words: tuple[str, ...], environment: dict[str, str]) -> None:
    with Path("/dev/full").open("wb") as full:
        answer = subprocess.run(
            [COMMAND, *words], stdout=full, stderr=subprocess.PIPE, env=environment, text=True, check=False
        )
    assert answer.returncode == 2
    assert answer.stderr == "error: the output cannot be written: No space left on device\n"
