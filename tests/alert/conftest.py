"""A rule, events and a report for the tests of this folder: made up, fixed, hostile where it matters."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.alert.build import build_alert, order_alerts
from kubewitness.model.alert import AlertEvent, Match, Report, Severity
from kubewitness.model.ledger import Ledger, Origin, Rejection
from kubewitness.model.rule import RuleClass, RuleInfo, RuleKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

START = datetime(2026, 11, 17, 8, 40)  # noqa: DTZ001 - times in the model are naive UTC
CLUSTER = (
    "/subscriptions/11111111-2222-4333-8444-555555555555/resourcegroups/rg-shop"
    "/providers/microsoft.containerservice/managedclusters/aks-shop"
)
SOURCE = "logs/PT1H.json"
ALICE: dict[str, Any] = {
    "cluster": CLUSTER,
    "username": "alice@contoso.com",
    "actor": "alice@contoso.com",
    "actor_kind": "user",
    "source_ip": "203.0.113.7",
    "user_agent": "kubectl/v1.34.1 (linux/amd64) kubernetes/93248f9",
}
SHELL = ALICE | {
    "verb": "get",
    "action": "exec",
    "resource": "pods",
    "subresource": "exec",
    "namespace": "shop",
    "name": "web-0",
    "code": 101,
    "allowed": True,
    "exec_command": "sh",
    "request_uri": "/api/v1/namespaces/shop/pods/web-0/exec?command=sh&stdin=true",
    "authorized_by": "ClusterRoleBinding ops-admins",
}
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e\x9b2J"


def make_rule(
    explain: str | None = None,
    *,
    rule_id: str = "exec-into-pod",
    title: str = "Shell or command in a container",
    severity: Severity = Severity.HIGH,
) -> RuleInfo:
    return RuleInfo(
        id=rule_id,
        title=title,
        description="Somebody ran a command in a container.",
        severity=severity,
        kind=RuleKind.SINGLE,
        rule_class=RuleClass.CORE,
        catalogue=("B01",),
        techniques=("T1609",),
        false_positives=("debugging",),
        explain=explain,
        next_steps="Ask who opened it, and read what ran in the pod afterwards.",
        references=(),
        path="rules/exec-into-pod.yml",
    )


def make_event(number: int, details: Mapping[str, Any], *, audit_id: str | None = "") -> AlertEvent:
    return AlertEvent(
        audit_id=f"00000000-0000-4000-8000-{number:012d}" if audit_id == "" else audit_id,
        stage="ResponseComplete",
        source=SOURCE,
        line=number,
        at=START + timedelta(seconds=7 * number),
        details=dict(details),
    )


def _make_report() -> Report:
    """A report of four alerts, one of them with hostile text, a match, remarks and rejections."""
    grant = make_rule(
        "gave {role} to {subjects}",
        rule_id="cluster-admin-granted",
        title="Cluster administrator rights given away",
        severity=Severity.CRITICAL,
    )
    refused = make_rule(
        "was refused {count} requests on {resources}",
        rule_id="access-refused-burst",
        title="Many refused requests in a short time, on many different resources of the cluster",
        severity=Severity.MEDIUM,
    )
    odd = make_rule(None, rule_id="odd-agent", title="Odd user agent", severity=Severity.INFORMATIONAL)
    robot = {"username": "system:serviceaccount:shop:ci", "actor": "system:serviceaccount:shop:ci"}
    alerts = (
        build_alert(make_rule("opened a shell in {object}"), [make_event(n, SHELL) for n in range(1, 4)], count=3),
        build_alert(
            grant,
            [
                make_event(
                    400,
                    ALICE
                    | robot
                    | {
                        "verb": "create",
                        "resource": "clusterrolebindings",
                        "api_group": "rbac.authorization.k8s.io",
                        "name": "metrics-reader",
                        "role_ref_kind": "ClusterRole",
                        "role_ref": "cluster-admin",
                        "subjects": ["ServiceAccount shop/ci"],
                        "code": 201,
                        "allowed": True,
                        "truncated": True,
                    },
                )
            ],
            count=1,
        ),
        build_alert(
            refused,
            [
                make_event(
                    200 + n,
                    ALICE | robot | {"verb": "list", "resource": name, "code": 403, "allowed": False},
                )
                for n, name in enumerate(("secrets", "pods", "nodes", "configmaps", "roles", "leases", "jobs"))
            ],
            count=1234,
        ),
        build_alert(
            odd,
            [
                make_event(
                    300,
                    {"user_agent": HOSTILE, "actor": HOSTILE, "request_path": "=cmd|' /C calc'!A0"},
                    audit_id=None,
                )
            ],
            count=1,
        ),
    )
    match = Match(
        "exec-into-pod",
        ("B01",),
        Severity.HIGH,
        "00000000-0000-4000-8000-000000000001",
        "ResponseComplete",
        SOURCE,
        1,
        START,
        "alice@contoso.com",
    )
    rejected = Rejection("not JSON: the line ends inside a string", Origin(SOURCE, 17))
    return Report(
        ledger=Ledger(
            read=3_212,
            events=3_201,
            partial=1,
            duplicates=4,
            other=5,
            rejected=1,
            rejections=(rejected,),
            unreadable=(Rejection("permission denied", Origin("logs/locked.json")),),
        ),
        alerts=order_alerts(alerts),
        matches=(match,),
        clusters=(CLUSTER,),
        first_at=START,
        last_at=START + timedelta(hours=1, microseconds=5),
        rules=41,
        remarks=("The log holds no get or list requests: reads, and shells by newer clients, cannot be seen.",),
        duration_s=1.25,
    )


@pytest.fixture
def rule_of() -> Callable[..., RuleInfo]:
    """Make a rule with a given phrase."""
    return make_rule


@pytest.fixture
def event_of() -> Callable[..., AlertEvent]:
    """Make an event with a number and details."""
    return make_event


@pytest.fixture
def shell() -> dict[str, Any]:
    """Details of a shell that alice opened in a pod."""
    return dict(SHELL)


@pytest.fixture
def hostile() -> str:
    """Text with markup, escape sequences and direction marks."""
    return HOSTILE


@pytest.fixture
def report() -> Report:
    """A report of four alerts, one with hostile text, a match, a remark and rejections."""
    return _make_report()
