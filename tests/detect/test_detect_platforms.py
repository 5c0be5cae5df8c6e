"""Platforms: how a log shows them, and that only the whole of who, where from and what is harmless on them."""

from __future__ import annotations

import json
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewitness.app.scan import ScanOptions, scan
from kubewitness.cli.scan import Platform as PlatformOption
from kubewitness.detect.attaching import plan_with_exceptions
from kubewitness.detect.excepting import ANY
from kubewitness.detect.exceptions import SOURCES, names
from kubewitness.detect.pack import Pack, load_pack
from kubewitness.detect.platforms import builtin_platforms, with_signs

if TYPE_CHECKING:
    from kubewitness.detect.plan import Plan
    from kubewitness.model.alert import Report

TABLE = yaml.safe_load((Path(__file__).parent / "platforms.yaml").read_text(encoding="utf-8"))
EXCEPTIONS = [each for platform in builtin_platforms() for each in platform.exceptions]
# Whoever holds a stolen credential is told by these: no platform may be deaf to them.
NEVER = ("*-credential-*", "access-from-*", "local-admin-used", "decoy-*", "audit-id-reused", "offensive-tool")


@pytest.fixture(scope="module")
def plan() -> Plan:
    """A plan of the rules in the table alone: fewer rules are planned sooner."""
    wanted = {row["rule"] for row in TABLE}
    rules = tuple(rule for rule in load_pack().rules if rule.info.id in wanted)
    return with_signs(plan_with_exceptions(Pack(rules), EXCEPTIONS, date(2027, 1, 1)), builtin_platforms())


def run(folder: Path, plan: Plan, events: list[dict[str, Any]], platform: str) -> Report:
    defaults = {"stage": "ResponseComplete", "sourceIPs": ["10.0.0.9"], "responseStatus": {"code": 200}}
    file = folder / "audit.log"
    numbered = (
        {"auditID": str(number), "requestReceivedTimestamp": f"2026-11-23T08:{number:02}:00Z"} | event
        for number, event in enumerate(events)
    )
    file.write_text("\n".join(json.dumps(defaults | event) for event in numbered), encoding="utf-8")
    return scan([str(file)], plan, ScanOptions(matches=True, platform=platform))


@pytest.mark.parametrize("platform", sorted({row["platform"] for row in TABLE}))
def test_what_a_platform_does_is_silent_and_the_same_from_elsewhere_is_not(
    platform: str, plan: Plan, tmp_path: Path
) -> None:
    rows = [row for row in TABLE if row["platform"] == platform]
    events = [event for row in rows for event in (row["event"], row["event"] | row["elsewhere"])]
    given = "auto" if platform == ANY else platform
    matched = {(match.rule_id, match.line) for match in run(tmp_path, plan, events, given).matches}
    without = {(match.rule_id, match.line) for match in run(tmp_path, plan, events, "none").matches}
    for number, row in enumerate(rows):
        own, elsewhere = (row["rule"], 2 * number + 1), (row["rule"], 2 * number + 2)
        assert own in without, f"{row['exception']}: the rule does not alert on it anyway"
        assert own not in matched, row["exception"]
        assert elsewhere in matched, row["exception"]


def test_every_exception_of_a_platform_has_an_event_that_shows_what_it_is_for() -> None:
    shown = {row["exception"] for row in TABLE}
    assert {each.info.id for each in EXCEPTIONS} == shown


def test_every_exception_of_a_platform_is_about_rules_that_there_are() -> None:
    rules = [rule.info.id for rule in load_pack().alerting]
    unknown = [
        (each.info.id, pattern)
        for each in EXCEPTIONS
        for pattern in each.info.rules
        if not any(fnmatchcase(rule, pattern) for rule in rules)
    ]
    assert not unknown


def test_no_platform_is_deaf_to_stolen_credentials() -> None:
    rules = [rule.info.id for rule in load_pack().alerting]
    deaf = [
        (each.info.id, rule)
        for each in EXCEPTIONS
        for rule in rules
        if any(fnmatchcase(rule, pattern) for pattern in each.info.rules)
        and any(fnmatchcase(rule, pattern) for pattern in NEVER)
    ]
    assert not deaf


def test_every_exception_of_a_platform_names_a_source() -> None:
    assert all(names(each.predicate, SOURCES) for each in EXCEPTIONS)


def test_the_shared_administrator_is_never_harmless() -> None:
    texts = [repr(each.predicate).lower() for each in EXCEPTIONS]
    assert not any("masterclient" in text or "clusteradmin" in text for text in texts)


def test_every_platform_can_be_given() -> None:
    known = {platform.name for platform in builtin_platforms() if platform.signs}
    assert {each.value for each in PlatformOption} == {*known, "auto", "none"}


SIGNS: list[tuple[str | None, dict[str, Any]]] = [
    ("aks", {"user": {"username": "aksService"}}),
    ("aks", {"user": {"username": "system:node:aks-pool-12345678-vmss000000"}}),
    ("eks", {"user": {"username": "eks:node-manager"}}),
    ("gke", {"user": {"username": "system:gke-controller-manager"}}),
    ("openshift", {"user": {"username": "system:serviceaccount:openshift-apiserver:default"}}),
    ("kubeadm", {"user": {"username": "kubernetes-admin"}}),
    ("k3s", {"user": {"username": "system:k3s-controller"}}),
    (None, {"user": {"username": "alice"}}),
]


@pytest.mark.parametrize(("platform", "event"), SIGNS)
def test_a_log_shows_its_platform(platform: str | None, event: dict[str, Any], plan: Plan, tmp_path: Path) -> None:
    report = run(tmp_path, plan, [event | {"verb": "get", "requestURI": "/api"}], "auto")
    assert [(each.platform, each.is_given) for each in report.platforms] == [(platform, False)]


def test_each_cluster_has_a_platform_of_its_own(plan: Plan, tmp_path: Path) -> None:
    resource_id = "/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/"
    file = tmp_path / "audit.log"
    events = [
        {"verb": "get", "requestURI": "/api", "user": {"username": user}, "stage": "ResponseComplete"}
        for user in ("alice", "eks:node-manager")
    ]
    azure = {"category": "kube-audit", "resourceId": f"{resource_id}SHOP", "time": "2026-11-23T08:00:00Z"}
    lines = [azure | {"properties": {"log": json.dumps(events[0])}}, events[1]]
    file.write_text("\n".join(map(json.dumps, lines)))
    report = scan([str(file)], plan)
    assert [(bool(each.cluster), each.platform) for each in report.platforms] == [(False, "eks"), (True, "aks")]
