"""What people get wrong, and what they are told: where, why, and what to do. And nothing found is no mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kubewitness.cli.application import app
from kubewitness.cli.scan import Platform

COMMAND = str(Path(sys.executable).with_name("kubewitness"))
ATTACK = str(Path(__file__).parents[2] / "examples" / "aks-attack")
ASKING = {
    "timeline": ("timeline", "--no-alerts"),
    "object": ("object", "shop/deployment/nothing"),
    "actor": ("actor", "nobody"),
    "facets": ("facets", "--filter", "user:nobody"),
    "hunt": ("hunt", "user:nobody"),
    "sql": ("sql", "SELECT verb FROM events", "--filter", "user:nobody"),
}
OF_POLICIES = {
    "volume": ("policy", "volume"),
    "simulate": ("policy", "simulate", "builtin:metadata"),
    "apply": ("policy", "apply", "builtin:metadata"),
    "advise": ("policy", "advise"),
    "coverage": ("coverage",),
    "baseline": ("baseline", "learn", "-o", "learned.jsonl"),
}


def run(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, check=False, cwd=folder, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mistakes")
    (path / "empty").mkdir()
    (path / "other").mkdir()
    (path / "other" / "file").write_text("x")
    (path / "junk.log").write_text("hello\n")
    (path / "zero.log").write_text("")
    (path / "audit.log").write_text(
        json.dumps({"kind": "Event", "auditID": "a", "verb": "get", "level": "Metadata"}) + "\n"
    )
    (path / "policy.yaml").write_text("kind: Policy\nrules: 3\n")
    (path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    return path


@pytest.mark.parametrize("words", (ASKING | OF_POLICIES).values(), ids=ASKING | OF_POLICIES)
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("missing.log", "nothing to read: missing.log: No such file or directory"),
        ("empty", "nothing to read: no file found"),
        ("junk.log", "no audit event among them: junk.log:1: not JSON"),
    ],
)
def test_a_question_of_what_cannot_be_read_has_no_answer(
    words: tuple[str, ...], path: str, says: str, folder: Path
) -> None:
    answer = run(*words, path, folder=folder)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert says in answer.stderr
    assert "hint: " in answer.stderr


@pytest.mark.parametrize("words", [words for name, words in ASKING.items() if name != "timeline"])
def test_nothing_found_is_an_answer_that_says_whether_it_could_have_been_another(words: tuple[str, ...]) -> None:
    answer = run(*words, ATTACK)
    assert answer.returncode == 0
    said = answer.stdout + answer.stderr
    assert "kubewitness coverage" in said or "could have shown" in said


@pytest.mark.parametrize("words", ASKING.values(), ids=ASKING)
def test_an_empty_log_is_read_and_has_nothing(words: tuple[str, ...], folder: Path) -> None:
    assert run(*words, "zero.log", folder=folder).returncode == 0


@pytest.mark.parametrize("command", ["facets", "timeline"])
@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("verb:get", ATTACK), "verb:get"),
        (("user:nobody OR verb:get", ATTACK), "user:nobody OR verb:get"),
        (('"secrets"', ATTACK), '"secrets"'),
        ((ATTACK, "--filter", "exec"), "exec"),
    ],
)
def test_a_filter_is_told_from_a_path_by_one_rule(command: str, words: tuple[str, ...], text: str) -> None:
    more = ("--no-alerts",) if command == "timeline" else ()
    found = json.loads(run(command, *words, *more, "--format", "json").stdout)
    assert (found["summary"]["subject"] if command == "timeline" else found["filter"]) == text


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (("facets", "foo", "audit.log"), "`foo` is no file, and may be a filter", "--filter foo"),
        (("timeline", "foo", "audit.log"), "`foo` is no file, and may be a filter", "./foo"),
        (("timeline", "verb:get"), "no logs named", "audit.log"),
        (("timeline", "audit.log", "--most", "-3"), "--most is a number", "0 or more"),
        (("hunt", "audit.log"), "`audit.log` is a file", "'' is every event"),
        (("hunt",), "nothing to look for", "kubewitness hunt list"),
        (("hunt", "--sql", "SELECT 1", "audit.log", "--set", "a=1"), "takes no", "kubewitness hunt --sql"),
        (("hunt", "--sql", "SELECT 1"), "no logs named", "audit.log"),
        (("hunt", "verb:get", "audit.log", "--policy", "policy.yaml"), "would not load this policy", "policy lint"),
        (("facets", "audit.log", "--policy", "policy.yaml"), "would not load this policy", "policy lint"),
        (("actor", "alice", "audit.log", "--most=-1"), "--most is a number of rows", "0 for all"),
        (("compare", "a.log", "b.log", "--most=-1"), "--most is a number of rows", "0 for all"),
        (("coverage", "audit.log", "--cluster", "shop"), "--cluster chooses one of a store", "--store"),
        (("coverage", "audit.log", "--store", "lake"), "logs and a store", "name either"),
        (("coverage", "audit.log", "--polcy"), "unknown option --polcy", "--help"),
        (("policy", "volume", "audit.log", "--prcies"), "unknown option --prcies", "--help"),
        (("policy", "advise", "--format", "json"), "unknown option --format", "--help"),
        (("policy", "diff", "builtin:gce", "builtin:metadata", "--fromat"), "unknown option --fromat", "--help"),
        (("baseline", "learn", "-o", "b.jsonl"), "no logs named", "audit.log"),
        (("scan", "audit.log", "--since", "yesterday"), "`yesterday` is no time", "2026-11-17"),
        (("scan", "audit.log", "--since", "2026-11-18", "--until", "2026-11-17"), "is not after --since", "one day"),
        (("scan", "audit.log", "--rules", "missing"), "missing: no such folder or file", "folder of Sigma rules"),
        (("hunt", "verb:get", "audit.log", "--until", "0001-01-01T00:00:00+14:00"), "is no time", "2026-11-17"),
        (("hunt", "at:>9999-12-31T23:59:59-12:00", "audit.log"), "is no time", "2026-11-17"),
        (("timeline", "audit.log", "--idle", "nan"), "an idle gap above 0", "--idle 15"),
        (("compare", "audit.log", "--split", "2026-11-17", "--ratio", "nan"), "a ratio is above 1", "--ratio 3"),
        (("sql", "SELECT 1", "audit.log", "--seconds", "-1"), "--seconds is a time above 0", "--seconds 600"),
        (("hunt", "verb:get", "audit.log", "--seconds", "1e300"), "--seconds is a time above 0", "--seconds 600"),
        (("policy", "volume", "audit.log", "--top", "-3"), "--top is a number of values", "0 or more"),
        (("scan", "audit.log", "--rules", "junk.log"), "not a Sigma rule: no mapping with title", ""),
        (("scan", "audit.log", "--lists", "audit.log"), "a value needs a reason", '{"kind": "Event", '),
        (("scan", "audit.log", "--exceptions", "nowhere"), "nowhere: cannot be read: No such file", ""),
        (("scan", "audit.log", "--exceptions", "binary.yaml"), "binary.yaml: cannot be read: is no UTF-8", ""),
        (("hunt", "verb:get", "--store", "missing"), "missing: is no store", "kubewitness ingest"),
        (("hunt", "verb:get", "--store", "audit.log"), "audit.log: is a file, and a store is a folder", "--store lake"),
        (("ingest", "audit.log", "--store", "audit.log"), "is a file, and a store is a folder", "--store lake"),
        (("ingest", "audit.log", "--store", "other"), "is a folder with other things in it", "new or empty"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_where_and_what_to_do(
    words: tuple[str, ...], says: str, hint: str, folder: Path
) -> None:
    answer = run(*words, folder=folder)
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
    assert says in answer.stderr
    assert hint in answer.stderr


def test_a_rule_file_that_holds_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text("&a [*a]\n")
    answer = run("rules", "lint", "own.yml", folder=tmp_path)
    assert (answer.returncode, answer.stderr) == (1, "")
    assert "not a Sigma rule" in answer.stdout


@pytest.mark.parametrize("text", ['{"kind":0}', '{"kind":null}', '{"verb":null,"requestURI":null}'])
def test_an_object_that_tells_nothing_is_no_event(text: str, tmp_path: Path) -> None:
    (tmp_path / "odd.log").write_text(text + "\n")
    ledger = json.loads(run("scan", "odd.log", "--format", "json", folder=tmp_path).stdout)["ledger"]
    assert (ledger["read"], ledger["events"], ledger["rejected"]) == (1, 0, 1)


@pytest.mark.parametrize(
    ("word", "says"),
    [("verb=get", "asks verb:get"), ("secretreaders", "kubewitness hunt list"), ("verb:list", ""), ("no such", "")],
)
def test_a_word_that_may_have_meant_more_is_explained_when_nothing_is_found(word: str, says: str, folder: Path) -> None:
    answer = run("hunt", word, "audit.log", folder=folder)
    assert answer.returncode == 0
    assert says in answer.stdout
    assert ("looked for as a text" in answer.stdout) is bool(says)


def test_an_empty_log_is_measured_and_applied_to_as_nothing(folder: Path) -> None:
    for words in (OF_POLICIES["volume"], OF_POLICIES["simulate"], OF_POLICIES["apply"]):
        assert run(*words, "zero.log", folder=folder).returncode == 0


def test_what_has_no_event_at_all_is_ingested_as_nothing(folder: Path, tmp_path: Path) -> None:
    answer = run("ingest", "junk.log", "--store", str(tmp_path / "lake"), "--format", "json", folder=folder)
    ledger = json.loads(answer.stdout)["ledger"]
    assert (answer.returncode, ledger["read"], ledger["rejected"]) == (0, 1, 1)


@pytest.mark.parametrize("platform", [each.value for each in Platform])
def test_a_platform_is_called_as_the_pages_call_it(platform: str) -> None:
    _, bound, _ = app.parse_args(["scan", "a.log", "--platform", platform], exit_on_error=False, print_error=False)
    assert bound.arguments["platform"] == platform


def test_hunt_takes_a_query_as_sql_does() -> None:
    query = "SELECT verb, count(*) AS n FROM events GROUP BY verb ORDER BY n DESC, verb"
    of_sql = run("sql", query, ATTACK, "--filter", "resource:secrets", "--format", "json")
    assert run("hunt", "--sql", query, "resource:secrets", ATTACK, "--format", "json").stdout == of_sql.stdout
    assert len(json.loads(of_sql.stdout)) > 1
