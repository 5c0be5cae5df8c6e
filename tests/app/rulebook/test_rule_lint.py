"""What lint says of rules: a table of rules and issues, files of several rules, rules as they are published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import yaml

from kubewitness.app.rulebook.lint import lint_rules
from kubewitness.detect.pack import load_pack
from kubewitness.model.issue import Issue, IssueSeverity, is_valid

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "lint.yaml").read_text(encoding="utf-8"))
PUBLISHED = Path(__file__).parents[2] / "fixtures" / "published"
HEAD: dict[str, Any] = {
    "title": "A rule",
    "id": "0a0f1cf0-6d2e-4b4f-9a7e-1d6c3d0f5a11",
    "logsource": {"product": "kubernetes", "service": "audit"},
    "level": "informational",
    "class": "audit-trail",
    "tags": ["attack.t1609"],
}
MADE_UP = {"case", "says"}
# The pack may well say more, and as loudly, than a rule of the table.
BESIDE = {"duplicate", "shadowed"}


def text_of(row: Mapping[str, Any], number: int) -> str:
    own = {key: value for key, value in row.items() if key not in MADE_UP}
    outer = {key: own.pop(key) for key in list(own) if key in {*HEAD, "explain", "correlation"}}
    if isinstance(own.get("filter"), dict) and "rules" in own["filter"]:
        outer["filter"] = own.pop("filter")
    names = {"name": f"rule-{number}", "id": str(UUID(int=number))}
    document = {key: value for key, value in (HEAD | names | outer).items() if value is not None}
    if own:
        document["detection"] = {"condition": "s"} | own
    if "correlation" in document:
        del document["logsource"]
    return yaml.safe_dump(document, sort_keys=False, width=500)


@pytest.fixture(scope="module")
def linted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[str], list[Issue]]]:
    """Case to the lines of its file and what lint says of it; all files of one folder."""
    folder = tmp_path_factory.mktemp("rules")
    for number, row in enumerate(ROWS):
        (folder / f"{number}.yml").write_text(text_of(row, number), encoding="utf-8")
    issues = [issue for issue in lint_rules(folder) if issue.code not in BESIDE | {"cases-missing"}]
    return {
        row["case"]: (
            text_of(row, number).splitlines(),
            [issue for issue in issues if Path(issue.path).stem == str(number)],
        )
        for number, row in enumerate(ROWS)
    }


@pytest.mark.parametrize("row", ROWS, ids=[row["case"] for row in ROWS])
def test_lint_says_what_is_wrong_and_where(
    row: dict[str, Any], linted: dict[str, tuple[list[str], list[Issue]]]
) -> None:
    lines, issues = linted[row["case"]]
    assert sorted((issue.code, issue.severity.value) for issue in issues) == sorted(
        (code, severity) for code, _, severity in row.get("says", [])
    )
    for code, quoted, _ in row.get("says", []):
        place = next(issue for issue in issues if issue.code == code)
        assert place.line is not None
        line = lines[place.line - 1]
        assert quoted in line
        if place.column is not None and code not in {"not-loaded", "list-unknown"}:
            assert line[place.column - 1 :].lstrip("'\"*").startswith(quoted)


def test_every_issue_has_a_message_and_mostly_a_hint(linted: dict[str, tuple[list[str], list[Issue]]]) -> None:
    issues = [issue for _, found in linted.values() for issue in found]
    assert all(issue.message and not issue.message.endswith(".") for issue in issues)
    without = {issue.code for issue in issues if issue.hint is None}
    assert without <= {"never-matches", "part-never-holds", "not-loaded"}


def write(folder: Path, name: str, **parts: Any) -> None:
    document = HEAD | {"name": name} | parts
    (folder / f"{name}.yml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def codes(issues: list[Issue]) -> set[tuple[str, str]]:
    return {(Path(issue.path).stem, issue.code) for issue in issues if issue.code in BESIDE}


WIDGETS = {"objectRef.resource": "widgets", "verb": ["get", "list"]}


def test_rules_that_say_the_same_are_found_whatever_their_spelling(tmp_path: Path) -> None:
    write(tmp_path, "one", detection={"s": WIDGETS, "condition": "s"})
    write(tmp_path, "two", detection={
        "a": {"verb": "LIST"}, "b": {"verb": "get"}, "c": {"objectRef.resource": "Widgets"},
        "condition": "c and (a or b)",
    })  # fmt: skip
    assert codes(lint_rules(tmp_path)) == {("one", "duplicate"), ("two", "duplicate")}


def test_a_rule_that_adds_nothing_to_a_wider_one_is_found(tmp_path: Path) -> None:
    write(tmp_path, "wide", detection={"s": WIDGETS, "condition": "s"}, level="low")
    narrow = {"s": WIDGETS, "t": {"user.username|startswith": "a"}, "condition": "s and t"}
    write(tmp_path, "narrow", detection=narrow, level="low")
    write(
        tmp_path, "narrow-and-loud", detection=narrow | {"u": {"verb": "get"}, "condition": "all of them"}, level="high"
    )
    write(
        tmp_path,
        "narrow-and-core",
        detection=narrow | {"u": {"verb": "list"}, "condition": "all of them"},
        **{"class": "core"},
    )
    assert codes(lint_rules(tmp_path)) == {("narrow", "shadowed")}


def test_a_rule_that_repeats_a_builtin_one_is_found_but_not_one_that_replaces_it(tmp_path: Path) -> None:
    builtin = next(rule for rule in load_pack().rules if rule.info.id == "exec-into-pod")
    assert builtin.predicate is not None
    text = (Path(__file__).parents[3] / "src/kubewitness/rules/execution/exec-into-pod.yml").read_text("utf-8")
    (tmp_path / "mine.yml").write_text(text, encoding="utf-8")
    assert codes(lint_rules(tmp_path)) == set()
    (tmp_path / "mine.yml").write_text(text.replace("name: exec-into-pod", "name: mine"), encoding="utf-8")
    assert codes(lint_rules(tmp_path)) == {("mine", "duplicate")}


def test_rules_as_they_are_published_load_and_their_quirks_are_named() -> None:
    assert len(load_pack([PUBLISHED], builtin=False).rules) == len(list(PUBLISHED.glob("*.yml")))
    issues = lint_rules(PUBLISHED)
    quirks = {
        (Path(issue.path).stem.removeprefix("kubernetes_audit_"), issue.code, issue.severity.value)
        for issue in issues
        if issue.code in {"value-impossible", "never-matches", "field-renamed", "not-loaded"}
    }
    assert quirks == {
        ("webhook_change", "value-impossible", "warning"),
        ("job_change", "value-impossible", "warning"),
        ("node_path", "field-renamed", "info"),
        ("asks_rights", "field-renamed", "info"),
        ("many_probes", "value-impossible", "warning"),
        ("many_probes", "never-matches", "error"),
    }
    assert not is_valid(issues)


def test_no_builtin_rule_has_an_error_or_a_warning() -> None:
    assert [issue for issue in lint_rules() if issue.severity is not IssueSeverity.INFO] == []
