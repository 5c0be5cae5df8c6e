"""`kubewitness policy lint`, `coverage`, `diff`, `advise` and `list` as people run them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create, update, delete]
"""
RULE = """\
title: Shell
name: shell
logsource: {product: kubernetes, service: audit}
detection:
  s: {action: exec}
  condition: s
level: high
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("kubewitness")), "policy", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    (folder / "policy.yaml").write_text(POLICY, "utf-8")
    (folder / "rules").mkdir()
    (folder / "rules" / "shell.yml").write_text(RULE, "utf-8")
    return folder


def own_rules(folder: Path) -> tuple[str, ...]:
    return ("--rules", str(folder / "rules"), "--no-builtin-rules")


def test_lint_follows_its_contract(folder: Path) -> None:
    answer = run("lint", str(folder / "policy.yaml"), "--format", "json")
    found = json.loads(answer.stdout)
    assert found["valid"] is True
    assert {"severity", "code", "message", "path", "line", "column", "hint"} <= found["issues"][0].keys()
    assert "verb-missing" in {issue["code"] for issue in found["issues"]}
    assert answer.returncode == 0


def test_lint_ends_with_one_when_there_is_an_error_and_mends_it(folder: Path) -> None:
    broken = folder / "broken.yaml"
    broken.write_text(POLICY.replace("kind", "Kind").replace("level", "Level"), "utf-8")
    assert run("lint", str(broken)).returncode == 1
    mended = run("lint", str(broken), "--fix", "--format", "sarif")
    assert mended.returncode == 0
    assert json.loads(mended.stdout)["version"] == "2.1.0"
    assert "level: Metadata" in broken.read_text("utf-8")


def test_coverage_names_what_a_log_could_not_show(folder: Path) -> None:
    answer = run("coverage", str(folder / "policy.yaml"), *own_rules(folder), "--format", "json", "--fail-on-blind")
    found = json.loads(answer.stdout)
    assert found["summary"] == {"covered": 0, "partly": 1, "blind": 0}
    assert found["rules"][0]["gaps"][0]["cause"] == "not_recorded"
    assert answer.returncode == 0
    table = run("coverage", "builtin:aks-kube-audit-admin", *own_rules(folder))
    assert "left out on the way to this log" in " ".join(table.stdout.split())


def test_diff_names_requests_and_detections(folder: Path) -> None:
    own = str(folder / "policy.yaml")
    found = json.loads(
        run("diff", own, "builtin:metadata", "--rules", str(folder / "rules"), "--format", "json").stdout
    )
    assert {"rule_id": "shell", "old": "partly", "new": "covered"} in found["detections_won"]
    assert found["changes"][0]["new"]["level"] == "Metadata"
    assert run("diff", own, own, "--rules", str(folder / "rules")).stdout == "detections lost: 0\ndetections won: 0\n"


def test_diff_names_the_stages_that_a_policy_omits(folder: Path) -> None:
    changed = folder / "changed.yaml"
    stages = "omitStages: [RequestReceived, Panic]\n"
    changed.write_text((folder / "policy.yaml").read_text("utf-8") + stages, "utf-8")
    text = run("diff", str(folder / "policy.yaml"), str(changed), "--rules", str(folder / "rules")).stdout
    assert "omits Panic and RequestReceived instead of " in " ".join(text.split())
    assert "Stage." not in text


def test_advice_is_a_policy_that_covers_what_was_asked(folder: Path) -> None:
    output = folder / "advised.yaml"
    answer = run("advise", *own_rules(folder), "--keep", "shell", "-o", str(output))
    assert "1 covered" in answer.stderr
    assert "# Needed by shell." in output.read_text("utf-8")
    assert run("lint", str(output), "--format", "json").returncode == 0


def test_what_is_not_there_is_an_error_with_a_hint(folder: Path) -> None:
    for words in (("coverage", "builtin:nothing"), ("lint", "builtin:nothing")):
        answer = run(*words)
        assert answer.returncode == 2
        assert "hint: one of" in answer.stderr
    answer = run("advise", *own_rules(folder), "--keep", "nothing")
    assert answer.returncode == 2
    assert "hint: kubewitness rules list" in answer.stderr


def test_builtin_policies_are_listed() -> None:
    listed = json.loads(run("list", "--format", "json").stdout)
    assert {"builtin:aks-kube-audit", "builtin:aks-kube-audit-admin"} <= {item["name"] for item in listed}


LOG = Path(__file__).parents[1] / "fixtures" / "shapes" / "plain.ndjson"


def test_bytes_are_measured_compared_and_drawn(folder: Path) -> None:
    own, chart = str(folder / "policy.yaml"), folder / "bytes.html"
    answer = run("simulate", own, str(LOG), "--compare", "builtin:metadata", "--format", "json", "--chart", str(chart))
    mine, other = json.loads(answer.stdout)
    assert mine["kept_bytes"] < other["kept_bytes"] <= mine["bytes"] == other["bytes"]
    drawn = chart.read_text("utf-8")
    assert "<html" in drawn
    assert 'src="http' not in drawn
    table = run("volume", str(LOG), "--top", "2")
    assert "USER" in table.stdout
    assert "a month at list prices" in table.stdout


def test_diff_and_advice_measure_logs(folder: Path) -> None:
    rules = own_rules(folder)
    told = run("advise", str(LOG), *rules, "--keep", "shell").stderr
    assert "builtin:request-response keeps" in told
    assert "covers 1 of 1 detections" in told
    own = str(folder / "policy.yaml")
    found = json.loads(run("diff", own, own, str(LOG), *rules[:2], "--format", "json").stdout)
    assert [item["policy"] for item in found["volume"]] == [own, own]


def test_a_chart_of_an_unknown_kind_is_refused(folder: Path) -> None:
    answer = run("simulate", str(folder / "policy.yaml"), str(LOG), "--chart", "bytes.gif")
    assert answer.returncode == 2
    assert "hint: end its name with .html" in answer.stderr
