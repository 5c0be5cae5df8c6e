"""The page about Sigma says something of every modifier that pySigma knows and of every issue of lint."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from sigma.modifiers import modifier_mapping

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "sigma.md").read_text(encoding="utf-8")


def names_in_first_column(title: str) -> list[str]:
    part = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def keys_of(node: Any) -> list[str]:
    match node:
        case dict():
            return [key for key in node if "|" in key] + [key for value in node.values() for key in keys_of(value)]
        case list():
            return [key for item in node for key in keys_of(item)]
        case _:
            return []


def test_every_modifier_has_a_row_of_its_own() -> None:
    assert sorted(names_in_first_column("Modifiers")) == sorted(modifier_mapping)


def test_every_modifier_is_tried() -> None:
    table = yaml.safe_load((ROOT / "tests" / "detect" / "sigma.yaml").read_text(encoding="utf-8"))
    tried = {modifier for key in keys_of(table["rules"]) for modifier in key.split("|")[1:]}
    assert sorted(modifier_mapping.keys() - tried) == ["expand"]  # tried with lists, in test_detect_lists.py


def test_every_issue_of_lint_has_a_row() -> None:
    sources = "".join(
        (ROOT / "src" / "kubewitness" / path).read_text(encoding="utf-8")
        for path in ("app/rulebook/lint.py", "detect/checks.py")
    )
    codes = re.findall(r'(?:WARNING|INFO|ERROR|severity|source|rule), "([a-z]+(?:-[a-z]+)*)"', sources)
    assert len(set(codes)) > 10
    assert set(codes) == set(names_in_first_column("What lint finds"))
