"""Scanning a handful of events with a handful of rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.scan import ScanOptions, scan
from kubewitness.detect.linking import link_rules
from kubewitness.detect.pack import Pack
from kubewitness.detect.planning import build_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kubewitness.detect.rule import Rule
    from kubewitness.model.alert import Report

    Scan = Callable[..., Report]


@pytest.fixture(scope="session")
def scan_events(tmp_path_factory: pytest.TempPathFactory) -> Scan:
    """A function that scans events with rules and lists the matches; event n stands on line n."""
    file = tmp_path_factory.mktemp("scan") / "audit.log"

    def report_of(rules: Sequence[Rule], events: Sequence[Mapping[str, Any]], **options: Any) -> Report:
        file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
        return scan([str(file)], build_plan(Pack(link_rules(rules))), ScanOptions(**{"matches": True} | options))

    return report_of
