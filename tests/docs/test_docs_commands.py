"""Every command in the pages is a command; those on data that comes with the project are run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from kubewitness.cli.application import app
from kubewitness.cli.logs import LogOptions

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
RULE_FILE = re.compile(r"# (my-rules/\S+)\n")
ENDS = {"|", ">", ">>", "&&", ";"}


def _commands(page: Path) -> list[tuple[str, ...]]:
    """The words of each kubewitness command in the fenced blocks of a page, without what follows it."""
    found: list[tuple[str, ...]] = []
    for language, block in BLOCK.findall(page.read_text("utf-8")):
        if language not in {"sh", "text", "yaml"}:
            continue
        for line in block.replace("\\\n", " ").splitlines():
            command = re.search(
                r"^(?:\$ |\s*- run: |[^#']*\| )?(kubewitness (?:scan|rules|timeline|object)\b.*)$", line
            )
            if command is not None:
                words = shlex.split(command[1])[1:]
                end = next((index for index, word in enumerate(words) if word in ENDS), len(words))
                found.append(tuple(words[:end]))
    return found


ALL = sorted({(page, command) for page in PAGES for command in _commands(page)})


def _is_runnable(command: tuple[str, ...]) -> bool:
    """Whether the command reads nothing, or only what comes with the project or with its page."""
    if "-" in command:
        return False
    _, bound, _ = app.parse_args(list(command), exit_on_error=False, print_error=False)
    named: list[object] = []
    for name, value in bound.arguments.items():
        if isinstance(value, LogOptions) and value.store is not None:
            named.append(value.store)
        elif name not in {"output", "rule_id"}:
            named += value if isinstance(value, list | tuple) else [value]
    paths = [str(each) for each in named if isinstance(each, Path) or type(each) is str]
    times = re.compile(r"\d{4}-\d\d-\d\dT")
    return all(path.startswith(("examples/", "src/", "my-rules")) or times.match(path) for path in paths)


TUTORIAL = _commands(ROOT / "docs/tutorial.md")
RUNNABLE = sorted({command for _, command in ALL if _is_runnable(command)})
SHOWN = [command for command in RUNNABLE if command in TUTORIAL and command[0] == "scan" and "-o" not in command]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone as the pages assume it, with the rules of the how-to, that takes what commands write."""
    for name in ("examples", "src"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "my-rules").mkdir()
    for _, block in BLOCK.findall((ROOT / "docs/how-to/write-a-rule.md").read_text("utf-8")):
        if (found := RULE_FILE.match(block)) is not None:
            (tmp_path / found[1]).write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_commands_to_look_at() -> None:
    assert len(ALL) > 20
    assert {"README.md", "tutorial.md", "write-a-rule.md"} <= {page.name for page, _ in ALL}
    assert ("rules", "test", "my-rules") in RUNNABLE
    assert len(RUNNABLE) > 10


@pytest.mark.parametrize(
    ("page", "command"), ALL, ids=lambda each: each.name if isinstance(each, Path) else " ".join(each)
)
def test_a_documented_command_parses(page: Path, command: tuple[str, ...]) -> None:
    found, _, _ = app.parse_args(list(command), exit_on_error=False, print_error=False)
    assert callable(found), page


@pytest.mark.parametrize("command", RUNNABLE, ids=" ".join)
def test_a_documented_command_runs(command: tuple[str, ...], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = app(list(command), exit_on_error=False, print_error=False, result_action="return_value")
    out, err = capsys.readouterr()
    assert not result, err or out
    assert out or [each for suffix in ("html", "json", "yml") for each in folder.glob(f"*.{suffix}")]
    if command in SHOWN:
        assert not out.startswith("0 alerts"), "a scan in the tutorial finds something"
