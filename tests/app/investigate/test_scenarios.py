"""Attacks of a real log, told from end to end by one timeline."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewitness.app.events import Logs
from kubewitness.app.investigate.timeline import Question, timeline
from kubewitness.investigate.actions import Action

if TYPE_CHECKING:
    from kubewitness.investigate.timeline import Timeline

CLUSTER = Path(__file__).parents[2] / "fixtures" / "cluster"
NETWORK = "127.0.0.64/26"
TOLD = yaml.safe_load((Path(__file__).parent / "scenarios.yaml").read_text("utf-8"))
SCENARIOS = {
    each["id"]: each for each in yaml.safe_load((CLUSTER / "ground_truth.yaml").read_text("utf-8"))["scenarios"]
}


@pytest.fixture(scope="module")
def told() -> Timeline:
    return timeline(Logs((str(CLUSTER / "cluster.ndjson.zst"),)), Question(source=NETWORK, alerts=False))


def _actions(found: Timeline) -> list[Action]:
    return [entry.what for entry in found.entries if isinstance(entry.what, Action)]


@pytest.mark.parametrize("scenario", TOLD)
def test_an_attack_is_told_in_order(scenario: str, told: Timeline) -> None:
    texts = iter(action.text for action in _actions(told))
    for text in TOLD[scenario]:
        assert text in texts, f"{scenario}: {text}"


@pytest.mark.parametrize("scenario", TOLD)
def test_what_an_attack_is_told_by_are_its_own_requests(scenario: str, told: Timeline) -> None:
    labelled = set(SCENARIOS[scenario]["auditIDs"])
    for text in TOLD[scenario]:
        ids = {
            request.details["audit_id"]
            for action in _actions(told)
            if action.text == text
            for request in action.requests
        }
        assert ids & labelled, f"{scenario}: {text}"


def test_every_labelled_request_from_these_addresses_is_on_the_timeline(told: Timeline) -> None:
    def is_there(scenario: dict[str, Any]) -> bool:
        return all(ip_address(each) in ip_network(NETWORK) for each in scenario["sourceIPs"])

    known = {request.details.get("audit_id") for action in _actions(told) for request in action.requests}
    wanted = {each for scenario in SCENARIOS.values() if is_there(scenario) for each in scenario["auditIDs"]}
    assert len(wanted) > 300
    assert wanted <= known
