"""What Sigma rules mean here: a table of detections over a handful of events, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewitness.detect.sigma import parse_rules
from kubewitness.model.alert import Severity
from kubewitness.model.errors import RuleError
from kubewitness.model.rule import RuleClass, RuleKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubewitness.model.alert import Report

    Scan = Callable[..., Report]

TABLE = yaml.safe_load((Path(__file__).parent / "sigma.yaml").read_text(encoding="utf-8"))
ROWS = [*TABLE["rules"], *TABLE["published"]]
HEAD: dict[str, Any] = {
    "title": "A rule",
    "status": "test",
    "logsource": {"category": "application", "product": "kubernetes", "service": "audit"},
    "level": "low",
}


def text_of(row: Mapping[str, Any], **own: Any) -> str:
    detection = {"condition": "s"} | {key: value for key, value in row.items() if key not in {"case", "matches"}}
    return yaml.safe_dump(HEAD | {"detection": detection} | own, sort_keys=False)


@pytest.fixture(scope="module")
def judged(scan_events: Scan) -> dict[str, set[str]]:
    """Case to the names of the events that it matches; all rules in one scan."""
    rules = [rule for row in ROWS for rule in parse_rules(text_of(row, name=row["case"]), "a.yml")]
    names = list(TABLE["events"])
    matches = scan_events(rules, list(TABLE["events"].values())).matches
    return {
        row["case"]: {names[match.line - 1] for match in matches if match.rule_id == row["case"] and match.line}
        for row in ROWS
    }


@pytest.mark.parametrize("row", ROWS, ids=[row["case"] for row in ROWS])
def test_a_detection_matches_these_events(row: dict[str, Any], judged: dict[str, set[str]]) -> None:
    assert judged[row["case"]] == set(row["matches"])


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({row["case"] for row in ROWS}) == len(ROWS)


def test_what_people_read_is_taken_over() -> None:
    text = text_of(
        {"s": {"verb": "get"}},
        name="a-rule",
        description="Two\nlines.",
        tags=["attack.t1609", "attack.execution", "attack.T1552.007", "cve.2020-1"],
        falsepositives=["One."],
        references=["https://example.com/"],
        catalogue=["B01"],
        explain="did it",
        next="Ask\nthem.",
        **{"class": "extended"},
    )
    (rule,) = parse_rules(text, "folder/x.yml")
    info = rule.info
    assert (info.id, info.title, info.severity, info.kind) == (
        "a-rule",
        "A rule",
        Severity.LOW,
        RuleKind.SINGLE,
    )
    assert (info.description, info.next_steps, info.explain) == ("Two lines.", "Ask them.", "did it")
    assert (info.techniques, info.catalogue, info.rule_class) == (
        ("T1609", "T1552.007"),
        ("B01",),
        RuleClass.EXTENDED,
    )
    assert (info.false_positives, info.references) == (("One.",), ("https://example.com/",))
    assert info.path == "folder/x.yml"


def test_a_rule_without_a_name_is_called_after_its_file() -> None:
    first, second = parse_rules(
        text_of({"s": {"verb": "get"}}) + "---\n" + text_of({"s": {"verb": "list"}}), "a/some-rule.yml"
    )
    assert first.info.id == "some-rule"
    assert second.info.id != first.info.id


def test_a_rule_without_a_level_is_of_medium_severity() -> None:
    text = yaml.safe_dump(
        {key: value for key, value in HEAD.items() if key != "level"}
        | {"detection": {"s": {"verb": "get"}, "condition": "s"}}
    )
    assert parse_rules(text, "a.yml")[0].info.severity is Severity.MEDIUM


REFUSED: list[tuple[str, dict[str, Any], str, str | None]] = [
    (
        "unknown field",
        {"s": {"objectRef.resorce": "pods"}},
        "no event has a field `objectRef.resorce`",
        "`objectRef.resource`",
    ),
    (
        "unknown field in a reference",
        {"s": {"verb|fieldref": "vreb"}},
        "no event has a field `vreb`",
        "`verb`",
    ),
    (
        "field of another log source",
        {"s": {"file_path": "*gcc*"}},
        "no event has a field `file_path`",
        "dotted names",
    ),
    ("unknown modifier", {"s": {"verb|like": "x"}}, "modifier", None),
    ("look-ahead", {"s": {"verb|re": "a(?=b)"}}, "a(?=b)", "RE2"),
    ("back-reference", {"s": {"verb|re": r"(a)\1"}}, r"(a)\1", "RE2"),
    ("broken expression", {"s": {"verb|re": "("}}, "'('", "RE2"),
    ("network that is none", {"s": {"sourceIPs|cidr": "10.0.0.0/99"}}, "CIDR", None),
    ("part of what is no time", {"s": {"responseStatus.code|hour": 3}}, "no time", "happened_at"),
    ("truth as a keyword", {"s": {"|all": [True]}}, "not supported", "name the field"),
    ("unknown selection", {"s": {"verb": "get"}, "condition": "t"}, "'t'", None),
    ("broken condition", {"s": {"verb": "get"}, "condition": "s and"}, "", None),
    ("old aggregation", {"s": {"verb": "get"}, "condition": "s | count() > 5"}, "deprecated", None),
    ("empty selection", {"s": {}}, "empty", None),
]


@pytest.mark.parametrize(("row", "message", "hint"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_rule_that_cannot_be_meant_is_refused(row: dict[str, Any], message: str, hint: str | None) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rules(text_of(row), "folder/x.yml")
    assert message in caught.value.message
    assert (caught.value.where or "").startswith("folder/x.yml")
    if hint is not None:
        assert hint in (caught.value.hint or "")


DOCUMENTS = [
    "a: [",
    "- a\n",
    "5",
    "title: x\n",
    "title: 5\nlogsource: {product: x}\n",
    "\x00",
    "detection: {}",
    "a: &a [*a]",
]


@pytest.mark.parametrize("text", DOCUMENTS)
def test_a_file_that_holds_no_rule_is_refused(text: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rules(text, "x.yml")
    assert caught.value.where == "x.yml"


@pytest.mark.parametrize(
    "own", [{"class": "noisy"}, {"level": "awful"}, {"first_seen": {"field": "verb"}}, {"first_seen": 5}]
)
def test_an_attribute_of_a_wrong_value_is_refused(own: dict[str, Any]) -> None:
    with pytest.raises(RuleError):
        parse_rules(text_of({"s": {"verb": "get"}}, **own), "x.yml")
