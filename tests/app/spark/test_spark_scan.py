"""A scan of a store by Spark comes to the same alerts as one by the engine."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.baselines import learn_baseline
from kubewitness.app.lake.ingest import ingest
from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.lake.retaining import Keeping, KeptPolicy, retain
from kubewitness.app.plans import load_rules, plan_rules
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.app.spark import scanning
from kubewitness.app.spark.opening import open_spark
from kubewitness.app.spark.scanning import scan_on_spark, select
from kubewitness.query.predicate import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.app.spark.opening import SparkEvents
    from kubewitness.model.alert import Report

LOG = Path(__file__).parents[2] / "fixtures" / "cluster" / "cluster.ndjson.zst"


def by_both(options: ScanOptions) -> tuple[Report, Report]:
    plan = plan_rules()
    return scan((), plan, options), scan_on_spark(load_rules(), plan, options)


def assert_same(one: Report, other: Report) -> None:
    assert other.alerts == one.alerts
    assert replace(other, duration_s=0) == replace(one, duration_s=0)


@pytest.mark.usefixtures("spark")
def test_spark_comes_to_the_same_alerts(store: str) -> None:
    one, other = by_both(ScanOptions(store=store, matches=True))
    assert one.alerts
    assert_same(one, other)


@pytest.mark.usefixtures("spark")
def test_spark_tells_of_events_that_a_policy_has_lowered_since(tmp_path: Path) -> None:
    store, policy = str(tmp_path / "lake"), tmp_path / "policy.yaml"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n")
    log = tmp_path / "audit.log"
    log.write_text(
        "".join(
            json.dumps(
                {
                    "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": level, "auditID": f"a-{number}",
                    "stage": "ResponseComplete", "requestURI": "/api/v1/namespaces/shop/pods", "verb": "create",
                    "user": {"username": "alice"}, "objectRef": {"resource": "pods", "namespace": "shop"},
                    "responseStatus": {"code": 201}, "requestObject": {"kind": "Pod", "metadata": {"name": "web"}},
                    "requestReceivedTimestamp": f"2026-11-24T10:00:0{number}.000000Z",
                }
            )
            + "\n"
            for number, level in enumerate(("Request", "Request", "Metadata"))
        )
    )  # fmt: skip
    ingest([str(log)], store)
    retain(store, Keeping(days=0), KeptPolicy.read(policy), today=date(2027, 1, 1))
    one, other = by_both(ScanOptions(store=store))
    assert any("a policy has lowered them" in remark for remark in one.remarks)
    assert_same(one, other)


@pytest.mark.usefixtures("spark")
def test_spark_comes_to_the_same_alerts_on_a_real_log(tmp_path: Path) -> None:
    store = str(tmp_path / "lake")
    ingest([str(LOG)], store)
    one, other = by_both(ScanOptions(store=store))
    assert len(one.alerts) > 100
    assert_same(one, other)


RULES = """
title: New network
name: new-network
description: Of a kind.
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: get}, condition: s}
first_seen: {field: source_network, by: [cluster, actor], after: 5}
level: low
---
title: New verb
name: new-verb
description: Of a kind, after some time.
logsource: {product: kubernetes, service: audit}
detection: {s: {verb|exists: true}, condition: s}
first_seen: {field: [verb, objectRef.resource], by: [actor], after: 3, learning: 1h}
level: low
---
title: New name
name: new-name
description: An event's own.
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: create}, condition: s}
first_seen: {field: objectRef.name, by: [actor], after: 4}
level: low
---
title: Base
name: reused-base
description: Many events, few of which matter.
logsource: {product: kubernetes, service: audit}
detection: {s: {auditID|exists: true}, condition: s}
level: informational
---
title: Reused
name: reused
correlation:
  type: value_count
  rules: [reused-base]
  group-by: [cluster, auditID]
  timespan: 1d
  condition: {gte: 2, field: request_path}
level: high
---
title: Deletion
name: deletion
description: An event's name.
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: delete, objectRef.name|startswith: web}, condition: s}
level: medium
"""
EXCEPTION = "- {{rule: {rule}, match: {match}, reason: known, owner: team, expires: 2099-01-01}}\n"
START = datetime(2026, 11, 17, 8, 0)  # noqa: DTZ001 - times in the model are naive UTC
DAYS = 3


def request(number: int, at_s: float, user: str, verb: str = "get", name: str = "x", **own: Any) -> dict[str, Any]:
    moment = (START + timedelta(seconds=at_s)).isoformat(timespec="microseconds") + "Z"
    return {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": f"id-{number}",
        "stage": "ResponseComplete", "verb": verb, "requestURI": f"/api/v1/namespaces/shop/pods/{name}",
        "user": {"username": user}, "sourceIPs": ["192.0.2.1"], "userAgent": "kubectl/v1.33",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": name, "apiVersion": "v1"},
        "responseStatus": {"code": 200}, "requestReceivedTimestamp": moment, "stageTimestamp": moment,
    } | own  # fmt: skip


def repeating() -> Iterator[dict[str, Any]]:
    """Days of the same requests; on the last one something new, an Audit-ID that comes again, and a deletion."""
    number = 0
    for day in range(DAYS):
        for minute in range(0, 600, 3):
            for user in ("alice", "bob", "carol"):
                number += 1
                at_s = day * 86_400 + minute * 60 + number % 60
                yield request(number, at_s, user, "create" if number % 5 == 0 else "get", f"pod-{number % 7}")
    late_s = (DAYS - 1) * 86_400 + 36_600
    for user in ("alice", "bob"):
        for place in range(4):
            number += 1
            yield request(number, late_s + place * 1300, user, name=f"pod-{place}", sourceIPs=["198.51.100.7"])
            yield request(number, late_s + place * 1300, user, "patch", f"pod-{place}", requestURI=f"/other/{place}")
        yield request(number + 1000, late_s, user, "create", "never-seen")
        yield request(number + 2000, late_s, user, "delete", "web-1")


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a log that repeats."""
    folder = tmp_path_factory.mktemp("repeated")
    log = folder / "audit.ndjson"
    log.write_text("".join(f"{json.dumps(each)}\n" for each in repeating()), encoding="utf-8")
    ingest([str(log)], str(folder / "lake"))
    return str(folder / "lake")


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    for number, text in enumerate(RULES.split("\n---\n")):
        (folder / f"rule-{number}.yml").write_text(text, encoding="utf-8")
    return folder


def planned(rules: Path, exceptions: str = "") -> dict[str, Any]:
    """Arguments to load the rules by."""
    file = rules.parent / "exceptions.yaml"
    file.write_text(exceptions, encoding="utf-8")
    return {"folders": [rules], "builtin": False, "exceptions": [file] if exceptions else []}


def without_familiar_names(report: Report) -> Report:
    """A report that does not say which names were known before: how frequent they were is not known of all events."""
    alerts = tuple(
        replace(each, known_before=(), explanation="") if each.rule_id == "new-name" else each for each in report.alerts
    )
    return replace(report, alerts=alerts)


FOUND = {"new-network", "new-verb", "new-name", "reused", "deletion"}


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(
    ("exceptions", "has_baseline"),
    [
        ("", False),
        ("", True),
        (EXCEPTION.format(rule="new-network", match="{actor: bob, verb: get, objectRef.resource: pods}"), False),
        (
            EXCEPTION.format(
                rule="new-verb", match="{actor: bob, objectRef.name: pod-2, verb: patch, objectRef.resource: pods}"
            ),
            False,
        ),
        (
            EXCEPTION.format(
                rule="new-name", match="{actor: bob, objectRef.name: pod-3, verb: create, objectRef.resource: pods}"
            ),
            False,
        ),
        (EXCEPTION.format(rule="reused", match="{actor: bob, verb: get, objectRef.resource: pods}"), True),
    ],
    ids=[
        "plain",
        "baseline",
        "exception of a kind",
        "exception of an event",
        "exception of a name",
        "exception from a count",
    ],
)
def test_what_is_new_in_a_log_that_repeats_is_found(
    repeated: str, rules: Path, tmp_path: Path, exceptions: str, has_baseline: bool
) -> None:
    given = planned(rules, exceptions)
    plan = plan_rules(**given)
    options = ScanOptions(store=repeated, matches=True)
    if has_baseline:
        log = tmp_path / "before.ndjson"
        before = [request(number, number - 90_000, "carol", "get", "pod-1") for number in range(20)]
        log.write_text("".join(f"{json.dumps(each)}\n" for each in before), encoding="utf-8")
        learn_baseline([str(log)], tmp_path / "baseline.ndjson", [rules], builtin=False)
        options = replace(options, baseline=tmp_path / "baseline.ndjson")
    one, other = scan((), plan, options), scan_on_spark(load_rules(**given), plan, options)
    assert {alert.rule_id for alert in one.alerts} == FOUND
    assert_same(without_familiar_names(one), without_familiar_names(other))


@pytest.mark.usefixtures("spark")
def test_few_events_of_a_log_that_repeats_come_back(repeated: str, rules: Path) -> None:
    given = planned(rules)
    snapshot = open_snapshot(repeated)
    with open_spark(snapshot, ALWAYS, None) as events:
        selection = select(events, snapshot, load_rules(**given), plan_rules(**given), ScanOptions(store=repeated))
    writes = sum(each["verb"] == "create" for each in repeating())
    # Names are events' own: of these the first hour of each, and the beginnings.
    assert len(selection.rows) < 120 < writes < snapshot.events / 4
    assert selection.told.totals.ledger.events == snapshot.events


@pytest.mark.usefixtures("spark")
def test_events_without_a_kind_are_asked_one_by_one(
    repeated: str, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def without_kinds(*arguments: Any) -> Iterator[SparkEvents]:
        with open_spark(*arguments) as events:
            sql = "SELECT * EXCEPT (kind), CAST(NULL AS BIGINT) AS kind FROM events"
            events.session.sql(sql).createOrReplaceTempView("events")
            yield events

    given = planned(rules)
    options = ScanOptions(store=repeated)
    monkeypatch.setattr(scanning, "open_spark", without_kinds)
    plan = plan_rules(**given)
    one, other = scan((), plan, options), scan_on_spark(load_rules(**given), plan, options)
    assert_same(without_familiar_names(one), without_familiar_names(other))


def test_a_store_without_spark_is_asked_for_clearly(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyspark", None)
    with pytest.raises(Exception, match="needs PySpark") as raised:
        scan_on_spark(load_rules(), plan_rules(), ScanOptions(store=store))
    assert "pip install" in str(raised.value)


def test_a_machine_without_java_is_told_so(store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="needs the extra `spark`")
    from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra

    def nobody() -> Any:
        return None

    monkeypatch.setattr(SparkSession, "getActiveSession", nobody)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(Exception, match="needs Java"):
        scan_on_spark(load_rules(), plan_rules(), ScanOptions(store=store))
