"""What the code has, the pages say."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kubewitness.alert.render import FORMATS
from kubewitness.alert.render.comma_separated import COLUMNS as CSV_COLUMNS
from kubewitness.alert.render.fields import (
    alert_fields,
    event_fields,
    match_fields,
    summary_fields,
)
from kubewitness.cli.application import app
from kubewitness.detect.pack import rule_files
from kubewitness.model.alert import Alert, AlertEvent, Match, Report, Severity
from kubewitness.model.event import COLUMNS, Action, ActorKind
from kubewitness.model.ledger import Ledger
from kubewitness.words.plain import ledger_fields

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from cyclopts import App

EVENT = AlertEvent("id", "ResponseComplete", "a.log", 1, None, {})
ALERT = Alert(
    rule_id="r", title="t", severity=Severity.LOW, catalogue=(), techniques=(), cluster=None, actor=None,
    source_ips=(), user_agents=(), objects=(), first_at=None, last_at=None, count=1, events=(EVENT,),
    explanation="", next_steps="",
)  # fmt: skip
REPORT = Report(
    ledger=Ledger(), alerts=(ALERT,), matches=(), clusters=(), first_at=None, last_at=None, rules=1,
    remarks=(), duration_s=0.0,
)  # fmt: skip
MATCH = Match("r", (), Severity.LOW, None, None, "a.log", 1, None, None)
SCENARIOS = (
    "Unauthorized access attempt",
    "Successful pod deletion",
    "Creating a secret",
    "Changing roles or bindings",
    "Access from a suspicious IP",
    "Excessive API calls",
)
VERBS = ("get", "list", "watch", "create", "delete", "update", "patch", "proxy", "bind", "impersonate")


@pytest.fixture(scope="module")
def pages(generate: ModuleType) -> dict[Path, str]:
    written: dict[Path, str] = generate.pages()
    return written


def test_generated_pages_are_up_to_date(pages: dict[Path, str]) -> None:
    stale = [path.name for path, text in pages.items() if not path.exists() or path.read_text("utf-8") != text]
    assert not stale, f"run `make docs`: {stale}"


def test_the_transcript_in_the_readme_has_the_ledger(pages: dict[Path, str], root: Path) -> None:
    assert re.search(r"^ledger: [\d,]+ read = .* rejected$", pages[root / "README.md"], re.MULTILINE)


def test_every_column_is_documented(root: Path) -> None:
    page = (root / "docs/reference/columns.md").read_text("utf-8")
    assert [column.name for column in COLUMNS if f"| `{column.name}` |" not in page] == []
    assert [column.api for column in COLUMNS if column.api and f"`{column.api}`" not in page] == []


def test_every_rule_is_documented(root: Path) -> None:
    ids = [path.stem for path in rule_files(root / "src/kubewitness/rules")]
    index = (root / "docs/reference/rules.md").read_text("utf-8")
    assert ids
    assert [rule_id for rule_id in ids if f"](rules/{rule_id}.md)" not in index] == []
    assert sorted(path.stem for path in (root / "docs/reference/rules").glob("*.md")) == sorted(ids)


def test_a_page_of_a_rule_says_what_it_needs_and_shows_events(root: Path) -> None:
    sections = (
        "What and why", "What it needs", "What can feed it", "Harmless causes", "What to check next",
        "Events on which it alerts", "Events on which it does not",
    )  # fmt: skip
    missing = [
        (path.stem, section)
        for path in (root / "docs/reference/rules").glob("*.md")
        for section in sections
        if f"\n## {section}\n" not in path.read_text("utf-8")
    ]
    assert missing == []


def test_pages_of_rules_that_are_gone_are_found(generate: ModuleType, pages: dict[Path, str], root: Path) -> None:
    assert generate.gone(pages) == []
    page = root / "docs/reference/rules/exec-into-pod.md"
    assert generate.gone({path: text for path, text in pages.items() if path != page}) == [page]


def test_every_command_and_option_is_documented(root: Path) -> None:
    page = (root / "docs/reference/cli.md").read_text("utf-8")
    missing: list[str] = []
    for words, command in _commands(app):
        section = page.partition(f"\n## {words}\n")[2].partition("\n## ")[0]
        found = [name for argument in command.assemble_argument_collection() for name in argument.names]
        names = [name for name in found if name != "*"]  # the name of a group of options
        missing += [f"{words} {name}" for name in names if f"`{name}`" not in section]
    assert missing == []


def test_every_action_and_kind_of_actor_is_documented(root: Path) -> None:
    page = (root / "docs/reference/actions.md").read_text("utf-8")
    assert [value for value in (*Action, *ActorKind) if f"| `{value}` |" not in page] == []


def test_every_format_and_key_of_a_report_is_documented(root: Path) -> None:
    page = (root / "docs/reference/report-formats.md").read_text("utf-8")
    keys = {
        *FORMATS, *summary_fields(REPORT), *ledger_fields(REPORT.ledger), *alert_fields(ALERT),
        *event_fields(EVENT), *match_fields(MATCH), *CSV_COLUMNS, *Severity,
    }  # fmt: skip
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


def test_the_contract_of_json_has_no_key_that_is_not_there(root: Path) -> None:
    page = (root / "docs/reference/report-formats.md").read_text("utf-8")
    section = page.partition("\n### alerts\n")[2].partition("\n### ")[0]
    documented = {
        key for line in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for key in re.findall(r"`(\w+)`", line)
    }
    assert documented == set(alert_fields(replace(ALERT, count=2)))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_has_its_rules_and_a_command(scenario: str, root: Path) -> None:
    page = (root / "docs/explanation/what-audit-logs-are.md").read_text("utf-8")
    section = page.partition(f"\n### {scenario}\n")[2].partition("\n#")[0]
    assert "../reference/rules/" in section
    assert "```sh\nkubewitness scan " in section


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_names_rules_that_exist(verb: str, root: Path) -> None:
    page = (root / "docs/explanation/what-audit-logs-are.md").read_text("utf-8")
    row = re.search(rf"^\| {verb} \|.*\|$", page, re.MULTILINE)
    assert row is not None
    named = re.findall(r"`([\w-]+)`", row[0].rsplit("|", 2)[1])
    ids = {path.stem for path in rule_files(root / "src/kubewitness/rules")}
    assert named
    assert set(named) <= ids


def test_every_decision_is_listed(root: Path) -> None:
    index = (root / "docs/README.md").read_text("utf-8")
    names = [path.name for path in (root / "docs/decisions").glob("*.md")]
    assert names
    assert [name for name in names if f"(decisions/{name})" not in index] == []


def test_every_page_is_reached_from_the_index(root: Path) -> None:
    index = (root / "docs/README.md").read_text("utf-8")
    pages = [path.relative_to(root / "docs").as_posix() for path in (root / "docs").rglob("*.md")]
    index += (root / "docs/reference/rules.md").read_text("utf-8").replace("(rules/", "(reference/rules/")
    assert [page for page in pages if page != "README.md" and f"({page})" not in index] == []


def _commands(parent: App, words: str = "") -> Iterator[tuple[str, App]]:
    for name in parent:
        if name.startswith("-"):
            continue
        command = parent[name]
        if command.default_command is not None:
            yield f"{words}{name}", command
        yield from _commands(command, f"{words}{name} ")
