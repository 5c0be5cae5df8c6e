"""Tests of timelines: what is on them, and how they are written."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.app.investigate.conftest import at

from kubewitness.app.events import Logs
from kubewitness.app.investigate.objects import object_story
from kubewitness.app.investigate.timeline import Question, timeline
from kubewitness.app.lake.ingest import ingest
from kubewitness.investigate.actions import Action
from kubewitness.investigate.render.timeline_fields import write_json, write_ndjson
from kubewitness.investigate.render.timeline_page import write_page
from kubewitness.investigate.render.timeline_table import write_table
from kubewitness.look.console import WIDTH
from kubewitness.model.alert import Alert, Severity
from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kubewitness.investigate.timeline import Timeline

    Written = Callable[[Sequence[dict[str, Any]]], str]

ROOT = Path(__file__).resolve().parents[3]
ATTACK = Logs((str(ROOT / "examples" / "aks-attack"),))
ATTACKER = "203.0.113.77"


@pytest.fixture(scope="module")
def attack() -> Timeline:
    return timeline(ATTACK, Question(source=ATTACKER))


def _texts(found: Timeline) -> list[str]:
    return [entry.what.text for entry in found.entries if isinstance(entry.what, Action)]


def _alerts(found: Timeline) -> set[str]:
    return {entry.what.rule_id for entry in found.entries if isinstance(entry.what, Alert)}


def test_the_attack_of_the_example_is_told_in_order(attack: Timeline) -> None:
    told = iter(_texts(attack))
    for text in (
        "asked what they may do: 1 request",
        "kubectl get of secrets in namespace shop",
        "kubectl get of secret ci-deployer-token (namespace shop)",
        "requested a token for ServiceAccount ci-deployer (namespace shop)",
        "kubectl create of ClusterRole aks-node-metrics",
        "kubectl get of all secrets of the cluster",
        "kubectl create of pod node-metrics-collector (namespace kube-system)",
        "sent requests through node aks-system-31874026-vmss000001",
        "listed and deleted 5 events, first node-metrics-collector.18789c0d4e2f0a31 (namespace kube-system)",
        "deleted ClusterRoleBinding aks-node-metrics",
    ):
        assert text in told, text


def test_alerts_stand_in_the_session_of_their_requests(attack: Timeline) -> None:
    assert {"wildcard-role", "cluster-admin-granted", "kubelet-command-by-proxy"} <= _alerts(attack)
    by_number = {session.number: session for session in attack.sessions}
    for entry in attack.entries:
        session = by_number[entry.session]
        assert session.source_ip == ATTACKER
        assert entry.at is not None
        assert session.began_at <= entry.at <= session.ended_at


def test_entries_are_in_order_of_time(attack: Timeline) -> None:
    times = [entry.at for entry in attack.entries if entry.at]
    assert times == sorted(times)


def test_every_request_of_the_address_is_in_one_action(attack: Timeline) -> None:
    keys = [
        request.key for entry in attack.entries if isinstance(entry.what, Action) for request in entry.what.requests
    ]
    assert len(keys) == len(set(keys)) == attack.requests == sum(session.requests for session in attack.sessions)


def test_a_rule_shows_what_it_is_about_alone() -> None:
    found = timeline(ATTACK, Question(rule="wildcard-role"))
    assert (_texts(found), _alerts(found)) == (["kubectl create of ClusterRole aks-node-metrics"], {"wildcard-role"})


def test_a_rule_that_found_nothing_has_an_empty_timeline() -> None:
    found = timeline(ATTACK, Question(rule="wildcard-role", actor="nobody"))
    assert (found.entries, found.requests) == ((), 0)


def test_an_object_is_followed_through_its_subresources() -> None:
    found = timeline(ATTACK, Question(object="kube-system/pod/node-metrics-collector", alerts=False))
    curl = "curl -s -H Metadata:true http://169.254.169.254/metadata/identity/oauth2/token"
    assert [text.partition(" (")[0].partition("?")[0] for text in _texts(found) if "status" not in text] == [
        "kubectl create of pod node-metrics-collector",
        "ran `nsenter -t 1 -m -u -i -n -p -- bash` in pod node-metrics-collector",
        f"ran `{curl}",
        "deleted pod node-metrics-collector",
    ]
    assert not _alerts(found)


def test_restrictions_must_all_hold() -> None:
    found = timeline(
        ATTACK,
        Question(filter="verb:list", actor="*:storefront", namespace="shop", source="203.0.113.0/24", alerts=False),
    )
    assert {session.actor for session in found.sessions} == {"system:serviceaccount:shop:storefront"}
    assert _texts(found)[-1] == "kubectl get of secrets in namespace shop"
    assert all(
        request.details["verb"] == "list"
        for entry in found.entries
        if isinstance(entry.what, Action)
        for request in entry.what.requests
    )


def test_severities_below_are_left_out() -> None:
    found = timeline(ATTACK, Question(source=ATTACKER, min_severity=Severity.CRITICAL))
    assert _alerts(found) == {"kubelet-command-by-proxy"}


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question(rule="no-such-rule"), "there is no rule"),
        (Question(source="somewhere"), "is no address"),
        (Question(object="web"), "names no object"),
    ],
)
def test_what_cannot_be_asked_is_said(question: Question, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        timeline(ATTACK, question)


def test_the_table_fits_and_names_sessions(attack: Timeline) -> None:
    out = io.StringIO()
    write_table(attack, out)
    lines = out.getvalue().splitlines()
    assert max(len(line) for line in lines) <= WIDTH
    assert lines[1].startswith("50 requests in 5 sessions, ")
    assert any("system:serviceaccount:shop:ci-deployer as ops with kubectl" in line for line in lines)
    assert any(line.endswith("! high Role that may do everything (wildcard-role)") for line in lines)


def test_unfolded_the_table_has_every_request_with_its_place(attack: Timeline) -> None:
    out = io.StringIO()
    write_table(attack, out, unfold=True, most=1000)
    text = " ".join(out.getvalue().split())
    assert text.count(" -> ") == attack.requests
    assert "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/aks-node-metrics -> 200" in text


def test_what_does_not_fit_into_the_table_is_said(attack: Timeline) -> None:
    out = io.StringIO()
    write_table(attack, out, most=3)
    assert f"and {len(attack.entries) - 3} more entries: --most shows them" in out.getvalue()


def test_json_has_everything_and_adds_up(attack: Timeline) -> None:
    out = io.StringIO()
    write_json(attack, out)
    whole = json.loads(out.getvalue())
    assert list(whole) == ["summary", "ledger", "sessions", "entries"]
    requests = [request for entry in whole["entries"] if entry["type"] == "action" for request in entry["requests"]]
    assert len(requests) == whole["summary"]["requests"] == 50
    assert all(record["line"] for request in requests for record in request["records"])
    lines = io.StringIO()
    write_ndjson(attack, lines)
    assert [json.loads(line) for line in lines.getvalue().splitlines()] == whole["entries"]


def test_the_page_loads_nothing_and_escapes_what_the_log_says(log_of: Written) -> None:
    evil = "<script>alert(1)</script>"
    event = {
        "auditID": "a",
        "stage": "ResponseComplete",
        "requestReceivedTimestamp": at(0),
        "verb": "delete",
        "requestURI": f"/api/v1/namespaces/{evil}/pods/p",
        "objectRef": {"resource": "pods", "namespace": evil, "name": "p\u202e"},
        "user": {"username": evil},
        "userAgent": evil,
        "responseStatus": {"code": 200},
    }
    out = io.StringIO()
    write_page(timeline(Logs((log_of([event]),)), Question(alerts=False)), out)
    page = out.getvalue()
    assert (page.count("<script"), page.count("sha256-")) == (1, 1)
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "<svg" in page
    assert 'src="http' not in page


def test_sparse_events_have_a_timeline_too(log_of: Written) -> None:
    events: list[dict[str, Any]] = [
        {"verb": "delete", "objectRef": {"resource": "pods", "name": "p", "namespace": "n"}, "auditID": "a"},
        {"verb": "get", "requestURI": "/version", "auditID": "b"},
        {"verb": "patch", "requestReceivedTimestamp": at(1), "auditID": "c"},
    ]
    found = timeline(Logs((log_of(events),)), Question())
    assert sorted(_texts(found)) == [
        "deleted pod p (namespace n)",
        "discovery: 1 request",
        "read something that the log does not name",
    ]
    out = io.StringIO()
    write_table(found, out)
    write_page(found, io.StringIO())
    assert "deleted pod p" in out.getvalue()


def test_secrets_are_redacted_unless_they_are_asked_for(log_of: Written) -> None:
    event = {
        "auditID": "a",
        "stage": "ResponseComplete",
        "requestReceivedTimestamp": at(0),
        "verb": "create",
        "requestURI": "/api/v1/namespaces/n/pods/p/exec?command=mysql&command=-pHunter2secret",
        "objectRef": {"resource": "pods", "namespace": "n", "name": "p", "subresource": "exec"},
        "user": {"username": "alice"},
        "responseStatus": {"code": 101},
    }
    log = log_of([event])
    assert "Hunter2" not in _texts(timeline(Logs((log,)), Question(alerts=False)))[0]
    assert "Hunter2" in _texts(timeline(Logs((log,)), Question(alerts=False, reveal=True)))[0]


def test_a_store_tells_the_same_story_as_the_logs_it_was_made_of(tmp_path: Path, attack: Timeline) -> None:
    store = str(tmp_path / "store")
    ingest(ATTACK.paths, store)
    found = timeline(Logs(store=store), Question(source=ATTACKER))
    assert _texts(found) == _texts(attack)
    assert _alerts(found) == _alerts(attack)
    assert [session.requests for session in found.sessions] == [session.requests for session in attack.sessions]
    binding = "clusterrolebinding/aks-node-metrics"
    ((mine), (its)) = (object_story(logs, binding).lives for logs in (ATTACK, Logs(store=store)))
    assert [life.state for life in mine] == [life.state for life in its]
    assert [life.deletion and life.deletion.gone_at for life in mine] == [
        life.deletion and life.deletion.gone_at for life in its
    ]
