"""What timelines and objects can say stands in the reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.investigate.deletions import DeletionKind
from kubewitness.investigate.kinds import ActionKind
from kubewitness.investigate.requests import Ending
from kubewitness.investigate.writes import Evidence

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "timelines.md").read_text("utf-8")


@pytest.mark.parametrize("value", [*ActionKind, *Ending, *Evidence, *DeletionKind], ids=lambda each: each.value)
def test_every_value_is_explained(value: str) -> None:
    assert any(line.startswith("|") and f"`{value}`" in line.split("|")[1] for line in PAGE.splitlines()), value
