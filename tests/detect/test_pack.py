"""The builtin rules: each passes its cases and says all that a reader needs."""

from __future__ import annotations

import re
from itertools import product
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from kubewitness.alert.explain import unknown_placeholders
from kubewitness.app.rulebook.cases import check_cases
from kubewitness.app.rulebook.rules import RuleFile, read_rule_files
from kubewitness.detect.cases import FEWEST
from kubewitness.detect.pack import Pack, load_pack
from kubewitness.model.alert import Severity
from kubewitness.model.rule import RuleClass
from kubewitness.words.verbs import infinitive

if TYPE_CHECKING:
    from kubewitness.detect.rule import Rule

# fmt: off
REQUIRED = {
    "B01", "B03", "B07", "B15", "C01", "C06", "C08", "D01", "D02", "D03", "D07", "D20", "E01", "E02", "G10",
}
# fmt: on
SCENARIOS = {
    "request-forbidden": "unauthorized access attempt",
    "unauthorized-access-attempts": "unauthorized access attempts on many resources",
    "pod-deleted": "successful pod deletion",
    "secret-created": "creating a secret",
    "role-or-binding-changed": "changing roles or bindings",
    "access-from-new-network": "access from a suspicious address",
    "excessive-api-calls": "excessive API calls",
}
# Rules about what no entry of the catalogue describes.
OUTSIDE_THE_CATALOGUE = {
    "account-pull-secret-changed",
    "audit-id-reused",
    "change-without-end",
    "cloud-role-given-to-account",
    "cluster-watched-by-person",
    "node-credential-in-other-hands",
    "pod-takes-cloud-identity",
    "sensitive-change-without-end",
    "workload-created-by-person",
}


@pytest.fixture(scope="module")
def files() -> list[RuleFile]:
    return read_rule_files()


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack()


def missing(pack: Pack, *attributes: str) -> list[tuple[str, str]]:
    return [(rule.info.id, name) for rule, name in product(pack.alerting, attributes) if not getattr(rule.info, name)]


def test_every_rule_alerts_on_its_matching_cases_in_all_clothes_and_on_nothing_else() -> None:
    outcome = check_cases()
    assert outcome.failures == ()
    assert outcome.cases >= 2 * FEWEST * outcome.rules


def test_there_are_at_least_thirty_rules(pack: Pack) -> None:
    assert len(pack.alerting) >= 30


def test_every_rule_says_what_why_and_what_next(pack: Pack) -> None:
    assert missing(pack, "title", "description", "false_positives", "explain", "next_steps", "techniques") == []


def test_catalogue_ids_are_a_letter_and_two_digits(pack: Pack) -> None:
    ids = {(rule.info.id, entry) for rule in pack.alerting for entry in rule.info.catalogue}
    assert [pair for pair in ids if not re.fullmatch(r"[A-J]\d\d", pair[1])] == []


def test_every_rule_names_its_entry_of_the_catalogue(pack: Pack) -> None:
    assert {rule.info.id for rule in pack.alerting if not rule.info.catalogue} == OUTSIDE_THE_CATALOGUE


def test_the_entries_that_every_cluster_needs_are_covered(pack: Pack) -> None:
    covered = {entry for rule in pack.alerting for entry in rule.info.catalogue}
    assert covered >= REQUIRED


def test_explanations_name_only_what_an_event_can_have(pack: Pack) -> None:
    unknown = {rule.info.id: unknown_placeholders(rule.info.explain or "") for rule in pack.alerting}
    assert {rule_id: names for rule_id, names in unknown.items() if names} == {}


def test_a_file_holds_one_rule_that_alerts_and_is_named_like_it(files: list[RuleFile]) -> None:
    named = [([rule.info.id for rule in file.rules if rule.alerts], PurePosixPath(file.path).stem) for file in files]
    assert [pair for pair in named if pair[0] != [pair[1]]] == []


def test_ids_are_kebab_case_and_unique(files: list[RuleFile]) -> None:
    ids = [rule.info.id for file in files for rule in file.rules]
    assert len(ids) == len(set(ids))
    assert [rule_id for rule_id in ids if not re.fullmatch(r"[a-z]+(-[a-z]+)*", rule_id)] == []


def test_every_file_has_cases_beside_it(files: list[RuleFile]) -> None:
    assert [file.path for file in files if file.cases_text is None] == []


def test_uuids_are_unique(files: list[RuleFile]) -> None:
    ids = [found for file in files for found in re.findall(r"(?m)^id: (\S+)$", file.text)]
    assert len(ids) == sum(len(file.rules) for file in files) == len(set(ids))


def test_the_scenarios_run_by_default() -> None:
    core = {rule.info.id for rule in load_pack(classes=[RuleClass.CORE]).alerting}
    assert sorted(SCENARIOS.keys() - core) == []


def test_everyday_scenarios_stay_below_medium(pack: Pack) -> None:
    everyday = {
        "request-forbidden",
        "pod-deleted",
        "secret-created",
        "role-or-binding-changed",
        "secrets-listed",
    }
    ranks = {rule.info.id: rule.info.severity.rank for rule in pack.alerting if rule.info.id in everyday}
    assert ranks.keys() == everyday
    assert max(ranks.values()) < Severity.MEDIUM.rank


def test_bases_of_correlations_stay_in_their_file(files: list[RuleFile]) -> None:
    strays = [
        (rule.info.id, base)
        for file in files
        for rule in file.rules
        for base in _bases(rule)
        if base not in {other.info.id for other in file.rules}
    ]
    assert strays == []


def _bases(rule: Rule) -> tuple[str, ...]:
    return rule.correlation.rules if rule.correlation else ()


def test_explanations_do_not_say_a_kind_twice(pack: Pack) -> None:
    """`{object}` names the kind itself: "the node {object}" becomes "the node node a"."""
    nouns = (
        "node|nodes|endpoints|service|namespace|pod|deployment|role|binding|secret|ingress|webhook|certificate request"
    )
    twice = re.compile(rf"\b(?:{nouns}) \{{object\}}")
    said = {rule.info.id: rule.info.explain or "" for rule in pack.alerting}
    assert [rule_id for rule_id, text in said.items() if twice.search(text)] == []


def test_explanations_can_be_told_of_an_attempt(pack: Pack) -> None:
    """ "opened" becomes "tried to open", "was refused" stays: of a verb that is neither, the sentence would stumble."""
    first = {rule.info.id: (rule.info.explain or "").split(" ")[0] for rule in pack.alerting}
    assert {rule_id: word for rule_id, word in first.items() if word != "tried" and infinitive(word) is None} == {}
