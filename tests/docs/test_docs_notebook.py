"""The tutorial for notebooks is run as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_every_block_of_the_notebook_tutorial_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = _BLOCK.findall((ROOT / "docs" / "tutorial-notebook.md").read_text("utf-8"))
    assert len(blocks) >= 8
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "tutorial-notebook.md", "exec"), names)  # noqa: S102 - that is the point
    assert "events, " in capsys.readouterr().out


def test_the_reference_names_everything_that_a_log_and_a_table_have() -> None:
    from kubewitness.api import Log, Table  # noqa: PLC0415

    page = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
    for kind in (Log, Table):
        public = [name for name in vars(kind) if not name.startswith("_")]
        assert [name for name in public if f"`{name}" not in page and f"{name}(" not in page] == []
