"""What is said of rules agrees with what is proved of audit policies."""

from __future__ import annotations

from kubewitness.app.policies.coverage import cover
from kubewitness.detect.feeds import feeds_of
from kubewitness.detect.pack import load_pack
from kubewitness.policy.recordings import find_recording


def test_a_feed_is_blind_where_the_policy_of_its_platform_is() -> None:
    """Feeds are quick and coarse; coverage is exact, and slow: on AKS both are about the same published policy."""
    pack = load_pack()
    known = {rule.info.id: rule for rule in pack.rules}
    proved = {
        item.rule.id: item.coverage.verdict.value
        for item in cover(find_recording("builtin:aks-kube-audit-admin-table"))
    }
    said = {
        rule.info.id: next(fed.verdict.value for fed in feeds_of(rule, known) if fed.feed.id == "aks-table-admin")
        for rule in pack.alerting
    }
    assert [rule_id for rule_id, verdict in proved.items() if verdict == "blind" and said[rule_id] != "no"] == []
    assert [rule_id for rule_id, verdict in said.items() if verdict == "no" and proved[rule_id] == "covered"] == []
    assert {"yes", "partly", "no"} == set(said.values())
