"""Tests of what a log knows of an actor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.app.investigate.sent import resource

from kubewitness.app.events import Logs
from kubewitness.app.investigate.actors import profile_actor
from kubewitness.cli.application import app
from kubewitness.investigate.actor import Aspect, Profile
from kubewitness.investigate.actor_names import UnknownActorError
from kubewitness.model.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    AuditLog = Callable[..., str]

WEB = {"username": "system:serviceaccount:shop:web", "groups": ["system:serviceaccounts"]}


def _at(minute: int) -> dict[str, str]:
    return {"requestReceivedTimestamp": f"2026-11-17T{8 + minute // 60:02}:{minute % 60:02}:00.000000Z"}


def _profile(log: str, name: str, **options: Any) -> Profile:
    return profile_actor(Logs((log,)), name, alerts=False, **options).profile


def test_requests_are_counted_once_and_by_what_became_of_them(audit_log: AuditLog) -> None:
    secret = resource("/api/v1/namespaces/shop/secrets/db", user=WEB, auditID="one")
    log = audit_log(
        {**secret, "stage": "RequestReceived", "annotations": None, "responseStatus": None},
        secret,
        resource(
            "/api/v1/pods", "list", user=WEB, annotations={"authorization.k8s.io/decision": "forbid"},
            responseStatus={"code": 403, "message": "pods is forbidden"}, **_at(5),
        ),
        resource("/api/v1/namespaces/shop/pods", "create", user=WEB, responseStatus={"code": 422}),
        resource("/api/v1/namespaces/shop/pods", "create", user=WEB, responseStatus={"code": 201}),
        resource("/api/v1/nodes", "list"),
    )  # fmt: skip
    found = _profile(log, "shop/web")
    assert (found.requests, found.allowed, found.denied, found.failed, found.changes) == (4, 3, 1, 1, 1)
    assert [(each.verb, each.what, each.message) for each in found.denials] == [("list", "pods", "pods is forbidden")]
    assert found.hours[8] == 4
    assert found.days == {"2026-11-17": 4}
    assert [session.requests for session in found.sessions] == [4]


def test_the_chain_goes_from_who_authenticated_to_the_pod_of_the_token_and_who_asked_for_it(
    audit_log: AuditLog,
) -> None:
    extra = {
        "authentication.kubernetes.io/credential-id": ["JTI=1"], "authentication.kubernetes.io/pod-name": ["web-1"],
        "authentication.kubernetes.io/node-name": ["n1"],
    }  # fmt: skip
    log = audit_log(
        resource(
            "/api/v1/namespaces/shop/serviceaccounts/web/token", "create",
            user={"username": "system:node:n1"}, responseStatus={"code": 201},
            annotations={
                "authorization.k8s.io/decision": "allow", "authentication.kubernetes.io/issued-credential-id": "JTI=1",
            },
        ),
        resource("/api/v1/namespaces/shop/pods", "list", user=WEB | {"extra": extra}),
        resource("/api/v1/nodes", "list", user={"username": "alice"}, impersonatedUser=WEB),
    )  # fmt: skip
    found = _profile(log, "shop/web")
    assert {
        (each.username, each.acted_as, each.credential, each.pod, each.node, each.issued) for each in found.links
    } == {
        (WEB["username"], None, "JTI=1", "web-1", "n1", "system:node:n1"),
        ("alice", WEB["username"], None, None, None, None),
    }
    assert [each.value for each in found.impersonators] == ["alice"]
    assert [(each.by, each.uses, each.succeeded) for each in found.tokens] == [("system:node:n1", 1, True)]
    other = _profile(log, "alice")
    assert [each.value for each in other.acted_as] == [WEB["username"]]
    assert (other.requests, other.links) == (1, ())


def test_an_entra_user_has_an_object_id_and_roles_out_of_reasons(audit_log: AuditLog) -> None:
    log = audit_log(
        resource(
            "/api/v1/nodes", "list", user={"username": "ann@example.com", "groups": ["g"], "extra": {"oid": ["0f-1"]}},
            annotations={
                "authorization.k8s.io/decision": "allow",
                "authorization.k8s.io/reason":
                    'RBAC: allowed by ClusterRoleBinding "readers" of ClusterRole "view" to Group "g"',
            },
        )
    )  # fmt: skip
    found = _profile(log, "ann@*")
    assert [each.entra_id for each in found.links] == ["0f-1"]
    assert [(each.role, each.binding) for each in found.roles] == [("ClusterRole view", "ClusterRoleBinding readers")]
    assert [each.value for each in found.aspects[Aspect.GROUP]] == ["g"]


def test_new_is_what_was_first_seen_after_the_first_quarter(audit_log: AuditLog) -> None:
    usual = [resource("/api/v1/namespaces/shop/pods", "list", **_at(minute)) for minute in range(30)]
    odd = resource("/api/v1/secrets", "list", sourceIPs=["198.51.100.9"], userAgent="curl/8", **_at(40))
    found = _profile(audit_log(*usual, odd), "alice")
    assert {(each.what, each.value) for each in found.news} == {
        ("network", "198.51.100.0/24"), ("program", "curl"), ("deed", "list secrets"),
    }  # fmt: skip
    few = _profile(audit_log(*usual[:5], odd), "alice")
    assert (few.news, few.compared.partition(":")[0]) == ((), "not compared")


def test_a_baseline_says_what_is_new_of_what_it_knows(audit_log: AuditLog, tmp_path: Path) -> None:
    baseline = tmp_path / "known.jsonl"
    entry = {
        "rule": "access-from-new-network", "by": {"cluster": None, "actor": "alice"},
        "value": {"source_network": "203.0.113.0/24"}, "events": 9, "first_at": "2026-11-01T00:00:00",
        "last_at": "2026-11-01T00:00:00",
    }  # fmt: skip
    baseline.write_text('{"kubewitness": "baseline", "version": 1}\n' + json.dumps(entry) + "\n")
    log = audit_log(resource("/api/v1/nodes"), resource("/api/v1/nodes", sourceIPs=["198.51.100.9"]))
    found = _profile(log, "alice", baseline=baseline)
    assert [(each.what, each.value) for each in found.news] == [("network", "198.51.100.0/24")]
    log = audit_log(resource("/api/v1/nodes", user={"username": "bob"}))
    assert "does not know this actor" in _profile(log, "bob", baseline=baseline).compared


def test_sparse_events_are_enough(audit_log: AuditLog) -> None:
    log = audit_log({
        "stage": None, "user": {"username": "alice"}, "sourceIPs": None, "objectRef": None, "responseStatus": None,
        "requestReceivedTimestamp": None, "requestURI": None, "verb": None,
    })  # fmt: skip
    found = _profile(log, "alice")
    assert (found.requests, found.first_at, found.hours) == (1, None, (0,) * 24)


def test_nobody_of_that_name_comes_with_a_suggestion(audit_log: AuditLog) -> None:
    found = profile_actor(Logs((audit_log(resource("/api/v1/nodes")),)), "alcie", alerts=True)
    assert (found.profile.name, found.profile.requests, found.alerts) == ("alcie", 0, ())
    assert "did you mean alice" in found.remarks[0]
    assert "kubewitness coverage" in found.remarks[1]


def test_several_of_a_pattern_are_named(audit_log: AuditLog) -> None:
    log = audit_log(resource("/api/v1/nodes"), resource("/api/v1/nodes", user={"username": "albert"}))
    with pytest.raises(UnknownActorError, match="is 2 in this log"):
        _profile(log, "al*")


def test_a_broken_baseline_is_said(audit_log: AuditLog, tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text("x")
    with pytest.raises(UnreadableError, match="is no baseline"):
        _profile(audit_log(resource("/api/v1/nodes")), "alice", baseline=tmp_path / "b.jsonl")


HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


@pytest.mark.parametrize("form", ["table", "html", "json"])
def test_text_of_a_client_is_shown_and_does_nothing(
    form: str, audit_log: AuditLog, capsys: pytest.CaptureFixture[str]
) -> None:
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"  # noqa: S105
    log = audit_log(resource("/api/v1/nodes", userAgent=f"{HOSTILE} {token}", user={"username": HOSTILE}))
    words = ["actor", HOSTILE, log, "--no-alerts", "--format", form]
    app(words, exit_on_error=False, print_error=False, result_action="return_value")
    shown = capsys.readouterr().out
    assert "alert(1)" in shown
    assert token not in shown
    assert "\x1b" not in shown
    assert form != "html" or "<script>alert" not in shown


def test_a_report_has_the_alerts_about_the_actor(audit_log: AuditLog) -> None:
    log = audit_log(
        resource("/api/v1/secrets", "list", user=WEB, userAgent="curl/8"),
        resource(
            "/api/v1/secrets", "list", user=WEB | {"username": "system:serviceaccount:shop:other"}, userAgent="curl/8"
        ),
    )
    report = profile_actor(Logs((log,)), "shop/web")
    assert report.alerts
    assert {alert.actor for alert in report.alerts} == {WEB["username"]}


def test_a_store_says_the_same_of_an_actor_as_its_logs(audit_log: AuditLog, tmp_path: Path) -> None:
    log, store = audit_log(resource("/api/v1/secrets", "list", user=WEB, userAgent="curl/8")), str(tmp_path / "store")
    app(["ingest", log, "--store", store], exit_on_error=False, print_error=False, result_action="return_value")
    from_log, from_store = (profile_actor(logs, "shop/web") for logs in (Logs((log,)), Logs(store=store)))
    assert from_store.profile == from_log.profile
    assert [alert.rule_id for alert in from_store.alerts] == [alert.rule_id for alert in from_log.alerts] != []
