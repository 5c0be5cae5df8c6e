"""What the policy workbench has, the pages say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubewitness.policy.coverage import Cause, Verdict

if TYPE_CHECKING:
    from pathlib import Path


def test_every_check_of_policy_lint_is_documented(root: Path) -> None:
    page = (root / "docs/reference/policy-lint.md").read_text("utf-8")
    folder = root / "src/kubewitness/policy/lint"
    codes = {
        code
        for file in folder.glob("*.py")
        for code in re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"', file.read_text("utf-8"))
        if code != "utf-8"
    } | {"invalid", "ignored"}
    assert len(codes) > 15
    assert [code for code in sorted(codes) if f"`{code}`" not in page] == []


def test_every_verdict_and_cause_of_coverage_is_documented(root: Path) -> None:
    page = (root / "docs/explanation/coverage.md").read_text("utf-8")
    assert [verdict for verdict in Verdict if f"| {verdict} |" not in page] == []
    assert [cause for cause in Cause if f"`{cause}`" not in page] == []
