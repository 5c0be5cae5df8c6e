"""What is said of a file of exceptions, by the use case and by the command."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewitness.app.exception_lint import lint_exceptions
from kubewitness.cli.application import app
from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {
    "id": "reconciliation",
    "rule": "exec-into-pod",
    "match": {"actor": "carol", "action": "exec"},
    "reason": "r",
    "owner": "o",
    "expires": date(2027, 3, 31),
}
TODAY = date(2027, 1, 1)


@pytest.mark.parametrize(
    ("own", "code"),
    [
        ({}, None),
        ({"match": {"actor": "carol"}}, "refused"),
        ({"rule": "exec-into-bod"}, "rule-unknown"),
        ({"rule": "*"}, "all-rules"),
        ({"expires": date(2026, 12, 31)}, "expired"),
        ({"expires": date(2029, 1, 1)}, "long-lived"),
    ],
)
def test_each_thing_that_is_wrong_has_a_code_a_line_and_a_hint(
    tmp_path: Path, own: dict[str, Any], code: str | None
) -> None:
    file = tmp_path / "e.yml"
    file.write_text("# ours\n" + yaml.safe_dump([GOOD | own]))
    issues = lint_exceptions(file, today=TODAY)
    assert [issue.code for issue in issues] == ([code] if code else [])
    assert all(issue.line == 2 and issue.hint and issue.path == str(file) for issue in issues)


def test_two_exceptions_of_one_id_are_confusing(tmp_path: Path) -> None:
    file = tmp_path / "e.yml"
    file.write_text(yaml.safe_dump([GOOD, GOOD]))
    assert [issue.code for issue in lint_exceptions(file, today=TODAY)] == ["id-taken"]


def test_a_file_that_is_not_there_is_a_mistake_of_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        lint_exceptions(tmp_path / "none.yml")


@pytest.mark.parametrize(("match", "code"), [({"actor": "carol"}, 1), ({"actor": "carol", "action": "exec"}, 0)])
def test_the_command_exits_with_1_when_an_exception_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], match: dict[str, str], code: int
) -> None:
    file = tmp_path / "e.yml"
    file.write_text(yaml.safe_dump([GOOD | {"match": match, "expires": date(2099, 1, 1)}]))
    words = ["exceptions", "lint", str(file)]
    assert app([*words, "--format", "json"], exit_on_error=False, result_action="return_value") == code
    answer = json.loads(capsys.readouterr().out)
    assert answer["valid"] is (code == 0)
    assert app(words, exit_on_error=False, result_action="return_value") == code
    assert ("refused" in capsys.readouterr().out) is (code == 1)
