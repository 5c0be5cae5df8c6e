"""What rules need of a log, and which logs can feed them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewitness.detect.feeds import FEEDS, Verdict, feeds_of, wants
from kubewitness.detect.pack import load_pack
from kubewitness.detect.sigma import parse_rules

if TYPE_CHECKING:
    from kubewitness.detect.rule import Rule

TABLE = yaml.safe_load(Path(__file__).with_name("feeds.yaml").read_text("utf-8"))
LOGSOURCE = {"product": "kubernetes", "service": "audit"}


def rules(detection: Any, **more: Any) -> dict[str, Rule]:
    rule = {"title": "t", "name": "base", "logsource": LOGSOURCE}
    rule |= {"detection": {"it": detection, "condition": "it"}, **more.pop("own", {})}
    text = "---\n".join(map(yaml.safe_dump, [rule, *more.values()]))
    return {rule.info.id: rule for rule in parse_rules(text, "r.yml")}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["about"])
def test_a_condition_needs_and_is_fed(row: dict[str, Any]) -> None:
    known = rules(row["detection"])
    wanted = wants(known["base"], known)
    assert (wanted.least, wanted.whole) == (row["least"], row["whole"])
    assert sorted(field.name for field in wanted.fields) == row["fields"]
    fed = feeds_of(known["base"], known)
    assert {each.feed.id: each.verdict.value for each in fed if each.verdict is not Verdict.YES} == row["feeds"]
    assert [bool(each.why) for each in fed] == [each.verdict is not Verdict.YES for each in fed]


def test_a_correlation_needs_what_it_counts_and_groups_by() -> None:
    count = {
        "title": "c",
        "name": "count",
        "correlation": {
            "type": "value_count",
            "rules": ["base"],
            "group-by": ["impersonatedUser.username"],
            "timespan": "5m",
            "condition": {"gte": 2, "field": "objectRef.name"},
        },
    }
    known = rules({"verb": "create", "privileged": True}, count=count)
    wanted = wants(known["count"], known)
    assert wanted.least == "Request"
    assert {field.name for field in wanted.fields} >= {"verb", "impersonatedUser.username", "objectRef.name"}
    blind = {fed.feed.id for fed in feeds_of(known["count"], known) if fed.verdict is Verdict.NO}
    assert blind >= {"aks-table", "openshift-default"}


def test_a_first_seen_rule_needs_the_field_that_is_new() -> None:
    known = rules({"verb": "create"}, own={"first_seen": {"field": "user.groups", "by": ["actor"], "after": 2}})
    assert {fed.feed.id for fed in feeds_of(known["base"], known) if fed.verdict is Verdict.NO} == {
        "gke-activity",
        "gke-data-access",
    }


def test_every_rule_of_the_pack_is_fed_by_some_log() -> None:
    pack = load_pack()
    known = {rule.info.id: rule for rule in pack.rules}
    blind = [
        rule.info.id
        for rule in pack.alerting
        if all(fed.verdict is Verdict.NO for fed in feeds_of(rule, known) if fed.feed.id != "openshift-default")
    ]
    assert len({feed.id for feed in FEEDS}) == len(FEEDS)
    assert [rule_id for rule_id in blind if rule_id != "token-secret-created"] == []
