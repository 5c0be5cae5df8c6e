"""Sigma filters: what they narrow, in one file and across a pack; and other documents of several parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewitness.detect.pack import load_pack
from kubewitness.detect.sigma import parse_rules
from kubewitness.model.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kubewitness.model.alert import Report

    Scan = Callable[..., Report]

SOURCE = {"product": "kubernetes", "service": "audit"}
UUID = "6f0a3a52-9f0e-4c53-9a58-d0b1fb3a2c11"
READS: dict[str, Any] = {
    "title": "Secrets read",
    "id": UUID,
    "name": "secrets-read",
    "logsource": SOURCE,
    "detection": {"read": {"verb": ["get", "list"], "objectRef.resource": "secrets"}, "condition": "read"},
}
DELETES: dict[str, Any] = READS | {
    "title": "Something deleted",
    "id": "1a8a0c39-52a4-4b2a-b3e8-91b1cbb2d8f4",
    "name": "deleted",
    "detection": {"delete": {"verb": "delete"}, "condition": "delete"},
}
EVENTS: list[dict[str, Any]] = [
    {"verb": "get", "objectRef": {"resource": "secrets"}, "user": {"username": "alice"}},
    {"verb": "get", "objectRef": {"resource": "secrets"}, "user": {"username": "operator"}},
    {"verb": "list", "objectRef": {"resource": "secrets"}, "user": {"username": "backup"}},
    {"verb": "delete", "objectRef": {"resource": "pods"}, "user": {"username": "operator"}},
    {"verb": "delete", "objectRef": {"resource": "pods"}, "user": {"username": "alice"}},
]


def filter_of(rules: Any, *, source: dict[str, str] | None = None, **parts: Any) -> dict[str, Any]:
    parts = parts or {"selection": {"user.username": "operator"}, "condition": "not selection"}
    return {"title": "Operators", "logsource": source or SOURCE, "filter": {"rules": rules, **parts}}


def text_of(*documents: dict[str, Any]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False)


def matched(scan_events: Scan, *documents: dict[str, Any]) -> dict[str, list[int]]:
    rules = parse_rules(text_of(*documents), "a.yml")
    events = [event | {"requestReceivedTimestamp": f"2026-11-17T08:00:0{n}Z"} for n, event in enumerate(EVENTS)]
    matches = scan_events(rules, events).matches
    return {
        rule.info.id: sorted(match.line or 0 for match in matches if match.rule_id == rule.info.id) for rule in rules
    }


NARROWING: list[tuple[str, dict[str, Any], list[int], list[int]]] = [
    ("none", {}, [1, 2, 3], [4, 5]),
    ("by name", filter_of(["secrets-read"]), [1, 3], [4, 5]),
    ("by one name", filter_of("secrets-read"), [1, 3], [4, 5]),
    ("by UUID", filter_of([UUID]), [1, 3], [4, 5]),
    ("of another rule", filter_of(["nobody"]), [1, 2, 3], [4, 5]),
    ("of all rules", filter_of("any"), [1, 3], [5]),
    ("of all rules, by an empty list", filter_of([]), [1, 3], [5]),
    ("of a wider log source", filter_of("any", source={"product": "kubernetes"}), [1, 3], [5]),
    ("of another log source", filter_of("any", source={"product": "windows"}), [1, 2, 3], [4, 5]),
    ("of a category that the rule lacks", filter_of("any", source={"category": "application"}), [1, 2, 3], [4, 5]),
    (
        "with patterns",
        filter_of(
            "any",
            filter_a={"user.username": "operator"},
            filter_b={"user.username": "backup"},
            condition="not 1 of filter_*",
        ),
        [1],
        [5],
    ),
    (
        "with them",
        filter_of("any", a={"user.username": "operator"}, b={"verb": "get"}, condition="not all of them"),
        [1, 3],
        [4, 5],
    ),
    ("that asks for more", filter_of("any", a={"user.username": "alice"}, condition="a"), [1], [5]),
]


@pytest.mark.parametrize(
    ("document", "reads", "deletes"), [row[1:] for row in NARROWING], ids=[r[0] for r in NARROWING]
)
def test_a_filter_narrows_the_rules_that_it_is_for(
    scan_events: Scan, document: dict[str, Any], reads: list[int], deletes: list[int]
) -> None:
    documents = [READS, DELETES, document] if document else [READS, DELETES]
    assert matched(scan_events, *documents) == {"secrets-read": reads, "deleted": deletes}


def test_a_filter_may_stand_before_its_rule_and_several_add_up(scan_events: Scan) -> None:
    backups = filter_of("any", a={"user.username": "backup"}, condition="not a")
    assert matched(scan_events, backups, READS, filter_of("any")) == {"secrets-read": [1]}


def test_a_filter_narrows_rules_of_other_files_and_of_the_pack(tmp_path: Path) -> None:
    for name in ("rules", "filters"):
        (tmp_path / name).mkdir()
    (tmp_path / "rules" / "secrets-read.yml").write_text(text_of(READS), encoding="utf-8")
    (tmp_path / "filters" / "operators.yml").write_text(text_of(filter_of("any")), encoding="utf-8")
    plain = {rule.info.id: rule for rule in load_pack([tmp_path / "rules"]).rules}
    narrow = {rule.info.id: rule for rule in load_pack([tmp_path / "filters", tmp_path / "rules"]).rules}
    assert plain.keys() == narrow.keys()
    unchanged = {rule_id for rule_id, rule in plain.items() if rule == narrow[rule_id]}
    assert unchanged == {rule_id for rule_id, rule in plain.items() if rule.predicate is None}


def test_a_correlation_is_narrowed_by_its_base(scan_events: Scan) -> None:
    counting = {
        "title": "Many",
        "name": "many",
        "correlation": {
            "type": "event_count",
            "rules": ["secrets-read"],
            "group-by": ["objectRef.resource"],
            "timespan": "10m",
            "condition": {"gte": 3},
        },
    }
    assert matched(scan_events, READS, counting)["many"] != []
    assert matched(scan_events, READS, counting, filter_of("any"))["many"] == []


BROKEN = [
    ("no rules", {"title": "x", "logsource": SOURCE, "filter": {"a": {"verb": "get"}, "condition": "not a"}}, "rules"),
    (
        "no condition",
        {"title": "x", "logsource": SOURCE, "filter": {"rules": "any", "a": {"verb": "get"}}},
        "condition",
    ),
    ("no log source", {"title": "x", "filter": {"rules": "any", "a": {"verb": "get"}, "condition": "a"}}, "log source"),
    ("unknown field", filter_of("any", a={"vreb": "get"}, condition="not a"), "`vreb`"),
    ("unknown selection", filter_of("any", a={"verb": "get"}, condition="not b"), "'b'"),
]


@pytest.mark.parametrize(("document", "message"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_filter_that_cannot_be_meant_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rules(text_of(READS, document), "folder/x.yml")
    assert message in caught.value.message
    assert (caught.value.where or "").startswith("folder/x.yml")


def test_what_several_documents_share_may_stand_in_front() -> None:
    shared = {"action": "global", "logsource": SOURCE, "level": "high"}
    parts = [
        {"title": name, "name": name, "detection": {"s": {"verb": name}, "condition": "s"}} for name in ("get", "list")
    ]
    first, second = parse_rules(text_of(shared, *parts), "a.yml")
    assert (first.info.id, second.info.id) == ("get", "list")
    assert first.info.severity == second.info.severity == "high"
    assert first.logsource == second.logsource
    assert first.logsource.service == "audit"


def test_empty_documents_are_left_out() -> None:
    assert len(parse_rules("---\n" + text_of(READS) + "---\n---\n", "a.yml")) == 1
