"""The builtin rules on a labelled log of a real API server: every attack is found, and the rest is quiet."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "quiet.py"


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("quiet", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def quiet() -> ModuleType:
    return _script()


@pytest.fixture(scope="module")
def proof(quiet: ModuleType) -> Any:
    return quiet.prove_cluster()


def test_every_attack_is_found_by_a_rule_of_its_kind(proof: Any) -> None:
    assert len(proof.scenarios) == 21
    assert proof.missed == []


def test_healthy_work_and_look_alikes_make_few_alerts(quiet: ModuleType, proof: Any) -> None:
    assert proof.events == 37_728
    assert proof.noise_per_10k <= quiet.MOST_NOISE, [alert.explanation for alert in proof.noise]


def test_a_scenario_without_alerts_is_missed(quiet: ModuleType, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text('{"verb": "get", "requestURI": "/api", "auditID": "x", "stage": "ResponseComplete"}\n')
    truth = {"scenarios": [{"id": "A01", "name": "a look", "auditIDs": ["x"]}]}
    assert quiet.prove(quiet.scan([str(log)]), truth, {}).missed == ["A01"]
