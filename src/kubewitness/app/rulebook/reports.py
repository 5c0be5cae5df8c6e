"""What can be said of rules as a whole: what feeds them, which techniques and entries of the catalogue they cover."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.app.rulebook.rules import read_rule_files, rule_fields
from kubewitness.detect.cases import example_of
from kubewitness.detect.catalogue import OUTSIDE, coverage, entries
from kubewitness.detect.feeds import Fed, Wants, feeds_of, shown_needs, wants
from kubewitness.detect.kusto import pipeline
from kubewitness.detect.lists import load_lists

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from kubewitness.app.rulebook.rules import RulePage
    from kubewitness.detect.rule import Rule
    from kubewitness.model.rule import RuleInfo

_PLACEHOLDER = re.compile(r"%([a-z0-9]+(?:-[a-z0-9]+)*)%")
# Versions of the formats and of the knowledge base that the layer was written for.
_LAYER_VERSIONS = {"attack": "18", "navigator": "5.2.0", "layer": "4.5"}
_FEW, _MANY = "#cfe8ff", "#0b5cad"


class Feeding:
    """What rules need of a log; knows the rules that others count."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        """Read the rules; those that cannot be loaded are left out.

        Raises:
            UsageError: there is no such folder.
        """
        self._known = {rule.info.id: rule for file in read_rule_files(folders) for rule in file.rules}

    def wants(self, rule: Rule) -> Wants:
        """What a rule needs of an event."""
        return wants(rule, self._known)

    def feeds(self, rule: Rule) -> list[Fed]:
        """What each kind of log can do for it."""
        return feeds_of(rule, self._known)


def wanted_fields(wanted: Wants) -> dict[str, Any]:
    """Needs as `rules show --format json` shows them; keys without a value are left out."""
    return {
        "level": wanted.least.value,
        "level_for_all": wanted.whole.value,
        **shown_needs(wanted.needs),
        "fields": sorted(field.name for field in wanted.fields),
    }


def page_fields(page: RulePage, feeding: Feeding) -> dict[str, Any]:
    """All there is to say of a rule, as `rules show --format json` shows it."""
    info = page.rule.info
    return {
        **rule_fields(info),
        "description": info.description,
        "false_positives": list(info.false_positives),
        "next": info.next_steps,
        "references": list(info.references),
        "exempt": info.exempt,
        "file": page.file.path,
        "needs": wanted_fields(feeding.wants(page.rule)),
        "feeds": [
            {"feed": fed.feed.id, "verdict": fed.verdict.value, "why": fed.why} for fed in feeding.feeds(page.rule)
        ],
        "matching": [{"about": case.about, "event": example_of(case)} for case in page.matching],
        "passing": [{"about": case.about, "event": example_of(case)} for case in page.passing],
    }


def catalogue_fields(infos: Iterable[RuleInfo]) -> list[dict[str, Any]]:
    """Every entry of the catalogue with the rules that cover it, as `rules catalogue --format json` shows it."""
    names = entries()
    return [
        {"id": entry, "name": names[entry], "rules": rules, "outside": OUTSIDE.get(entry)}
        for entry, rules in coverage(infos).items()
    ]


def kusto_pipeline(folders: Sequence[Path] = (), lists: Sequence[Path] = ()) -> str:
    """The processing pipeline with which `sigma convert` makes KQL of rules, as YAML.

    Args:
        folders: folders or files of rules besides the builtin ones.
        lists: folders or files of lists besides the builtin ones.

    Raises:
        UsageError: there is no such folder.
        ListError: a list cannot be read.
    """
    named = {name for file in read_rule_files(folders) for name in _PLACEHOLDER.findall(file.text)}
    return yaml.safe_dump(pipeline(load_lists(lists), named), sort_keys=False, allow_unicode=True, width=110)


def navigator_layer(infos: Sequence[RuleInfo]) -> dict[str, Any]:
    """The techniques that rules name, as a layer of MITRE's ATT&CK Navigator.

    A technique's score is the number of its rules. Source: ATT&CK Navigator layer file format 4.5.
    """
    by_technique: dict[str, list[RuleInfo]] = {}
    for info in infos:
        for technique in info.techniques:
            by_technique.setdefault(technique, []).append(info)
    most = max(map(len, by_technique.values()), default=1)
    parents = {technique.partition(".")[0] for technique in by_technique if "." in technique}
    return {
        "name": "kubewitness",
        "versions": _LAYER_VERSIONS,
        "domain": "enterprise-attack",
        "description": f"Techniques that {len(infos)} rules over Kubernetes audit logs look for.",
        "filters": {"platforms": ["Containers", "IaaS", "Linux", "Windows"]},
        "sorting": 3,  # by score, highest first
        "layout": {"layout": "side", "showID": True, "showName": True},
        "hideDisabled": False,
        "techniques": [
            {
                "techniqueID": technique,
                "score": len(rules),
                "comment": "\n".join(f"{info.id} ({info.severity.value}): {info.title}" for info in rules),
                "enabled": True,
                "metadata": [{"name": "rule", "value": info.id} for info in rules],
                "showSubtechniques": technique in parents,
            }
            for technique, rules in sorted(by_technique.items())
        ],
        "gradient": {"colors": [_FEW, _MANY], "minValue": 1, "maxValue": max(most, 2)},
        "legendItems": [],
        "metadata": [{"name": "rules", "value": str(len(infos))}],
        "showTacticRowBackground": False,
        "selectTechniquesAcrossTactics": True,
        "selectSubtechniquesWithParent": False,
        "selectVisibleTechniques": False,
    }
