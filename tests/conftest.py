"""How tests share processes: those of one file stay together, and so do all that start a Spark cluster."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Name a group for each test: what a group sets up is set up once, and two clusters never run at once."""
    for item in items:
        group = "spark" if "spark" in item.path.name else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
