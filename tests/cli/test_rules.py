"""`kubewitness rules`, as people call it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from kubewitness.cli import main

# These tests go through the entry point, which reads the words from sys.argv as in a terminal.
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")

NIGHT = """
title: Secrets at night
name: secrets-at-night
description: Somebody reads secrets.
logsource: {product: kubernetes, service: audit}
detection:
  read: {verb: get, objectRef.resource: secrets}
  condition: read
level: low
"""
READ = {"verb": "get", "objectRef": {"resource": "secrets", "name": "db"}, "user": {"username": "eve"}}
LIST = {"verb": "list", "objectRef": {"resource": "secrets"}, "user": {"username": "eve"}}
COUNT = """
title: Many reads
name: many-reads
correlation:
  type: event_count
  rules: [secrets-at-night]
  group-by: [user.username]
  timespan: 1m
  condition: {gte: 3}
"""


class Run(Protocol):
    """Run the command; gives its exit code, what it said to stdout and what to stderr."""

    def __call__(self, *words: str | Path) -> tuple[int, str, str]: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["kubewitness", "rules", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def write(folder: Path, name: str, rule: str, **cases: list[dict[str, Any]]) -> None:
    (folder / f"{name}.yml").write_text(rule, encoding="utf-8")
    if cases:
        (folder / f"{name}.test.yaml").write_text(yaml.safe_dump(cases), encoding="utf-8")


def case(event: dict[str, Any], about: str = "it", **more: Any) -> dict[str, Any]:
    return {"about": about, "event": event, **more}


KEYS = ("id", "title", "severity", "confidence", "class", "catalogue", "techniques", "kind")


def test_list_as_json_has_the_promised_keys(run: Run) -> None:
    code, out, _ = run("list", "--format", "json")
    rules = json.loads(out)
    assert code == 0
    assert {tuple(rule) for rule in rules} == {KEYS}
    exec_rule = next(rule for rule in rules if rule["id"] == "exec-into-pod")
    assert (exec_rule["class"], exec_rule["kind"], exec_rule["catalogue"]) == ("core", "single", ["B01"])
    assert not [rule for rule in rules if rule["id"].endswith("-base")]


def test_list_can_be_narrowed_to_a_class_and_to_rules_of_ones_own(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "secrets-at-night", NIGHT)
    _, everything, _ = run("list", "--format", "json", "--class", "audit-trail")
    assert {rule["class"] for rule in json.loads(everything)} == {"audit-trail"}
    _, own, _ = run("list", "--rules", tmp_path, "--no-builtin-rules", "--format", "json")
    assert [rule["id"] for rule in json.loads(own)] == ["secrets-at-night"]


def test_the_table_of_rules_fits_100_columns(run: Run) -> None:
    code, out, _ = run("list")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 100
    assert "privileged-pod" in out


def test_show_tells_what_why_and_what_next(run: Run) -> None:
    code, out, _ = run("show", "exec-into-pod")
    assert code == 0
    for part in (
        "exec-into-pod",
        "T1609",
        "B01",
        "What and why",
        "Known false positives",
        "What to check next",
    ):
        assert part in out
    assert "Events on which it alerts" in out
    assert max(map(len, out.splitlines())) <= 100


def test_show_says_what_a_rule_needs_and_what_feeds_it(run: Run) -> None:
    _, out, _ = run("show", "exec-into-pod")
    assert "  level: Metadata\n" in out
    assert "  partly  AKS, category kube-audit-admin: clients of today connect by get, which it leaves out\n" in out


def test_show_as_json_has_all_that_the_page_has(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "secrets-at-night", NIGHT, match=[case(READ)], no_match=[case(LIST, "a list")])
    code, out, _ = run("show", "secrets-at-night", "--rules", tmp_path, "--format", "json")
    page = json.loads(out)
    assert code == 0
    assert page["needs"] == {
        "level": "Metadata",
        "level_for_all": "Metadata",
        "verbs": ["get"],
        "resources": ["secrets"],
        "fields": ["objectRef.resource", "verb"],
    }
    assert {"feed": "aks-kube-audit-admin", "verdict": "no", "why": "leaves out get"} in page["feeds"]
    assert page["matching"] == [{"about": "it", "event": READ}]
    assert [each["about"] for each in page["passing"]] == ["a list"]


def test_the_catalogue_says_what_is_covered_and_what_no_log_shows(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "secrets-at-night", NIGHT + "catalogue: [E09, X99]\n")
    own = ("catalogue", "--rules", tmp_path, "--no-builtin-rules")
    code, out, _ = run(*own, "--format", "json")
    entries = {entry["id"]: entry for entry in json.loads(out)}
    assert code == 0
    assert len(entries) == 190
    assert entries["E09"] == {
        "id": "E09",
        "name": "Any successful secret get",
        "rules": ["secrets-at-night"],
        "outside": None,
    }
    assert {entry for entry, found in entries.items() if found["rules"]} == {"E09"}
    assert {entry for entry, found in entries.items() if found["outside"]} == {"G11", "H05"}
    _, out, _ = run(*own)
    assert out.endswith("\n1 of 188 that audit logs can show are covered\n")
    assert max(map(len, out.splitlines())) <= 100


def test_the_layer_for_the_navigator_scores_techniques_by_their_rules(run: Run, tmp_path: Path) -> None:
    for name, tags in (("a", "[attack.t1552.007]"), ("b", "[attack.t1552.007, attack.t1078, attack.execution]")):
        write(tmp_path, name, NIGHT.replace("secrets-at-night", name) + f"tags: {tags}\n")
    layer_file = tmp_path / "layer.json"
    words = ("list", "--rules", tmp_path, "--no-builtin-rules", "--format", "navigator", "-o", layer_file)
    assert run(*words) == (0, "", "")
    layer = json.loads(layer_file.read_text("utf-8"))
    assert (layer["domain"], layer["versions"]["layer"]) == ("enterprise-attack", "4.5")
    assert layer["gradient"]["maxValue"] == 2
    assert [(each["techniqueID"], each["score"]) for each in layer["techniques"]] == [("T1078", 1), ("T1552.007", 2)]
    assert layer["techniques"][1]["comment"] == "a (low): Secrets at night\nb (low): Secrets at night"


def test_a_list_that_cannot_be_written_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    code, out, err = run("list", "-o", tmp_path / "missing" / "rules.json", "--format", "json")
    assert (code, out) == (2, "")
    assert "cannot be written" in err


def test_the_pipeline_holds_ones_own_lists(run: Run, tmp_path: Path) -> None:
    (tmp_path / "decoys.txt").write_text("bait # nobody needs it\n", encoding="utf-8")
    code, out, _ = run("pipeline", "--lists", tmp_path)
    assert code == 0
    assert yaml.safe_load(out)["vars"]["decoys"] == ["bait"]


def test_show_yaml_prints_the_file_as_it_is(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "secrets-at-night", NIGHT)
    assert run("show", "secrets-at-night", "--rules", tmp_path, "--yaml")[1] == NIGHT


@pytest.mark.parametrize("command", ["show", "sql"])
def test_an_unknown_rule_is_wrong_usage(run: Run, command: str) -> None:
    code, out, err = run(command, "no-such-rule")
    assert (code, out) == (2, "")
    assert "no rule `no-such-rule`" in err
    assert "Traceback" not in err


def test_sql_is_a_query_over_events(run: Run) -> None:
    code, out, _ = run("sql", "exec-into-pod")
    assert code == 0
    assert "FROM events" in out
    assert "'exec'" in out


def test_sql_of_spark_needs_no_functions_of_this_project(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "a", NIGHT.replace("verb: get", "requestObject.data.key|contains: x"))
    code, out, _ = run("sql", "secrets-at-night", "--rules", tmp_path, "--dialect", "spark")
    assert code == 0
    assert "TRY_PARSE_JSON(request_object)" in out
    assert "kw_" not in out.lower()


def test_sql_of_a_count_says_what_is_counted(run: Run) -> None:
    _, out, _ = run("sql", "secret-read-burst")
    assert "-- alerts where the number of different values of request_path >= 10 within 300 s" in out


def test_rules_that_pass_their_cases_exit_with_0(run: Run, tmp_path: Path) -> None:
    good = case(LIST, "a list")
    write(tmp_path, "secrets-at-night", NIGHT, match=[case(READ), case(READ, "b")], no_match=[good, good])
    code, out, _ = run("test", tmp_path)
    assert (code, out) == (0, "1 rule, 4 cases, 4 variants: all pass\n")


def test_a_failing_case_is_named_with_its_file(run: Run, tmp_path: Path) -> None:
    wrong = case(READ, "should be silent")
    write(
        tmp_path,
        "secrets-at-night",
        NIGHT,
        match=[case(READ), case(LIST, "a list")],
        no_match=[case(LIST), wrong],
    )
    code, out, _ = run("test", tmp_path, "--format", "json")
    outcome = json.loads(out)
    assert (code, outcome["rules"], outcome["cases"]) == (1, 1, 4)
    assert [(failure["case"], failure["message"]) for failure in outcome["failures"]] == [
        ("a list", "should alert, but does not"),
        ("should be silent", "should not alert, but does"),
    ]
    assert {failure["path"] for failure in outcome["failures"]} == {str(tmp_path / "secrets-at-night.test.yaml")}


def test_a_rule_with_too_few_cases_fails(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "secrets-at-night", NIGHT, match=[case(READ)], no_match=[case(LIST), case(LIST, "b")])
    write(
        tmp_path,
        "many-reads",
        NIGHT.replace("secrets-at-night", "base") + "---" + COUNT.replace("[secrets-at-night]", "[base]"),
    )
    code, out, _ = run("test", tmp_path)
    assert code == 1
    assert "(many-reads): has 0 of at least 2 cases under `match`" in out
    assert "(secrets-at-night): has 1 of at least 2 cases under `match`" in out
    assert "base" not in out


def test_cases_do_not_count_what_others_show(run: Run, tmp_path: Path) -> None:
    """The rule groups by user alone, so that only the runner can keep one case from another."""
    rule = NIGHT + "---" + COUNT
    two = {"repeat": 2, "every_s": 5}
    write(
        tmp_path,
        "many-reads",
        rule,
        match=[case(READ, "three", repeat=3), case(READ, "four", repeat=4)],
        no_match=[
            case(READ, "two", **two),
            case(READ, "two more", **two),
            case(READ, "slow", repeat=9, every_s=40),
        ],
    )
    code, out, _ = run("test", tmp_path)
    assert (code, out) == (0, "1 rule, 5 cases, 2 variants: all pass\n")


def test_a_broken_rule_or_case_does_not_keep_others_from_being_tested(run: Run, tmp_path: Path) -> None:
    pair = [case(LIST), case(LIST, "b")]
    write(tmp_path, "secrets-at-night", NIGHT, match=[case(READ), case(READ, "b")], no_match=pair)
    write(tmp_path, "broken", "title: [")
    write(tmp_path, "other", NIGHT.replace("secrets-at-night", "other"), match=[{"about": "nothing"}])
    code, out, _ = run("test", tmp_path)
    assert code == 1
    assert "broken.yml: not YAML" in out
    assert "other.test.yaml: a case needs one of" in out
    assert out.splitlines()[-1] == "2 rules, 4 cases, 4 variants: 2 failures"


PODS = """
title: Pod made
name: pod-made
logsource: {product: kubernetes, service: audit}
detection:
  made: {verb: create, objectRef.resource: pods}
  condition: made
level: low
"""
POD = {
    "verb": "create",
    "requestURI": "/api/v1/namespaces/shop/pods",
    "user": {"username": "eve"},
    "objectRef": {"resource": "pods", "namespace": "shop"},
    "requestObject": {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "nginx"}]}},
}


def run_pods(run: Run, folder: Path, exempt: str = "{}", *words: str) -> tuple[int, str]:
    write(folder, "pod-made", f"{PODS}exempt: {exempt}\n", match=[case(POD)] * 2, no_match=[case(READ)] * 2)
    return run("test", folder, *words)[:2]


def test_a_matching_case_in_other_clothes_must_match_too(run: Run, tmp_path: Path) -> None:
    code, out = run_pods(run, tmp_path, "{}", "--format", "json")
    failures = json.loads(out)["failures"]
    assert code == 1
    assert {failure["mutation"] for failure in failures} == {"patch-merge", "patch-json", "patch-apply", "template"}
    assert failures[0]["message"] == (
        "should alert, but does not: as a merge patch, at level Request; as a merge patch, at level RequestResponse"
    )
    assert "events" not in failures[0]


def test_the_changed_events_are_shown_on_request(run: Run, tmp_path: Path) -> None:
    _, out = run_pods(run, tmp_path, "{}", "--events")
    lines = out.splitlines()
    assert lines[0].endswith("[patch-merge]")
    event = json.loads(lines[1])
    assert (event["verb"], event["requestURI"]) == (
        "patch",
        "/api/v1/namespaces/shop/pods/web?fieldManager=kubectl-patch",
    )
    _, out = run_pods(run, tmp_path, "{}", "--events", "--format", "json")
    assert json.loads(out)["failures"][0]["events"] == [event]


def test_an_exemption_with_a_reason_silences_a_mutation(run: Run, tmp_path: Path) -> None:
    code, out = run_pods(run, tmp_path, "{patch: pods are only created, template: another rule's work}")
    assert (code, out.splitlines()[-1]) == (0, "1 rule, 4 cases, 24 variants: all pass")


@pytest.mark.parametrize(
    ("exempt", "message"),
    [
        ("{patch: a, template: b, actor: c}", "is exempt from `actor`, but no case needs that"),
        ("{patch: a, template: b, version: c}", "is exempt from `version`, but no case needs that"),
        ("{patch: a, template: b, clothes: c}", "`exempt` names `clothes`, which is no mutation (hint: one of actor, "),
        ("{patch: a, template: ''}", "`exempt` is a mapping from the name of a mutation to the reason"),
        ("[patch]", "`exempt` is a mapping from the name of a mutation to the reason"),
    ],
)
def test_an_exemption_that_does_nothing_or_says_nothing_must_go(
    run: Run, tmp_path: Path, exempt: str, message: str
) -> None:
    code, out = run_pods(run, tmp_path, exempt)
    assert code == 1
    assert message in out
    assert out.endswith(": 1 failure\n")


def test_an_exemption_is_no_wider_than_needed(run: Run, tmp_path: Path) -> None:
    applied = PODS.replace("verb: create", "verb: [create, patch], requestObject.spec.containers.image: nginx")
    rule = applied + "exempt: {patch: bodies are looked into, template: no templates}\n"
    write(tmp_path, "pod-made", rule, match=[case(POD)] * 2, no_match=[case(READ)] * 2)
    code, out, _ = run("test", tmp_path)
    assert code == 1
    assert "is exempt from `patch`, but needs only `patch-json`" in out


def test_variants_of_a_failing_case_are_not_reported(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "pod-made", PODS, match=[case(READ)] * 2, no_match=[case(LIST)] * 2)
    _, out, _ = run("test", tmp_path)
    assert out.endswith(": 2 failures\n")
    assert "[" not in out


def test_lint_collects_all_errors_with_file_line_column_and_hint(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "a", NIGHT.replace("objectRef.resource", "objectRef.resourc"))
    write(tmp_path, "b", NIGHT + "explain: read {nothing}\nclass: core\n")
    write(tmp_path, "c", NIGHT.replace("level: low", "class: loud"))
    write(tmp_path, "d", COUNT.replace("secrets-at-night", "nowhere"))
    code, out, _ = run("lint", tmp_path, "--format", "json")
    answer = json.loads(out)
    assert (code, answer["valid"]) == (1, False)
    errors = [issue for issue in answer["issues"] if issue["severity"] == "error"]
    assert [(Path(issue["path"]).name, issue["line"], issue["code"]) for issue in errors] == [
        ("a.yml", 7, "not-loaded"),
        ("b.yml", 10, "placeholder-unknown"),
        ("c.yml", 9, "not-loaded"),
        ("d.yml", 6, "not-loaded"),
    ]
    assert errors[0]["hint"] == "did you mean `objectRef.resource`?"
    assert {tuple(issue) for issue in answer["issues"]} == {
        ("severity", "code", "message", "path", "line", "column", "hint")
    }


def test_lint_warns_of_values_that_no_event_has(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "a", NIGHT.replace("verb: get", "verb: [update, replace]"))
    code, out, _ = run("lint", tmp_path)
    assert code == 0
    assert re.search(r"a\.yml:7:\d+: warning: no event has the verb `replace` \[value-impossible\]", out)
    assert "hint: a replacement is recorded as `update`" in out


def test_lint_writes_sarif(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "a", NIGHT.replace("verb: get", "verb: replace"))
    code, out, _ = run("lint", tmp_path, "--format", "sarif")
    assert code == 1
    results = json.loads(out)["runs"][0]["results"]
    never = next(result for result in results if result["ruleId"] == "never-matches")
    assert never["level"] == "error"
    assert never["locations"][0]["physicalLocation"]["region"]["startLine"] == 6


def test_lint_knows_lists_that_it_is_given(run: Run, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "lists").mkdir()
    write(tmp_path / "rules", "a", NIGHT.replace("verb: get", "user.username|expand: '%night-shift%'"))
    (tmp_path / "lists" / "night-shift.txt").write_text("alice  # on call\n", encoding="utf-8")
    assert "[list-unknown]" in run("lint", tmp_path / "rules")[1]
    assert "[list-unknown]" not in run("lint", tmp_path / "rules", "--lists", tmp_path / "lists")[1]


def test_two_rules_with_one_id_are_an_error(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "a", NIGHT)
    write(tmp_path, "b", NIGHT)
    code, out, _ = run("lint", tmp_path)
    assert code == 1
    assert "b.yml:3:1: error: id `secrets-at-night` is already taken by" in out


@pytest.mark.parametrize("command", ["lint", "test"])
def test_a_folder_that_is_not_there_or_empty_is_wrong_usage(run: Run, command: str, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        code, out, err = run(command, folder)
        assert (code, out) == (2, "")
        assert str(folder) in err


@pytest.mark.parametrize("command", ["list", "show", "catalogue", "pipeline", "test", "lint", "sql"])
def test_help_shows_examples(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"kubewitness rules {command}" in out.partition("Examples:")[2]
