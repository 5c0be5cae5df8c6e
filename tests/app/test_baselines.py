"""Baselines: learned from logs, kept in a file, held against other logs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.baselines import learn_baseline, read_baseline
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.detect.pack import load_pack
from kubewitness.detect.planning import build_plan
from kubewitness.model.errors import UnreadableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kubewitness.model.alert import Alert

START = datetime(2026, 11, 17, 8, 0)  # noqa: DTZ001 - times in the model are naive UTC
NETWORK = """
title: New network
name: new-network
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: get}, condition: s}
first_seen: {field: source_network, by: [cluster, actor], after: 3}
level: low
"""
PAIR = """
title: New group or verb
name: new-pair
logsource: {product: kubernetes, service: audit}
detection: {s: {verb|exists: true}, condition: s}
first_seen: {field: [verb, user.groups], by: [actor], after: 3, learning: 1h}
level: low
"""


def request(second: float, ip: str = "192.0.2.1", **own: Any) -> dict[str, Any]:
    moment = START + timedelta(seconds=second)
    return {
        "auditID": f"id-{second}",
        "stage": "ResponseComplete",
        "verb": "get",
        "requestURI": "/x",
        "user": {"username": "alice", "groups": ["dev", "staff"]},
        "sourceIPs": [ip],
        "requestReceivedTimestamp": moment.isoformat(timespec="microseconds") + "Z",
    } | own


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "new-network.yml").write_text(NETWORK, encoding="utf-8")
    (folder / "new-pair.yml").write_text(PAIR, encoding="utf-8")
    return folder


def log_of(folder: Path, events: Sequence[dict[str, Any]], name: str = "audit.log") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return str(path)


def alerts(rules: Path, log: str, baseline: Path | None = None) -> list[Alert]:
    plan = build_plan(load_pack([rules], builtin=False))
    return list(scan([log], plan, ScanOptions(baseline=baseline)).alerts)


def learn(rules: Path, log: str, output: Path) -> int:
    return learn_baseline([log], output, [rules], builtin=False).entries


def test_what_is_learned_can_be_read(tmp_path: Path, rules: Path) -> None:
    log = log_of(tmp_path, [request(0), request(60), request(90, "2001:db8:1::7")])
    output = tmp_path / "baseline.jsonl"
    learned = learn_baseline([log], output, [rules], builtin=False)
    assert (learned.rules, learned.events, learned.entries, learned.new) == (2, 3, 4, 4)
    entries = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()[1:]]
    assert {
        "rule": "new-network",
        "by": {"cluster": None, "actor": "alice"},
        "value": {"source_network": "192.0.2.0/24"},
        "events": 2,
        "first_at": "2026-11-17T08:00:00",
        "last_at": "2026-11-17T08:01:00",
    } in entries
    values = sorted(tuple(entry["value"].values()) for entry in entries)
    assert values == [("192.0.2.0/24",), ("2001:db8:1::/48",), ("get", "dev"), ("get", "staff")]


def test_a_known_value_is_not_new(tmp_path: Path, rules: Path) -> None:
    output = tmp_path / "baseline.jsonl"
    learn(rules, log_of(tmp_path, [request(0, "203.0.113.5")]), output)
    log = log_of(tmp_path, [*(request(100 + second) for second in range(5)), request(200, "203.0.113.9")])
    assert [alert.rule_id for alert in alerts(rules, log)] == ["new-network"]
    assert alerts(rules, log, output) == []


def test_a_baseline_is_a_history_of_its_own(tmp_path: Path, rules: Path) -> None:
    output = tmp_path / "baseline.jsonl"
    learn(rules, log_of(tmp_path, [request(second) for second in range(3)]), output)
    log = log_of(tmp_path, [request(5000, "203.0.113.9")])
    assert alerts(rules, log) == []
    (alert,) = alerts(rules, log, output)
    assert alert.known_before == ("192.0.2.0/24",)
    assert "known before: 192.0.2.0/24" in alert.explanation


def test_a_short_baseline_and_the_log_make_a_history_together(tmp_path: Path, rules: Path) -> None:
    output = tmp_path / "baseline.jsonl"
    learn(rules, log_of(tmp_path, [request(second) for second in range(2)]), output)
    new = request(5001, "203.0.113.9")
    assert alerts(rules, log_of(tmp_path, [new]), output) == []
    assert len(alerts(rules, log_of(tmp_path, [request(5000), new]), output)) == 1


def test_another_actor_has_no_part_in_it(tmp_path: Path, rules: Path) -> None:
    output = tmp_path / "baseline.jsonl"
    learn(rules, log_of(tmp_path, [request(second) for second in range(9)]), output)
    log = log_of(tmp_path, [request(100, "203.0.113.9", user={"username": "bob"})])
    assert alerts(rules, log, output) == []


def test_each_of_several_values_is_new_by_itself(tmp_path: Path, rules: Path) -> None:
    output = tmp_path / "baseline.jsonl"
    learn(rules, log_of(tmp_path, [request(second) for second in range(9)]), output)
    user = {"username": "alice", "groups": ["dev", "admins"]}
    (alert,) = alerts(rules, log_of(tmp_path, [request(9000, user=user)]), output)
    assert (alert.rule_id, set(alert.known_before)) == ("new-pair", {"get dev", "get staff"})


def test_a_young_history_still_learns(tmp_path: Path, rules: Path) -> None:
    old = [request(second) for second in range(9)]
    for second, expected in ((3599, set()), (3600, {"new-pair"})):
        log = log_of(tmp_path, [*old, request(second, verb="list")])
        assert {alert.rule_id for alert in alerts(rules, log)} == expected


def test_learning_again_adds(tmp_path: Path, rules: Path) -> None:
    output = tmp_path / "baseline.jsonl"
    assert learn(rules, log_of(tmp_path, [request(10)]), output) == 3
    assert learn(rules, log_of(tmp_path, [request(0), request(99, "203.0.113.9")]), output) == 4
    (entry,) = (each for each in read_baseline(output) if each.value == {"source_network": "192.0.2.0/24"})
    assert (entry.events, entry.first_at, entry.last_at) == (2, START, START + timedelta(seconds=10))


def test_what_was_known_in_the_log_itself_is_told(tmp_path: Path, rules: Path) -> None:
    events = [request(second, f"192.0.{second % 2}.1") for second in range(7)]
    (alert,) = alerts(rules, log_of(tmp_path, [*events, request(50, "203.0.113.9")]))
    assert alert.known_before == ("192.0.0.0/24", "192.0.1.0/24")


def test_of_thousands_of_new_values_each_is_told_the_most_frequent_before_it(tmp_path: Path, rules: Path) -> None:
    """While each was held against all before it, and the history's beginning told for each, it took minutes and GB."""
    known = [request(second, f"192.0.{second % 3 // 2}.1") for second in range(9)]
    new = [request(100 + number, f"10.{number // 250}.{number % 250}.1") for number in range(8_000)]
    found = [each for each in alerts(rules, log_of(tmp_path, [*known, *new])) if each.rule_id == "new-network"]
    assert len(found) == 8_000
    assert {each.known_before[:2] for each in found} == {("192.0.0.0/24", "192.0.1.0/24")}
    assert found[1].known_before == ("192.0.0.0/24", "192.0.1.0/24", "10.0.0.0/24")
    assert all(len(each.known_before) == 4 for each in found[2:])


def test_entries_for_other_fields_are_left_out(tmp_path: Path, rules: Path) -> None:
    output = tmp_path / "baseline.jsonl"
    learn(rules, log_of(tmp_path, [request(second) for second in range(9)]), output)
    (rules / "new-network.yml").write_text(NETWORK.replace("source_network", "userAgent"), encoding="utf-8")
    assert alerts(rules, log_of(tmp_path, [request(5000, userAgent="curl")]), output) == []


@pytest.mark.parametrize("text", ["", "{}\n", '{"kubewitness": "baseline", "version": 1}\nx\n'])
def test_what_is_no_baseline_is_refused(tmp_path: Path, rules: Path, text: str) -> None:
    output = tmp_path / "baseline.jsonl"
    output.write_text(text, encoding="utf-8")
    log = log_of(tmp_path, [request(0)])
    with pytest.raises(UnreadableError) as raised:
        alerts(rules, log, output)
    assert "baseline.jsonl" in str(raised.value.where)
    with pytest.raises(UnreadableError):
        learn(rules, log, output)
    assert output.read_text(encoding="utf-8") == text


def test_a_baseline_that_cannot_be_written_leaves_nothing(tmp_path: Path, rules: Path) -> None:
    log = log_of(tmp_path, [request(0)])
    with pytest.raises(UsageError):
        learn(rules, log, tmp_path / "missing" / "baseline.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.log", "rules"]
