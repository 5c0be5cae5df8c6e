"""`kubewitness policy`, as people call it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Protocol

import pytest

from kubewitness.cli import main

pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")

SHAPES = Path(__file__).resolve().parents[1] / "fixtures" / "shapes"
POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [system:kube-proxy]
- level: RequestResponse
  resources:
  - group: ""
    resources: [pods]
- level: Metadata
"""


class Run(Protocol):
    """Run the command; gives its exit code, what it said to stdout and what to stderr."""

    def __call__(self, *words: str | Path) -> tuple[int, str, str]: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["kubewitness", "policy", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY, encoding="utf-8")
    return file


def requests_in(folder: Path, *lines: object) -> Path:
    file = folder / "requests.jsonl"
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    file.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return file


def answers(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def test_each_request_gets_its_decision(run: Run, policy: Path, tmp_path: Path) -> None:
    requests = requests_in(
        tmp_path,
        {"user": "system:kube-proxy", "groups": [], "verb": "watch", "resource": "pods", "isResourceRequest": True},
        {"user": "alice", "groups": None, "verb": "get", "apiGroup": "", "resource": "pods", "isResourceRequest": True},
        {"user": None, "verb": "get", "path": "/healthz", "isResourceRequest": False},
    )
    code, out, err = run("eval", policy, "--requests", requests)
    assert (code, err) == (0, "")
    same = {"omit_stages": ["RequestReceived"], "omit_managed_fields": False}
    assert answers(out) == [
        {"level": "None", **same, "rule": 0},
        {"level": "RequestResponse", **same, "rule": 1},
        {"level": "Metadata", **same, "rule": 2},
    ]


def test_a_line_that_is_no_request_is_named_and_loses_no_other(run: Run, policy: Path, tmp_path: Path) -> None:
    requests = requests_in(tmp_path, {"user": 5}, "nope", "", [], {"user": "alice", "namespce": "x"})
    code, out, err = run("eval", policy, "--requests", requests)
    assert code == 2
    first, second, third, last = answers(out)
    assert [first["line"], second["line"], third["line"]] == [1, 2, 4]
    assert last["level"] == "Metadata"
    assert f"{requests}:1: `user` is neither a text nor null" in err
    assert f"{requests}:2: is no JSON" in err
    assert f"warning: {requests}:5: `namespce` is ignored" in err


def test_requests_come_from_standard_input_too(run: Run, policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"user":"alice","verb":"get"}')))
    code, out, _ = run("eval", policy, "--requests", "-")
    assert (code, answers(out)[0]["rule"]) == (0, 2)


def test_a_policy_that_the_server_would_not_load_is_refused_with_its_place(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY.replace("level: Metadata", "level: metadata"), encoding="utf-8")
    code, out, err = run("eval", file, "--requests", requests_in(tmp_path, {}))
    assert (code, out) == (2, "")
    assert f"{file}:12:10: kube-apiserver would not load this policy: rules[2].level: Unsupported value" in err
    assert "hint:" in err


@pytest.mark.parametrize("missing", ["policy", "requests"])
def test_what_cannot_be_read_is_named(run: Run, policy: Path, tmp_path: Path, missing: str) -> None:
    words: dict[str, Path] = {"policy": policy, "requests": requests_in(tmp_path, {})}
    words[missing] = tmp_path / "absent"
    code, _, err = run("eval", words["policy"], "--requests", words["requests"])
    assert code == 2
    assert "absent: cannot be read: No such file" in err


def test_a_decision_is_explained_rule_by_rule(run: Run, policy: Path) -> None:
    words = ("--user", "alice", "--verb", "create", "--resource", "pods/exec", "--namespace", "shop", "--name", "web-0")
    code, out, _ = run("explain", policy, *words)
    assert code == 0
    assert "(pods does not cover its subresources)" in " ".join(out.split())
    assert "decided by    rule 2" in out
    code, out, _ = run("explain", policy, *words, "--format", "json")
    found = json.loads(out)
    assert found["decision"] == {
        "level": "Metadata",
        "omit_stages": ["RequestReceived"],
        "omit_managed_fields": False,
        "rule": 2,
    }
    assert [(rule["rule"], rule["line"], rule["matches"], rule["reached"]) for rule in found["rules"]] == [
        (0, 6, False, True),
        (1, 8, False, True),
        (2, 12, True, True),
    ]
    assert found["event"]["stages"] == ["ResponseStarted", "ResponseComplete"]


@pytest.mark.parametrize(
    "name", ["plain.ndjson", "azure_2020.ndjson", "pretty.json", "eventhub_file.json", "gke.ndjson"]
)
def test_the_request_may_be_that_of_an_event_in_any_shape(run: Run, policy: Path, name: str) -> None:
    code, out, err = run("explain", policy, "--event", SHAPES / name, "-f", "json")
    assert (code, err) == (0, "")
    assert json.loads(out)["request"]["verb"]


def test_a_url_and_a_method_are_a_request(run: Run, policy: Path) -> None:
    words = ("--verb", "GET", "--url", "/api/v1/pods?fieldSelector=metadata.name%3Dx", "--user", "alice", "-f", "json")
    _, out, _ = run("explain", policy, *words)
    request = json.loads(out)["request"]
    assert (request["verb"], request["resource"], request["name"]) == ("list", "pods", "x")


def test_the_request_must_be_said_once(run: Run, policy: Path) -> None:
    for words in ((), ("--url", "/x", "--resource", "pods")):
        code, _, err = run("explain", policy, *words)
        assert code == 2
        assert "say which request" in err


def test_a_file_without_an_event_is_named(run: Run, policy: Path, tmp_path: Path) -> None:
    code, _, err = run("explain", policy, "--event", requests_in(tmp_path, "{}"))
    assert code == 2
    assert "requests.jsonl: holds no audit event" in err


def test_a_policy_is_applied_to_a_file_or_to_standard_output(run: Run, policy: Path, tmp_path: Path) -> None:
    log, out_file = SHAPES / "plain.ndjson", tmp_path / "out.ndjson"
    code, out, err = run("apply", policy, log, "-o", out_file)
    assert (code, out) == (0, "")
    assert "records read" in err
    assert list(tmp_path.glob(".out*")) == []
    _, piped, _ = run("apply", policy, log, "--quiet")
    assert piped.encode() == out_file.read_bytes()
    assert {json.loads(line)["level"] for line in piped.splitlines()} <= {"Metadata", "RequestResponse", "Request"}


def test_secrets_are_hashed_with_a_key_and_counted(run: Run, policy: Path, tmp_path: Path) -> None:
    policy.write_text(
        POLICY[: POLICY.index("- level: RequestResponse")] + "- level: RequestResponse\n", encoding="utf-8"
    )
    event: dict[str, Any] = {"auditID": "x", "level": "RequestResponse", "stage": "ResponseComplete", "verb": "create"}
    event |= {"requestURI": "/api/v1/namespaces/a/secrets", "user": {"username": "alice"}}
    event |= {"requestObject": {"kind": "Secret", "stringData": {"a": "hunter2"}}}
    log, key = requests_in(tmp_path, event), tmp_path / "key"
    key.write_bytes(b"0123456789abcdef\n")
    code, out, err = run("apply", policy, log, "--redact-secrets", key)
    assert code == 0
    assert "hunter2" not in out + err
    assert "hmac-sha256:" in out
    assert "secrets: 1 values of secrets" in err
    key.write_bytes(b"short")
    code, _, err = run("apply", policy, log, "--redact-secrets", key)
    assert code == 2
    assert "can be guessed" in err


def test_what_cannot_be_applied_says_why(run: Run, policy: Path, tmp_path: Path) -> None:
    log = requests_in(tmp_path, {"auditID": "x"})
    for words, said in (
        ((), "no logs named"),
        (("--nope", log), "unknown option --nope"),
        ((tmp_path / "absent",), "nothing to read"),
        ((log, "-o", log), "is also read"),
        ((log, "-o", tmp_path / "no" / "out"), "cannot be written"),
        ((log, "--redact-secrets", tmp_path / "absent"), "cannot be read"),
    ):
        code, _, err = run("apply", policy, *words)
        assert code == 2, words
        assert said in err
    assert log.read_text(encoding="utf-8") == '{"auditID": "x"}\n'
