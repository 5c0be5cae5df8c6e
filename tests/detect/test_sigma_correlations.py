"""What correlation documents mean, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from kubewitness.detect.linking import link_rules
from kubewitness.detect.rule import Alternative, Comparison, CorrelationKind
from kubewitness.detect.sigma import parse_rules
from kubewitness.model.errors import RuleError
from kubewitness.model.rule import RuleKind

LOGSOURCE = {"product": "kubernetes", "service": "audit"}
GETS = {"s": {"verb": "get"}, "condition": "s"}
BASE_ID = "5c2c0a5f-7c1e-4f43-9d5e-6f5b0a4f0c11"


def base(name: str = "base", **own: Any) -> str:
    rule = {"title": "A rule", "name": name, "logsource": LOGSOURCE, "detection": GETS, "level": "low"}
    return yaml.safe_dump(rule | own)


def correlation_of(name: str = "many", **own: Any) -> str:
    count = {
        "type": "event_count",
        "rules": ["base"],
        "group-by": ["cluster", "actor"],
        "timespan": "5m",
        "condition": {"gte": 3},
    }
    spec = {key: value for key, value in (count | own).items() if value is not None}
    return yaml.safe_dump({"title": "Many", "name": name, "correlation": spec, "level": "high"})


def files(*texts: str) -> str:
    return "---\n".join(texts)


def test_a_correlation_takes_over_its_base() -> None:
    first, many = parse_rules(files(base(), correlation_of()), "many.yml")
    assert not first.alerts
    assert many.alerts
    assert many.info.kind is RuleKind.CORRELATION
    assert many.correlation is not None
    assert (many.correlation.kind, many.correlation.rules) == (CorrelationKind.EVENTS, ("base",))
    assert (many.correlation.window_s, many.correlation.comparison, many.correlation.threshold) == (
        300,
        Comparison.GREATER_OR_EQUAL,
        3,
    )
    assert [key.name for key in many.correlation.group_by] == ["cluster", "actor"]


def test_a_base_that_is_wanted_too_alerts_itself() -> None:
    first, _ = parse_rules(files(base(), correlation_of(generate=True)), "many.yml")
    assert first.alerts


@pytest.mark.parametrize("reference", ["base", BASE_ID])
def test_a_rule_is_referred_to_by_its_name_or_its_id(reference: str) -> None:
    _, many = parse_rules(files(base(id=BASE_ID), correlation_of(rules=[reference])), "many.yml")
    assert many.correlation is not None
    assert many.correlation.rules == ("base",)


def test_a_rule_may_stand_in_another_file() -> None:
    apart = [*parse_rules(correlation_of(), "b.yml"), *parse_rules(base(), "a.yml")]
    assert [rule.alerts for rule in apart] == [True, True]
    many, first = link_rules(apart)
    assert many.correlation is not None
    assert many.correlation.rules == ("base",)
    assert not first.alerts


def test_a_rule_that_stays_loud_is_not_silenced() -> None:
    rules = [*parse_rules(base(), "a.yml"), *parse_rules(correlation_of(), "b.yml")]
    assert all(rule.alerts for rule in link_rules(rules, loud={"base"}))


def test_a_missing_rule_is_named_with_the_file() -> None:
    with pytest.raises(RuleError, match="`base`, which is not loaded") as raised:
        link_rules(parse_rules(correlation_of(), "folder/many.yml"))
    assert raised.value.where == "folder/many.yml (many)"


@pytest.mark.parametrize("through", [["many"], ["other"]])
def test_a_correlation_that_looks_at_itself_is_refused(through: list[str]) -> None:
    text = files(correlation_of(rules=through), correlation_of("other", rules=["many"]))
    with pytest.raises(RuleError, match="looks at itself"):
        parse_rules(text, "many.yml")


# Condition of two or three rules; alternatives as places of those that must and must not match.
EXTENDED: list[tuple[str, list[tuple[tuple[int, ...], tuple[int, ...]]]]] = [
    ("a", [((0,), ())]),
    ("a and b", [((0, 1), ())]),
    ("b and a", [((0, 1), ())]),
    ("a or b", [((0,), ()), ((1,), ())]),
    ("a and not b", [((0,), (1,))]),
    ("not a and b", [((1,), (0,))]),
    ("a and (b or c)", [((0, 1), ()), ((0, 2), ())]),
    ("a and not (b or c)", [((0,), (1, 2))]),
    ("a and not (b and c)", [((0,), (1,)), ((0,), (2,))]),
    ("(a or b) and not a", [((1,), (0,))]),
    ("a and a", [((0,), ())]),
]


@pytest.mark.parametrize(("condition", "alternatives"), EXTENDED)
def test_an_extended_condition_becomes_alternatives(
    condition: str, alternatives: list[tuple[tuple[int, ...], tuple[int, ...]]]
) -> None:
    text = correlation_of(type="temporal", rules=None, condition=condition)
    names = list(
        dict.fromkeys(word for word in condition.replace("(", " ").replace(")", " ").split() if len(word) == 1)
    )
    *_, rule = parse_rules(files(*map(base, names), text), "x.yml")
    assert rule.correlation is not None
    places = {name: rule.correlation.rules.index(name) for name in names}
    assert sorted(places) == sorted(rule.correlation.rules)
    assert rule.correlation.alternatives == tuple(Alternative(*pair) for pair in alternatives)


def test_an_underscore_stands_for_a_dash_in_a_condition() -> None:
    text = correlation_of(type="temporal", rules=None, condition="first_rule and other")
    *_, rule = parse_rules(files(base("first-rule"), base("other"), text), "x.yml")
    assert rule.correlation is not None
    assert rule.correlation.rules == ("first-rule", "other")


def test_an_alias_says_for_each_rule_where_a_value_is() -> None:
    aliases = {"whom": {"base": "objectRef.name", "other": "actor"}}
    text = correlation_of(type="temporal", rules=["base", "other"], condition=None, aliases=aliases)
    text = text.replace("- actor\n", "- whom\n")
    *_, rule = parse_rules(files(base(), base("other"), text), "x.yml")
    assert rule.correlation is not None
    keys = {key.name: (key.fields, key.is_alias) for key in rule.correlation.group_by}
    assert keys == {"cluster": (("cluster", "cluster"), False), "whom": (("objectRef.name", "actor"), True)}


def test_a_correlation_takes_keys_from_one_that_it_looks_at() -> None:
    text = correlation_of("outer", rules=["many"], **{"group-by": ["cluster"]})
    *_, outer = parse_rules(files(base(), correlation_of(), text), "x.yml")
    assert outer.correlation is not None
    assert outer.correlation.rules == ("many",)


VALUE = {"gte": 3, "field": "responseStatus.code"}
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("unknown type", {"type": "nonsense"}),
    ("no length of time", {"timespan": "soon"}),
    ("no number", {"condition": {"gte": "many"}}),
    ("no comparison", {"condition": {}}),
    ("unknown field", {"group-by": ["nobody"]}),
    ("unknown field to count", {"type": "value_count", "condition": {"gte": 3, "field": "nothing"}}),
    ("no field to count", {"type": "value_count", "condition": {"gte": 3}}),
    ("a field that is not counted", {"condition": {"gte": 3, "field": "verb"}}),
    ("two fields to add up", {"type": "value_sum", "condition": {"gte": 3, "field": ["verb", "stage"]}}),
    ("percentile without percent", {"type": "value_percentile", "condition": VALUE}),
    ("percentile above all", {"type": "value_percentile", "condition": VALUE | {"percentile": 101}}),
    ("part of an order", {"type": "temporal_ordered", "condition": {"gte": 2}}),
    ("extended count", {"condition": "base"}),
    ("only not", {"type": "temporal", "condition": "not base"}),
    ("never", {"type": "temporal", "condition": "base and not base"}),
    ("alias of a stranger", {"group-by": ["x"], "aliases": {"x": {"base": "verb", "stranger": "verb"}}}),
    ("alias of nobody", {"group-by": ["x"], "aliases": {"x": {}}}),
    ("alias of an unknown field", {"group-by": ["x"], "aliases": {"x": {"base": "nothing"}}}),
    ("no rules", {"rules": []}),
]  # fmt: skip


@pytest.mark.parametrize(("case", "own"), REFUSED, ids=[case for case, _ in REFUSED])
def test_a_correlation_that_cannot_be_meant_is_refused(case: str, own: dict[str, Any]) -> None:
    with pytest.raises(RuleError) as raised:
        parse_rules(files(base(), correlation_of(**own)), "many.yml")
    assert raised.value.where is not None, case


def test_a_key_that_the_inner_correlation_lacks_is_refused() -> None:
    text = correlation_of("outer", rules=["many"], **{"group-by": ["verb"]})
    with pytest.raises(RuleError, match="does not group by `verb`"):
        parse_rules(files(base(), correlation_of(), text), "x.yml")


@pytest.mark.parametrize("names", ["actor", ["verb"]])
def test_one_alert_is_told_by_groups_only(names: Any) -> None:
    text = correlation_of() + yaml.safe_dump({"alert_by": names})
    with pytest.raises(RuleError, match="alert_by"):
        parse_rules(files(base(), text), "x.yml")
