"""`kubewitness ingest` and `kubewitness store`."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = str(Path(sys.executable).with_name("kubewitness"))
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "aks-attack"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("cli") / "lake")
    done = run("ingest", str(EXAMPLE), "--store", path)
    assert done.returncode == 0, done.stderr
    assert "ledger: " in done.stderr
    assert done.stdout == ""
    return path


def test_a_second_ingest_says_that_nothing_is_new(store: str) -> None:
    done = run("ingest", str(EXAMPLE), "--store", store, "--format", "json")
    said = json.loads(done.stdout)
    assert said["ledger"]["read"] == 0
    assert said["known"]


def test_info_says_what_is_in_a_store(store: str) -> None:
    said = json.loads(run("store", "info", "--store", store, "--format", "json").stdout)
    assert said["total"]["events"] == sum(day["events"] for day in said["days"])
    assert said["sources"][0]["sha256"]
    table = run("store", "info", "--store", store).stdout
    assert "CLUSTER" in table
    assert f"{said['total']['events']:,} events" in table


def test_a_store_is_asked_like_logs(store: str) -> None:
    query = "SELECT count(*) AS n FROM events"
    of_logs = json.loads(run("sql", query, str(EXAMPLE), "--format", "json").stdout)
    of_store = json.loads(run("sql", query, "--store", store, "--format", "json").stdout)
    assert of_store == of_logs


def test_a_cluster_that_is_not_there_is_told_with_those_that_are(store: str) -> None:
    done = run("sql", "SELECT 1 FROM events", "--store", store, "--cluster", "nowhere")
    assert done.returncode == 2
    assert "its clusters: " in done.stderr


def test_logs_and_a_store_at_once_are_refused(store: str) -> None:
    done = run("sql", "SELECT 1", str(EXAMPLE), "--store", store)
    assert (done.returncode, "name either" in done.stderr) == (2, True)


def test_upkeep_says_what_it_did(store: str) -> None:
    assert "joined" in run("store", "compact", "--store", store, "--dry-run").stdout
    assert "would go" in run("store", "retain", "--store", store, "--days", "0", "--dry-run").stdout
    assert json.loads(run("store", "verify", "--store", store, "--format", "json").stdout)["is_sound"] is True


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("retain",), "--days 90"),
        (("retain", "--level-days", "All=3"), "levels: "),
        (("compact", "--grace", "-1"), "--grace 24"),
        (("verify", "--at", "audit.log"), "source:line"),
    ],
)
def test_wrong_use_is_told_with_a_hint(store: str, words: tuple[str, ...], hint: str) -> None:
    done = run("store", *words, "--store", store)
    assert done.returncode == 2
    assert hint in done.stderr


def test_an_exported_event_is_a_record_again(store: str, tmp_path: Path) -> None:
    out = tmp_path / "out.ndjson"
    assert run("store", "export", "verb:create", "--store", store, "-o", str(out)).returncode == 0
    # One of them was cut before it got here, and is given as it was.
    records = [json.loads(text) for text in out.read_text().splitlines() if text.endswith("}")]
    assert records
    assert {record["verb"] for record in records} == {"create"}


def test_what_is_no_store_is_told_with_how_to_make_one(tmp_path: Path) -> None:
    done = run("store", "info", "--store", str(tmp_path / "none"))
    assert (done.returncode, "hint: kubewitness ingest" in done.stderr) == (2, True)


def test_what_is_old_is_kept_as_a_policy_says(store: str, tmp_path: Path) -> None:
    lake, policy = tmp_path / "lake", tmp_path / "old.yaml"
    shutil.copytree(store, lake)
    policy.write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, verbs: [watch]}, {level: Metadata}]"
    )
    words = ("store", "retain", "--store", str(lake), "--days", "0", "--policy", str(policy))
    said = json.loads(run(*words, "--dry-run", "--format", "json").stdout)
    done = run(*words).stdout
    assert f"{said['events']:,} events let go, {said['lowered']:,} lowered" in done
    sha256 = hashlib.sha256(policy.read_bytes()).hexdigest()
    assert said["policy"] == sha256
    assert f"sha256 {sha256}" in done
    assert (
        f"sha256 {sha256}: {said['events']:,} events, {said['lowered']:,} lowered"
        in run("store", "info", "--store", str(lake)).stdout
    )
    checked = run("store", "verify", "--store", str(lake))
    assert (
        f"{said['lowered']:,} events are not as they were taken: lowered by the policy with sha256 {sha256}"
        in checked.stdout
    )
    assert checked.returncode == 0


def test_a_policy_that_no_server_would_load_is_refused(store: str, tmp_path: Path) -> None:
    policy = tmp_path / "old.yaml"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: []")
    done = run("store", "retain", "--store", store, "--days", "0", "--policy", str(policy))
    assert (done.returncode, "0 rules" in done.stderr) == (2, True)
