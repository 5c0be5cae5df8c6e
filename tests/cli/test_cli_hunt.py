"""`kubewitness hunt` as people run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kubewitness.query.filters import SHORT_NAMES

SHAPES = Path(__file__).parents[1] / "fixtures" / "shapes"
COMMAND = str(Path(sys.executable).with_name("kubewitness"))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, "hunt", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shape", ["plain.ndjson", "azure_object_log.ndjson", "eventhub_list.json", "legacy.log"])
def test_events_are_found_in_every_shape(shape: str) -> None:
    found = json.loads(run("user:*", str(SHAPES / shape), "--format", "json").stdout)
    assert found["count"] == len(found["events"]) > 0
    assert found["looked_at"] >= found["count"]
    assert all(event["line"] >= 1 and event["source"].endswith(shape) for event in found["events"])


def test_most_is_how_many_are_shown_and_not_how_many_are_counted() -> None:
    file = str(SHAPES / "plain.ndjson")
    whole = json.loads(run("", file, "--format", "json").stdout)
    few = json.loads(run("", file, "-n", "2", "--format", "json").stdout)
    assert (few["count"], len(few["events"])) == (whole["count"], 2)
    assert few["events"] == whole["events"][:2]
    assert [json.loads(line) for line in run("", file, "-n", "2", "--format", "ndjson").stdout.splitlines()] == few[
        "events"
    ]


def test_a_body_is_looked_into_and_an_event_stands_on_its_line(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    event = {"auditID": "a", "verb": "create", "requestURI": "/api/v1/pods", "objectRef": {"resource": "pods"}}
    secret = {"auditID": "b", "verb": "get", "requestURI": "/x", "userAgent": "curl", "user": {"username": "eve"}}
    file.write_text(
        json.dumps(secret) + "\n" + json.dumps(event | {"requestObject": {"spec": {"hostPID": True}}}) + "\n"
    )
    found = json.loads(run("hostPID", str(file), "--format", "json").stdout)
    assert [(item["audit_id"], item["line"]) for item in found["events"]] == [("a", 2)]


def test_an_empty_answer_says_whether_it_could_have_been_another() -> None:
    words = (
        "action:exec verb:get user:nobody",
        str(SHAPES / "plain.ndjson"),
        "--policy",
        "builtin:aks-kube-audit-admin",
    )
    answer = run(*words)
    assert "nothing found; this log could not have shown it" in answer.stdout
    assert answer.returncode == 0
    found = json.loads(run(*words, "--format", "json").stdout)
    assert found["could_have_shown"]["answer"] == "no"


def test_the_output_says_what_was_asked() -> None:
    file = str(SHAPES / "plain.ndjson")
    assert run("verb:get", file).stdout.startswith("filter: verb:get\n")
    assert run("secret-readers", file).stdout.startswith("hunt secret-readers: Who read secrets")
    assert json.loads(run("secret-readers", file, "-f", "json").stdout)["hunt"] == "secret-readers"
    misspelt = run("secret-reader", file).stdout
    assert misspelt.startswith("filter: secret-reader\n")
    assert "there is a hunt called secret-readers" in misspelt


def test_a_named_hunt_takes_parameters_and_gives_rows() -> None:
    words = ("rare-user-agents", str(SHAPES / "plain.ndjson"), "--format", "json")
    found = json.loads(run(*words).stdout)
    assert found["count"] == len(found["rows"]) > 0
    assert json.loads(run(*words, "--set", "most=0").stdout)["rows"] == []
    (header, *_) = run(*words[:-1], "csv").stdout.splitlines()
    assert header.split(",") == [*found["rows"][0]]


def test_hunts_of_ones_own_stand_beside_the_others(tmp_path: Path) -> None:
    own = tmp_path / "my-hunt.yml"
    own.write_text(
        "title: Mine\nquestion: What is mine?\nfilter: verb:get\nsql: SELECT count(*) AS n FROM events\nreading: So.\n"
    )
    found = json.loads(run("my-hunt", str(SHAPES / "plain.ndjson"), "--hunts", str(tmp_path), "-f", "json").stdout)
    assert found["rows"][0]["n"] > 0
    listed = json.loads(run("list", "--hunts", str(tmp_path), "--format", "json").stdout)
    assert {"my-hunt", "secret-readers"} <= {item["id"] for item in listed}
    assert "SELECT count(*) AS n FROM events" in run("show", "my-hunt", "--hunts", str(tmp_path)).stdout


def test_secrets_are_redacted_unless_revealed(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    uri = "/api/v1/namespaces/a/pods/b/exec?command=mysql&command=--password%3DhunterHunter2"
    reference = {"resource": "pods", "subresource": "exec", "namespace": "a", "name": "b", "apiVersion": "v1"}
    file.write_text(json.dumps({"auditID": "a", "verb": "create", "requestURI": uri, "objectRef": reference}) + "\n")
    assert "hunterHunter2" not in run("action:exec", str(file), "--format", "json").stdout
    assert "hunterHunter2" in run("action:exec", str(file), "--format", "json", "--reveal").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("verb:(", "audit.log"), "filter, character 7"),
        (("verb:get",), "no logs named"),
        (("verb:get", "missing.log"), "nothing to read"),
        (("show", "secret-reader"), "did you mean secret-readers?"),
        (("secret-readers", "a.log", "--set", "least=1"), "has no parameter `least`"),
        (("rare-user-agents", "a.log", "--set", "most=few"), "is a number"),
        (("verb:get", "a.log", "--set", "least=1"), "a filter has no parameters"),
        (("verb:get", "a.log", "--set", "least"), "sets nothing"),
        (("verb:get", "a.log", "-n", "-1"), "--most"),
        (("verb:get", str(SHAPES / "plain.ndjson"), "--hunts", "missing"), "no such folder"),
    ],
)
def test_what_cannot_be_done_is_an_error_with_a_hint(words: tuple[str, ...], says: str) -> None:
    answer = run(*words)
    assert answer.returncode == 2
    assert says in answer.stderr
    assert "hint:" in answer.stderr


def test_explain_prints_the_query() -> None:
    answer = run("action:exec", "--explain")
    assert "action = 'exec'" in answer.stdout


def test_every_short_name_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "filters.md").read_text("utf-8")
    assert [name for name in SHORT_NAMES if f"`{name}`" not in page] == []
    assert [column for names in SHORT_NAMES.values() for column in names if f"`{column}`" not in page] == []
