"""The walkthroughs show what the commands print: every transcript in them is run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from kubewitness.cli.application import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "how-to").glob("investigate-*.md"))
BLOCK = re.compile(r"^```(text|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LEFT_OUT = "..."

Transcript = tuple[str, tuple[str, ...]]


def _transcripts(page: Path) -> list[Transcript]:
    """Commands of a page, each with the lines that are shown of its answer."""
    found: list[tuple[str, list[str]]] = []
    for language, block in BLOCK.findall(page.read_text("utf-8")):
        for line in block.splitlines():
            if line.startswith("$ ") or language == "sh":
                found.append((line.removeprefix("$ "), []))
            elif line != LEFT_OUT:
                found[-1][1].append(line)
    return [(command, tuple(lines)) for command, lines in found]


ALL = [(page, *transcript) for page in PAGES for transcript in _transcripts(page)]


@pytest.fixture(autouse=True)
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone as the pages assume it, that takes what commands write."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)


def test_there_are_two_walkthroughs_with_transcripts() -> None:
    assert {page.name for page in PAGES} == {"investigate-a-hidden-change.md", "investigate-a-stolen-token.md"}
    assert sum(bool(lines) for _, _, lines in ALL) >= 12


@pytest.mark.parametrize(
    ("page", "command", "lines"), ALL, ids=[f"{page.stem}: {command[12:90]}" for page, command, _ in ALL]
)
def test_a_command_answers_as_the_page_says(
    page: Path, command: str, lines: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    program, *words = shlex.split(command)
    assert program == "kubewitness", page
    assert not app(words, exit_on_error=False, print_error=False, result_action="return_value")
    answer = iter(capsys.readouterr().out.splitlines())
    for line in lines:
        assert line in answer, f"{page.name}: not in the answer, or not in this order: {line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_chart_shows_the_lanes_of_its_timeline(page: Path) -> None:
    ((chart,)) = re.findall(r"\]\((images/\S+\.svg)\)", page.read_text("utf-8"))
    drawing = (page.parent / chart).read_text("utf-8")
    address = {"stolen-token": "203.0.113.77", "stolen-admin": "127.0.0.99"}[Path(chart).stem]
    assert drawing.startswith("<svg")
    assert address in drawing
    assert "refused" in drawing
