"""Lint of policies: what it says of each of a table of policies, and what it mends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.policy.lint import fix, lint
from kubewitness.policy.load import load_policy

CASES = yaml.safe_load(Path(__file__).with_name("lint.yaml").read_text("utf-8"))
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"


def text_of(case: dict[str, Any]) -> bytes:
    if "text" in case:
        return str(case["text"]).encode()
    return (HEAD + yaml.safe_dump({"rules": case["rules"]}, sort_keys=False)).encode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["about"])
def test_lint_says_what_is_wrong_and_where(case: dict[str, Any]) -> None:
    linted = lint(text_of(case))
    said: dict[str, set[int | None]] = {}
    for issue in linted.issues:
        said.setdefault(issue.code, set()).add(issue.mark.line if issue.mark else None)
    for code, line in case.get("says", {}).items():
        assert line in said.get(code, ()), said
    if case.get("all"):
        assert set(said) == set(case.get("says", {})), said
    assert linted.is_valid == (load_policy(text_of(case)).policy is not None)


@pytest.mark.parametrize("case", [case for case in CASES if "fixed" in case], ids=lambda case: case["about"])
def test_obvious_repairs_are_made(case: dict[str, Any]) -> None:
    text, mended = fix(text_of(case))
    assert mended
    for wanted in case["fixed"]:
        assert wanted in text.decode()
    assert not any(issue.edit for issue in lint(text).issues)


def test_what_needs_no_repair_stays_as_it_is() -> None:
    text = text_of(CASES[0])
    assert fix(text) == (text, [])


def test_json_is_mended_where_it_stands() -> None:
    text = b'{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "None", "verbs": ["replace"]}]}'
    mended, issues = fix(text)
    assert b'"verbs": ["update"]' in mended
    assert [issue.code for issue in issues] == ["no-audit-verb"]


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_lint_takes_any_text(data: bytes) -> None:
    assert lint(data).is_valid == (load_policy(data).policy is not None)
    fix(data)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules: [{level: None}]\n", "write apiVersion"),
        ("apiVersion: v1\nkind: ConfigMap\ndata: {}\n", "the policy is the text under `data`"),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n\t- level: None\n", "not with tabs"),
    ],
)
def test_a_refusal_that_people_meet_often_has_a_hint(text: str, hint: str) -> None:
    hints = [issue.hint for issue in lint(text.encode()).issues if issue.code == "invalid"]
    assert any(hint in (each or "") for each in hints)
