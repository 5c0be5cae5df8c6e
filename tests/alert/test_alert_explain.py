"""The sentence of an alert, and the alert it stands in."""

from __future__ import annotations

import copy
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.alert.build import build_alert, order_alerts
from kubewitness.alert.explain import explain, placeholders, unknown_placeholders
from kubewitness.model.alert import AlertEvent, Severity
from kubewitness.model.event import COLUMNS
from kubewitness.model.rule import RuleClass, RuleInfo, RuleKind
from kubewitness.words.objects import Object, plural, singular, summarize
from kubewitness.words.verbs import as_attempt

if TYPE_CHECKING:
    from collections.abc import Callable

WEB = {"resource": "pods", "namespace": "shop", "name": "web-0"}
BOB = {"username": "bob", "actor": "bob"}
REFUSED = {"code": 403, "allowed": False}
CASES = yaml.safe_load((Path(__file__).parent / "explanations.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_an_alert_is_explained_in_one_sentence(
    case: dict[str, Any], rule_of: Callable[..., RuleInfo], event_of: Callable[..., AlertEvent]
) -> None:
    details = [BOB | (WEB if each.pop("pod", False) else {}) | each for each in copy.deepcopy(case["events"])]
    events = [event_of(number, each) for number, each in enumerate(details, start=1)]
    assert explain(rule_of(case.get("phrase")), events, count=len(events)) == case["sentence"]


def test_the_example_of_the_documentation_reads_as_promised(
    rule_of: Callable[..., RuleInfo], event_of: Callable[..., AlertEvent], shell: dict[str, Any]
) -> None:
    assert explain(rule_of("opened a shell in {object}"), [event_of(1, shell)], count=1) == (
        "alice@contoso.com opened a shell in pod web-0 (namespace shop) from 203.0.113.7;"
        " allowed by ClusterRoleBinding ops-admins"
    )


def test_who_is_not_known_is_said_plainly(
    rule_of: Callable[..., RuleInfo], event_of: Callable[..., AlertEvent]
) -> None:
    turned_away = event_of(1, {"code": 401, "verb": "get", "request_path": "/api"})
    assert explain(rule_of(None), [turned_away], count=1) == (
        "somebody without valid credentials tried to read /api, and was refused (401)"
    )
    assert explain(rule_of("acted"), [event_of(1, {})], count=1) == "somebody whom the log does not name acted"


def test_stages_of_one_request_are_one_result(
    rule_of: Callable[..., RuleInfo], event_of: Callable[..., AlertEvent]
) -> None:
    received = event_of(1, BOB | WEB)
    complete = event_of(1, BOB | WEB | REFUSED)
    sentence = explain(rule_of("deleted {object}"), [received, complete], count=1)
    assert sentence == "bob tried to delete pod web-0 (namespace shop), and was refused (403)"


@pytest.mark.parametrize(
    ("phrase", "attempt"),
    [
        ("opened a shell", "tried to open a shell"),
        ("ran a command", "tried to run a command"),
        ("created a pod", "tried to create a pod"),
        ("granted rights", "tried to grant rights"),
        ("dropped it", "tried to drop it"),
        ("added a container", "tried to add a container"),
        ("deleted", "tried to delete"),
        ("all of it", "made a request that would have all of it"),
    ],
)
def test_a_refused_phrase_becomes_an_attempt(phrase: str, attempt: str) -> None:
    assert as_attempt(phrase) == attempt


@pytest.mark.parametrize(
    ("resource", "one", "several"),
    [
        ("pods", "pod", "pods"),
        ("secrets", "secret", "secrets"),
        ("ingresses", "ingress", "ingresses"),
        ("endpoints", "endpoints", "endpoints"),
        ("networkpolicies", "NetworkPolicy", "NetworkPolicies"),
        ("clusterrolebindings", "ClusterRoleBinding", "ClusterRoleBindings"),
        ("storageclasses", "StorageClass", "StorageClasses"),
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview", "SelfSubjectAccessReviews"),
        ("certificates", "certificate", "certificates"),
    ],
)
def test_resources_have_names_for_people(resource: str, one: str, several: str) -> None:
    assert singular(resource) == one
    assert plural(resource) == several


def test_paths_of_objects_leave_out_what_is_absent() -> None:
    assert Object("pods", "shop", "web-0").path == "pods/shop/web-0"
    assert Object("nodes", None, "worker-1").path == "nodes/worker-1"
    assert Object("secrets", "shop").path == "secrets/shop"
    assert summarize([]) is None


def test_unknown_placeholders_are_found() -> None:
    template = "gave {role} to {subjects} in {namespace} {nonsense} {a.b}"
    assert placeholders(template) == {"role", "subjects", "namespace", "nonsense", "a.b"}
    assert unknown_placeholders(template) == {"nonsense", "a.b"}
    assert placeholders("{") == set()


def test_an_alert_gathers_what_its_events_say(
    rule_of: Callable[..., RuleInfo], event_of: Callable[..., AlertEvent], shell: dict[str, Any]
) -> None:
    events = [
        event_of(3, shell | {"name": "web-1", "user_agent": "curl/8"}),
        event_of(1, shell),
        event_of(2, shell),
    ]
    alert = build_alert(rule_of("opened a shell in {object}"), events, count=3)
    assert [event.line for event in alert.events] == [1, 2, 3]
    assert alert.actor == "alice@contoso.com"
    assert alert.cluster == shell["cluster"]
    assert alert.source_ips == ("203.0.113.7",)
    assert alert.user_agents == (shell["user_agent"], "curl/8")
    assert alert.objects == ("pods/shop/web-0", "pods/shop/web-1")
    assert alert.object == "pods/shop/web-0 (+1)"
    assert (alert.first_at, alert.last_at) == (events[1].at, events[0].at)
    assert (alert.rule_id, alert.severity, alert.catalogue) == ("exec-into-pod", Severity.HIGH, ("B01",))


def test_an_alert_of_several_actors_names_none_of_them_as_the_actor(
    rule_of: Callable[..., RuleInfo], event_of: Callable[..., AlertEvent]
) -> None:
    alert = build_alert(rule_of("acted"), [event_of(1, {"actor": "a"}), event_of(2, {"actor": "b"})], count=2)
    assert alert.actor is None
    assert alert.explanation.startswith("a and b acted")


def test_alerts_are_ordered_worst_first_then_by_time(
    rule_of: Callable[..., RuleInfo], event_of: Callable[..., AlertEvent]
) -> None:
    late, early = event_of(9, {}), event_of(1, {})
    timeless = AlertEvent(None, None, "-", None, None, {})
    made = [
        build_alert(rule_of("acted", rule_id=name, severity=severity), [event], count=1)
        for name, severity, event in (
            ("timeless", Severity.HIGH, timeless),
            ("late", Severity.HIGH, late),
            ("low", Severity.LOW, early),
            ("early", Severity.HIGH, early),
            ("worst", Severity.CRITICAL, late),
        )
    ]
    assert [alert.rule_id for alert in order_alerts(made)] == ["worst", "early", "late", "timeless", "low"]
    assert late.at is not None
    assert early.at is not None
    assert late.at - early.at == timedelta(seconds=56)


BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "VARCHAR": st.text(max_size=20),
    "VARCHAR[]": st.lists(st.text(max_size=9), max_size=3),
    "BOOLEAN": st.booleans(),
    "INTEGER": st.sampled_from([101, 200, 401, 403, 404, 500, -1]),
    "BIGINT": st.integers(),
    "TIMESTAMP": st.datetimes(),
    "JSON": st.just('{"a": 1}'),
}
DETAILS = st.fixed_dictionaries({}, optional={column.name: BY_TYPE[column.type] for column in COLUMNS})
PIECES = ["ran ", "`{command}`", "{object}", " in {namespace}", "{count} requests", "{code}"]
TEMPLATES = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.lists(st.sampled_from(PIECES)).map("".join),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(DETAILS, max_size=4), TEMPLATES)
def test_explaining_never_raises_and_never_says_none(details: list[dict[str, Any]], template: str | None) -> None:
    severity, kind, rule_class = Severity.LOW, RuleKind.SINGLE, RuleClass.CORE
    rule = RuleInfo("r", "R", "", severity, kind, rule_class, (), (), (), template, "", (), "r.yml")
    events = [AlertEvent(None, None, "-", None, None, each) for each in details]
    alert = build_alert(rule, events, count=len(events))
    assert alert.explanation
    assert "\n" not in alert.explanation or "\n" in (template or "")
    if "None" not in repr(details) and "None" not in (template or ""):
        assert "None" not in alert.explanation


@pytest.mark.parametrize(
    ("codes", "end"), [([201, 201], "RoleBinding x; 2 requests"), ([201, 403], "x; 1 of 2 requests did not succeed")]
)
def test_a_sequence_is_not_its_last_deed_done_several_times(codes: list[int], end: str) -> None:
    rule = RuleInfo(
        "r", "R", "", Severity.LOW, RuleKind.CORRELATION, RuleClass.CORE, (), (), (),
        "gave rights and took them back: {objects}", "", (), "r.yml",
    )  # fmt: skip
    details = {"username": "bob", "resource": "rolebindings", "name": "x"}
    events = [AlertEvent(None, None, "-", None, None, details | {"code": code}) for code in codes]
    assert build_alert(rule, events, count=2).explanation.endswith(end)
