"""`kubewitness object` as people run it."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ATTACK = str(Path(__file__).parents[2] / "examples" / "aks-attack")
BINDING = "clusterrolebinding/aks-node-metrics"
COMMAND = str(Path(sys.executable).with_name("kubewitness"))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, "object", *words], capture_output=True, text=True, check=False)


def test_a_life_is_told() -> None:
    answer = run(BINDING, ATTACK)
    assert answer.returncode == 0
    assert "life 1" in answer.stdout
    assert "11-17 09:12:29 end    deleted by system:serviceaccount:shop:ci-deployer (kubectl)" in answer.stdout


def test_standard_input_is_read() -> None:
    log = gzip.decompress((Path(ATTACK).parent / "stolen-admin" / "audit.log.gz").read_bytes()).decode()
    answer = subprocess.run(
        [COMMAND, "object", "ns/monitoring", "-"], input=log, capture_output=True, text=True, check=True
    )
    assert "deleted by ops-admin (kubectl); gone after 12 s" in answer.stdout


def test_json_is_one_object() -> None:
    whole = json.loads(run(BINDING, ATTACK, "-f", "json").stdout)
    assert list(whole) == ["summary", "ledger", "lives"]
    ((life),) = whole["lives"]
    assert life["revisions"][0]["actor"] == "system:serviceaccount:shop:ci-deployer"


def test_the_state_of_a_moment_is_yaml(tmp_path: Path) -> None:
    file = tmp_path / "binding.yaml"
    answer = run(BINDING, ATTACK, "--at", "2026-11-17T09:00:00Z", "-o", str(file))
    assert (answer.returncode, answer.stdout) == (0, "")
    assert yaml.safe_load(file.read_text("utf-8"))["roleRef"]["name"] == "cluster-admin"


def test_differences_begin_with_nothing() -> None:
    assert run(BINDING, ATTACK, "--diff").stdout.startswith("--- (nothing)\n+++ life 1 r1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((BINDING,), "no logs named"),
        (("web", ATTACK), "names no object"),
        ((BINDING, ATTACK, "--at", "yesterday"), "is no time"),
    ],
)
def test_wrong_usage_is_said(words: tuple[str, ...], message: str) -> None:
    answer = run(*words)
    assert answer.returncode == 2
    assert message in answer.stderr


def test_an_object_that_is_not_there_says_where_to_ask_next() -> None:
    answer = run("shop/pod/nothing", ATTACK)
    assert "kubewitness coverage" in answer.stdout
    assert answer.returncode == 0


def test_lines_are_what_happened_one_thing_each() -> None:
    lines = [json.loads(line) for line in run(BINDING, ATTACK, "--format", "ndjson").stdout.splitlines()]
    (life,) = json.loads(run(BINDING, ATTACK, "--format", "json").stdout)["lives"]
    assert [line["what"] for line in lines].count("revision") == len(life["revisions"])
    assert [line["what"] for line in lines].count("touch") == len(life["touches"])
    assert (
        lines[-1]
        == {"object": "clusterrolebindings/aks-node-metrics", "life": 1, "uid": life["uid"], "what": "deletion"}
        | life["deletion"]
    )
    assert {(line["object"], line["life"]) for line in lines} == {("clusterrolebindings/aks-node-metrics", 1)}


def test_a_page_has_revisions_changes_and_the_end(tmp_path: Path) -> None:
    page = tmp_path / "object.html"
    answer = run(BINDING, ATTACK, "--format", "html", "-o", str(page))
    assert (answer.returncode, answer.stdout) == (0, "")
    text = page.read_text("utf-8")
    assert "<h1>clusterrolebindings/aks-node-metrics</h1>" in text
    assert 'id="life-1-r1"' in text
    assert '<code class="field">roleRef</code>' in text
    assert "deleted by system:serviceaccount:shop:ci-deployer (kubectl)" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "records read: " in text


def event(number: int, verb: str, **more: object) -> str:
    """An event of a secret; the text of it is hostile."""
    return json.dumps(
        {
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": f"id-{number}",
            "stage": "ResponseComplete", "verb": verb, "requestURI": "/api/v1/namespaces/web/secrets/db",
            "user": {"username": f"<b>user-{number}</b>"}, "responseStatus": {"code": 200},
            "objectRef": {"resource": "secrets", "namespace": "web", "name": "db", "apiVersion": "v1"},
            "requestReceivedTimestamp": f"2026-11-17T08:0{number}:00.000000Z",
            "stageTimestamp": f"2026-11-17T08:0{number}:00.000001Z", **more,
        }
    )  # fmt: skip


def test_on_a_page_gaps_are_striped_and_secrets_are_redacted(tmp_path: Path) -> None:
    body = {
        "kind": "Secret",
        "metadata": {"name": "db", "namespace": "web", "uid": "u"},
        "data": {"password": "aHVudGVyMg=="},
    }
    log = tmp_path / "audit.log"
    log.write_text(
        "\n".join(
            [
                event(1, "create", level="RequestResponse", requestObject=body, responseObject=body),
                event(2, "update"),
                event(3, "get"),
            ]
        )
    )
    page = run("web/secret/db", str(log), "--format", "html").stdout
    assert re.findall(r'<a class="(\w+)" href="#life-1-r\d"', page) == ["known", "gap"]
    assert '<article class="entry gap" data-item="gap" id="life-1-r2">' in page
    assert "what was written is not recorded" in page
    assert "Read 1 time: &lt;b&gt;user-3&lt;/b&gt; (1)." in page
    assert "aHVudGVyMg" not in page
    assert "<b>" not in page
    assert "aHVudGVyMg" in run("web/secret/db", str(log), "--format", "html", "--reveal").stdout


def test_the_page_of_an_object_that_is_not_there_says_where_to_ask_next() -> None:
    answer = run("shop/pod/nothing", ATTACK, "--format", "html")
    assert "kubewitness coverage" in answer.stdout
    assert answer.returncode == 0


def test_what_a_log_never_saw_change_has_no_difference_and_no_state_of_which_it_knows(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(event(1, "get") + "\n")
    assert "# no change of web/secrets/db is in this log" in run("web/secret/db", str(log), "--diff").stdout
    for name in ("web/secret/db", "web/secret/other"):
        assert "the log does not say whether it was there" in run(name, str(log), "--at", "2026-11-18").stdout
