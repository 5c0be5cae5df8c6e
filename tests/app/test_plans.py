from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubewitness.app.plans import plan_rules
from kubewitness.model.errors import RuleError

if TYPE_CHECKING:
    from pathlib import Path

RULE = """
title: A read
name: a-read
logsource: {product: kubernetes, service: audit}
detection: {read: {verb: VERB}, condition: read}
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a-read.yml").write_text(RULE.replace("VERB", "get"))
    return folder


def test_a_plan_comes_back_from_the_cache_as_it_was_made(rules: Path, tmp_path: Path) -> None:
    made = plan_rules([rules])
    assert len(list((tmp_path / "cache" / "kubewitness").iterdir())) == 1
    assert plan_rules([rules]) == made


def test_a_changed_rule_is_planned_again(rules: Path) -> None:
    before = plan_rules([rules], builtin=False)
    (rules / "a-read.yml").write_text(RULE.replace("VERB", "list"))
    after = plan_rules([rules], builtin=False)
    assert before.rules == after.rules
    assert before.kinds != after.kinds


def test_a_broken_cache_is_no_error(rules: Path, tmp_path: Path) -> None:
    made = plan_rules([rules], builtin=False)
    for path in (tmp_path / "cache" / "kubewitness").iterdir():
        path.write_text("{")
    assert plan_rules([rules], builtin=False) == made


def test_a_cache_that_cannot_be_written_is_no_error(
    rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(plan_rules([rules], builtin=False).rules) == 1


def test_a_rule_that_cannot_be_loaded_says_where(rules: Path) -> None:
    (rules / "worse.yml").write_text("title: [")
    with pytest.raises(RuleError, match=r"worse\.yml"):
        plan_rules([rules], builtin=False)


def test_a_changed_list_is_planned_again(rules: Path, tmp_path: Path) -> None:
    (rules / "a-read.yml").write_text(RULE.replace("verb: VERB", "verb|expand: '%verbs%'"))
    lists = tmp_path / "verbs.txt"
    lists.write_text("get # reading")
    before = plan_rules([rules], builtin=False, lists=[lists])
    lists.write_text("put # writing")
    after = plan_rules([rules], builtin=False, lists=[lists])
    assert before != after
    assert plan_rules([rules], builtin=False, lists=[lists]) == after
