"""Tests of what is different between two logs, two times, or two clusters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.app.investigate.sent import resource

from kubewitness.app.events import Logs
from kubewitness.app.investigate.comparison import SideOptions, compare, logs_at
from kubewitness.cli.application import app
from kubewitness.investigate.comparison import Aspect, Change, Comparison
from kubewitness.model.errors import KubewitnessError

if TYPE_CHECKING:
    from collections.abc import Callable

    AuditLog = Callable[..., str]


def _at(minute: int) -> dict[str, str]:
    return {"requestReceivedTimestamp": f"2026-11-17T{8 + minute // 60:02}:{minute % 60:02}:00.000000Z"}


def _compare(before: str, after: str, **options: Any) -> Comparison:
    return compare(SideOptions("A", Logs((before,))), SideOptions("B", Logs((after,))), **options)


def _told(comparison: Comparison, *changes: Change) -> set[tuple[str, str]]:
    return {(each.aspect.value, each.value) for each in comparison.of(*changes)}


PODS = [resource("/api/v1/namespaces/shop/pods", "list", **_at(minute)) for minute in range(0, 60, 10)]


def test_new_and_gone_things_are_told_once(audit_log: AuditLog) -> None:
    reason = 'RBAC: allowed by ClusterRoleBinding "x" of ClusterRole "cluster-admin" to User "eve"'
    eve = resource(
        "/api/v1/secrets", "list", user={"username": "eve"}, sourceIPs=["198.51.100.9"], userAgent="curl/8",
        annotations={"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": reason}, **_at(5),
    )  # fmt: skip
    before, after = audit_log(*PODS, name="a"), audit_log(*PODS, eve, name="b")
    expected = {
        ("permission", "ClusterRole cluster-admin by ClusterRoleBinding x"), ("actor", "eve"),
        ("network", "198.51.100.0/24"), ("program", "curl"), ("deed", "list secrets"),
    }  # fmt: skip
    forth, back = _compare(before, after), _compare(after, before)
    assert _told(forth, Change.NEW) == _told(back, Change.GONE) == expected
    assert forth.of(Change.GONE, Change.MORE, Change.LESS) == []
    assert [each.aspect for each in forth.differences] == sorted(
        (each.aspect for each in forth.differences), key=lambda aspect: aspect.rank
    )


def test_a_new_verb_of_an_old_actor_is_told(audit_log: AuditLog) -> None:
    deletion = resource("/api/v1/namespaces/shop/pods/x", "delete", **_at(5))
    found = _compare(audit_log(*PODS, name="a"), audit_log(*PODS, deletion, name="b"))
    assert _told(found, Change.NEW) == {("verb of an actor", "alice delete"), ("deed", "delete pods")}


def test_the_same_log_has_no_differences(audit_log: AuditLog) -> None:
    log = audit_log(*PODS)
    assert _compare(log, log).differences == ()


def test_a_change_is_of_events_per_hour_not_of_events(audit_log: AuditLog) -> None:
    slow = [resource("/api/v1/nodes", "list", **_at(minute)) for minute in range(0, 240, 2)]
    fast = [resource("/api/v1/nodes", "list", **_at(minute)) for minute in range(60)]
    assert _compare(audit_log(*slow, name="a"), audit_log(*slow[:60], name="b")).differences == ()
    secrets = [resource("/api/v1/secrets", "list", **_at(minute)) for minute in range(0, 60, 10)]
    many = [
        resource("/api/v1/secrets", "list", **_at(minute), auditID=f"m{minute}-{n}")
        for minute in range(60)
        for n in "ab"
    ]
    found = _compare(audit_log(*fast, *secrets, name="a"), audit_log(*fast, *many, name="b"))
    ((change),) = [each for each in found.differences if each.aspect is Aspect.DEED]
    assert (change.value, change.change) == ("list secrets", Change.MORE)
    assert change.ratio == pytest.approx(20, rel=0.2)
    assert change.before is not None
    assert change.after is not None
    assert change.after.bytes > change.before.bytes


def test_images_registries_and_levels_are_compared(audit_log: AuditLog) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "evil.example.com/x:1"}]}}
    create = resource("/api/v1/namespaces/shop/pods", "create", requestObject=pod, **_at(1))
    bare = resource("/api/v1/namespaces/shop/pods", "create", level="Metadata", **_at(2))
    found = _compare(audit_log(*PODS, bare, name="a"), audit_log(*PODS, create, name="b"))
    assert ("registry", "evil.example.com") in _told(found, Change.NEW)
    assert ("level", "pods at Metadata") in _told(found, Change.GONE)
    assert any("A has no bodies" in remark for remark in found.remarks)


def test_a_side_that_records_less_is_said(audit_log: AuditLog) -> None:
    write = resource("/api/v1/namespaces/shop/pods", "create", **_at(1))
    begun = {**PODS[0], "stage": "RequestReceived", "auditID": "begun"}
    found = _compare(audit_log(*PODS, begun, name="a"), audit_log(write, name="b"))
    text = " ".join(found.remarks)
    assert "B has no reads" in text
    assert "B has no events of stage RequestReceived" in text
    empty = compare(
        SideOptions("A", Logs((audit_log(write),))),
        SideOptions("B", Logs((audit_log(write),), since=found.after.total.last_at.replace(year=2027))),  # type: ignore[union-attr]
    )
    assert any("B has no events" in remark for remark in empty.remarks)


def test_clusters_are_found_by_the_end_of_their_names(tmp_path: Path, audit_log: AuditLog) -> None:
    (tmp_path / "one").mkdir()
    prod = resource("/api/v1/nodes", "list", user={"username": "bob"})
    test = resource("/api/v1/nodes", "list")
    lines = [
        json.dumps({"category": "kube-audit", "resourceId": f"/X/MANAGEDCLUSTERS/{name}", "properties": {"log": line}})
        for name, log in (("PROD", audit_log(prod, name="a")), ("TEST", audit_log(test, name="b")))
        for line in Path(log).read_text("utf-8").splitlines()
    ]
    (tmp_path / "one" / "hub.json").write_text("\n".join(lines) + "\n")
    logs = Logs((str(tmp_path / "one"),))
    found = compare(SideOptions("test", logs, "test"), SideOptions("prod", logs, "prod"))
    assert ("actor", "bob") in _told(found, Change.NEW)
    assert ("actor", "alice") in _told(found, Change.GONE)


def _run(*words: str) -> None:
    app(["compare", *words], exit_on_error=False, print_error=False, result_action="return_value")


def test_one_log_is_parted_by_a_time_or_by_periods(audit_log: AuditLog, capsys: pytest.CaptureFixture[str]) -> None:
    late = resource("/api/v1/secrets", "list", user={"username": "eve\x1b[1m"}, **_at(90))
    log = audit_log(*PODS, late)
    _run(log, "--split", "2026-11-17T09:00:00Z", "--format", "json")
    by_split = json.loads(capsys.readouterr().out)
    _run(log, "--period", "2026-11-17..2026-11-17T09:00:00Z", "--period", "2026-11-17T09:00:00Z..", "-f", "json")
    by_period = json.loads(capsys.readouterr().out)
    assert by_split["differences"] == by_period["differences"]
    assert {"aspect": "actor", "value": "eve\x1b[1m", "change": "new"}.items() <= by_split["differences"][0].items()
    _run(log, "--split", "2026-11-17T09:00:00Z")
    assert "eve\\x1b[1m" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no logs named"),
        (("a.log",), "two logs, or one"),
        (("a", "b", "c"), "two logs, or one"),
        (("a", "--split", "noon"), "is no time"),
        (("a", "--period", "2026-11-17"), "two periods"),
        (("a", "--period", "x", "--period", "y"), "is no period"),
        (("a", "--split", "2026-11-17", "--clusters", "x", "y"), "use one"),
        (("a", "b", "--ratio", "1"), "above 1"),
        (("-", "-"), "standard input cannot be read twice"),
    ],
)
def test_wrong_use_is_said(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(KubewitnessError) as caught:
        _run(*words)
    assert message in str(caught.value)


def test_a_store_has_no_differences_from_the_logs_that_were_put_into_it(tmp_path: Path, audit_log: AuditLog) -> None:
    log, store = audit_log(*PODS), str(tmp_path / "store")
    app(["ingest", log, "--store", store], exit_on_error=False, print_error=False, result_action="return_value")
    options = Logs()
    found = compare(SideOptions("A", logs_at(log, options)), SideOptions("B", logs_at(store, options)))
    assert (found.before.total.events, found.differences) == (len(PODS), ())
