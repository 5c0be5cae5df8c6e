"""The sentence of an alert, and the alert it stands in."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.alert.build import build_alert, order_alerts
from kubewitness.alert.explain import explain, placeholders, unknown_placeholders
from kubewitness.alert.objects import Object, plural, singular, summarize
from kubewitness.alert.verbs import as_attempt
from kubewitness.model.alert import AlertEvent, Severity
from kubewitness.model.event import COLUMNS
from kubewitness.model.rule import RuleClass, RuleInfo, RuleKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WEB = {"resource": "pods", "namespace": "shop", "name": "web-0"}
BOB = {"username": "bob", "actor": "bob"}
REFUSED = {"code": 403, "allowed": False}
LIST = {"verb": "list", "resource": "secrets"}
CASES: list[tuple[str, str | None, Sequence[dict[str, Any]], str]] = [
    # about, phrase, details of each event (merged over bob's), sentence
    ("a plain one", "deleted {object}", [WEB], "bob deleted pod web-0 (namespace shop)"),
    (
        "source and reason",
        "deleted {object}",
        [WEB | {"source_ip": "10.0.0.4", "authorized_by": "RoleBinding dev/shop", "code": 200}],
        "bob deleted pod web-0 (namespace shop) from 10.0.0.4; allowed by RoleBinding dev/shop",
    ),
    (
        "only the last address is the server's observation",
        "deleted {object}",
        [WEB | {"source_ips": ["1.1.1.1", "10.0.0.4"]}],
        "bob deleted pod web-0 (namespace shop) from 10.0.0.4",
    ),
    ("no object", "deleted {object}", [{}], "bob deleted an object that the log does not name"),
    ("no command", "ran `{exec_command}` in {object}", [WEB], "bob ran a command in pod web-0 (namespace shop)"),
    (
        "a command",
        "ran `{command}` in {object}",
        [WEB | {"exec_command": "sh -c ls"}],
        "bob ran `sh -c ls` in pod web-0 (namespace shop)",
    ),
    ("a long command is cut", "ran `{command}`", [{"exec_command": "x" * 500}], f"bob ran `{'x' * 119}…`"),
    ("no role, nobody", "gave {role} to {subjects}", [{}], "bob gave a role to somebody"),
    (
        "a role and subjects",
        "gave {role} to {subjects}",
        [{"role_ref_kind": "ClusterRole", "role_ref": "admin", "subjects": ["User a", "Group b", "User c", "User d"]}],
        "bob gave ClusterRole admin to User a, Group b, User c and 1 more",
    ),
    (
        "a role that is itself the object",
        "widened {role}",
        [{"resource": "clusterroles", "name": "view"}],
        "bob widened ClusterRole view",
    ),
    ("an absent column goes with its preposition", "acted in {exec_container}", [{}], "bob acted"),
    ("and with its parentheses", "acted here ({status_message})", [{}], "bob acted here"),
    ("fields of fields are not offered", "acted on {name.x} and {0}", [WEB], "bob acted"),
    ("a broken phrase is shown as it is", "acted on {name", [WEB], "bob acted on {name"),
    ("one request", "was refused {count} requests on {resources}", [REFUSED | LIST], "bob was refused 1 request on secrets"),
    (
        "many resources",
        "was refused {count} requests on {resources}",
        [REFUSED | {"resource": name, "subresource": "log" if name == "pods" else None} for name in ("secrets", "pods")],
        "bob was refused 2 requests on secrets and pods/log",
    ),
    (
        "refused",
        "opened a shell in {object}",
        [WEB | REFUSED | {"source_ip": "10.0.0.4"}],
        "bob tried to open a shell in pod web-0 (namespace shop) from 10.0.0.4, and was refused (403)",
    ),
    (
        "stopped by admission",
        "created {object}",
        [WEB | {"code": 403, "allowed": True, "authorized_by": "ClusterRoleBinding x"}],
        "bob tried to create pod web-0 (namespace shop), and was stopped by admission control (403)",
    ),
    (
        "failed",
        "deleted {object}",
        [WEB | {"code": 404, "status_reason": "NotFound", "allowed": True}],
        "bob tried to delete pod web-0 (namespace shop), which failed (404 NotFound)",
    ),
    (
        "failed in several ways",
        "deleted {object}",
        [WEB | {"code": 404}, WEB | REFUSED],
        "bob tried to delete pod web-0 (namespace shop) 2 times, and did not succeed (404, 403)",
    ),
    (
        "some failed",
        "deleted {object}",
        [WEB | {"code": 200}, WEB | REFUSED],
        "bob deleted pod web-0 (namespace shop) 2 times; 1 of 2 requests did not succeed",
    ),
    (
        "several pods",
        "deleted {object}",
        [WEB, WEB | {"name": "web-1"}, WEB | {"name": "web-2"}],
        "bob deleted 3 pods, first web-0 (namespace shop)",
    ),
    (
        "several objects",
        "touched {object}",
        [WEB, {"resource": "nodes", "name": "n"}],
        "bob touched 2 objects, first pod web-0 (namespace shop)",
    ),
    ("objects in a row", "touched {objects}", [WEB, {"resource": "nodes", "name": "n"}], "bob touched pod web-0 (namespace shop) and node n"),
    ("a list", "read {object}", [LIST | {"namespace": "shop"}], "bob read secrets in namespace shop"),
    ("a list of all", "read {object}", [LIST], "bob read all secrets of the cluster"),
    (
        "lists of several namespaces",
        "read {object}",
        [LIST | {"namespace": "a"}, LIST | {"namespace": "b"}],
        "bob read secrets in 2 namespaces, first a",
    ),
    ("a list of all beside others", "read {object}", [LIST | {"namespace": "a"}, LIST], "bob read all secrets of the cluster"),
    (
        "a namespace",
        "deleted {object}",
        [{"verb": "delete", "resource": "namespaces", "namespace": "shop", "name": "shop"}],
        "bob deleted namespace shop",
    ),
    (
        "a name that the server chose",
        "created {object}",
        [{"verb": "create", "resource": "pods", "namespace": "shop", "object_name": "job-x2k4p"}],
        "bob created pod job-x2k4p (namespace shop)",
    ),
    ("a name that the log lacks", "created {object}", [{"verb": "create", "resource": "ingresses", "namespace": "a"}], "bob created an ingress in namespace a"),
    ("a path", "called {object}", [{"request_uri": "/metrics?x=y"}], "bob called /metrics"),
    (
        "impersonation",
        "deleted {object}",
        [WEB | {"impersonated_username": "system:admin", "actor": "system:admin"}],
        "bob (as system:admin) deleted pod web-0 (namespace shop)",
    ),
    (
        "impersonation of the group that may do everything",
        "deleted {object}",
        [WEB | {"impersonated_username": "x", "impersonated_groups": ["a", "system:masters"]}],
        "bob (as x in group system:masters) deleted pod web-0 (namespace shop)",
    ),
    (
        "a phrase that names whom they acted as",
        "acted as {impersonated_username}",
        [{"impersonated_username": "system:admin"}],
        "bob acted as system:admin",
    ),
    (
        "a phrase that names the source",
        "came from {source_network}, new to them",
        [{"source_network": "10.0.0.0/24", "source_ip": "10.0.0.4"}],
        "bob came from 10.0.0.0/24, new to them",
    ),
    (
        "several sources",
        "deleted {object}",
        [WEB | {"source_ip": f"10.0.0.{number}"} for number in range(1, 6)],
        "bob deleted pod web-0 (namespace shop) 5 times from 10.0.0.1, 10.0.0.2, 10.0.0.3 and 2 more addresses",
    ),
    (
        "several actors",
        "deleted {object}",
        [WEB, WEB | {"username": "eve"}],
        "bob and eve deleted pod web-0 (namespace shop) 2 times",
    ),
    ("a dry run", "deleted {object}", [WEB | {"dry_run": True}], "bob deleted pod web-0 (namespace shop); a dry run, so nothing was changed"),
    (
        "a cut record",
        "deleted {object}",
        [WEB | {"truncated": True}],
        "bob deleted pod web-0 (namespace shop); the record was cut, so parts of it are missing",
    ),
    (
        "some cut records",
        "deleted {object}",
        [WEB | {"truncated": True}, WEB],
        "bob deleted pod web-0 (namespace shop) 2 times; 1 of 2 records were cut, so parts of them are missing",
    ),
    ("no phrase", None, [WEB | {"verb": "patch"}], "bob changed pod web-0 (namespace shop)"),
    ("no phrase, an action", None, [WEB | {"verb": "get", "action": "attach"}], "bob attached to pod web-0 (namespace shop)"),
    ("no phrase, several verbs", None, [WEB | {"verb": "get"}, WEB | {"verb": "delete"}], "bob made 2 requests on pod web-0 (namespace shop)"),
    ("no phrase, nothing known", None, [{}], "bob made 1 request"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("phrase", "details", "sentence"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_an_alert_is_explained_in_one_sentence(
    phrase: str | None,
    details: Sequence[dict[str, Any]],
    sentence: str,
    rule_of: Callable[..., RuleInfo],
    event_of: Callable[..., AlertEvent],
) -> None:
    events = [event_of(number, BOB | each) for number, each in enumerate(details, start=1)]
    assert explain(rule_of(phrase), events, count=len(events)) == sentence


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
    assert (
        explain(rule_of("acted"), [event_of(1, {})], count=1) == "somebody whom the log does not name acted"
    )


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


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=20), st.lists(st.text(max_size=9), max_size=3)
)
DETAILS = st.dictionaries(st.sampled_from([column.name for column in COLUMNS]), VALUES, max_size=12)
TEMPLATES = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.lists(
        st.sampled_from(["ran ", "`{command}`", "{object}", " in {namespace}", "{count} requests", "{code}"])
    ).map("".join),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(DETAILS, max_size=4), TEMPLATES)
def test_explaining_never_raises_and_never_says_none(
    details: list[dict[str, Any]], template: str | None
) -> None:
    severity, kind, rule_class = Severity.LOW, RuleKind.SINGLE, RuleClass.CORE
    rule = RuleInfo("r", "R", "", severity, kind, rule_class, (), (), (), template, "", (), "r.yml")
    events = [AlertEvent(None, None, "-", None, None, each) for each in details]
    alert = build_alert(rule, events, count=len(events))
    assert alert.explanation
    assert "\n" not in alert.explanation or "\n" in (template or "")
    if "None" not in repr(details).replace("None,", "").replace("None}", "") and "None" not in (
        template or ""
    ):
        assert "None" not in alert.explanation
