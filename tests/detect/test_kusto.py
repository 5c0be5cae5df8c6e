"""KQL of rules, made by pySigma's own backend."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml
from sigma.backends.kusto.kusto import KustoBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingPipeline

from kubewitness.app.rulebook.reports import kusto_pipeline
from kubewitness.app.rulebook.rules import RuleFile, read_rule_files
from kubewitness.detect.kusto import columns, gap, prelude
from kubewitness.model.event import BY_NAME
from kubewitness.model.rule import RuleKind

if TYPE_CHECKING:
    from kubewitness.detect.rule import Rule

RULE = """
title: t
logsource: {product: kubernetes, service: audit}
detection:
  it: %s
  condition: it
"""


@pytest.fixture(scope="module")
def pipeline() -> str:
    return kusto_pipeline()


@pytest.fixture(scope="module")
def files() -> list[tuple[RuleFile, Rule]]:
    return [(file, rule) for file in read_rule_files() for rule in file.rules if rule.alerts]


def kql(text: str, pipeline: str) -> str:
    backend = KustoBackend(ProcessingPipeline.from_yaml(pipeline))
    (query,) = backend.convert(SigmaCollection.from_yaml(text))
    assert query.startswith(prelude())
    return str(query).removeprefix(f"{prelude()}| where ").strip()


def test_rules_that_can_be_named_become_kql(files: list[tuple[RuleFile, Rule]], pipeline: str) -> None:
    queries = {rule.info.id: kql(file.text, pipeline) for file, rule in files if gap(rule) is None}
    assert len(queries) > len(files) / 3
    assert "exec-into-pod" in queries
    assert [rule_id for rule_id, query in queries.items() if re.search(r"isnull\(|=~ (true|false)", query)] == []


def test_rules_that_ask_for_other_fields_are_refused(files: list[tuple[RuleFile, Rule]], pipeline: str) -> None:
    refused = 0
    for file, rule in files:
        reason = gap(rule) or ""
        if rule.info.kind is RuleKind.SINGLE and "`" in reason and "with its case" not in reason:
            with pytest.raises((SigmaError, NotImplementedError)):
                kql(file.text, pipeline)
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    ("detection", "query"),
    [
        ("{objectRef.subresource: null}", "isempty(tostring(subresource))"),
        ("{succeeded: true}", "succeeded == true"),
        ("{responseStatus.code: 403}", "code == 403"),
        ("{responseStatus.code: [401, 403]}", 'tostring(code) in ("401", "403")'),
        ("{responseStatus.code|gte: 500}", "code >= 500"),
        ("{requestObject|exists: true}", "isnotempty(RequestObject)"),
        ("{user.username|startswith: 'system:'}", 'username startswith "system:"'),
        ("{objectRef.name|expand: '%no-such-list%'}", 'name =~ "␀an empty list"'),
    ],
)
def test_a_condition_becomes_kql(detection: str, query: str) -> None:
    text = RULE % detection
    document = yaml.safe_load(kusto_pipeline())
    document["vars"]["no-such-list"] = document["vars"]["known-people"]
    assert kql(text, yaml.safe_dump(document)) == query


def test_the_prelude_makes_columns_of_the_events_table_only() -> None:
    assert columns() <= BY_NAME.keys()
    assert columns() >= {"verb", "resource", "code", "succeeded", "action", "exec_command", "actor_kind"}
    assert "//" not in prelude()


def test_values_of_lists_reach_the_query(pipeline: str) -> None:
    assert "kube-hunter" in kql(RULE % "{userAgent|contains|expand: '%offensive-user-agents%'}", pipeline)
