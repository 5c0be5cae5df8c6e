from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
KEYS = (
    *("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "user", "impersonatedUser"),
    *("sourceIPs", "userAgent", "objectRef", "responseStatus", "requestObject", "responseObject"),
    *("requestReceivedTimestamp", "stageTimestamp", "annotations"),
)


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def generate(file: Path, *, seed: int = 1, size: str = "300KB", shape: str = "plain") -> dict[str, Any]:
    told = run("generate.py", "--seed", str(seed), "--bytes", size, "--shape", shape, "-o", str(file))
    return dict(json.loads(told))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("log") / "plain.ndjson"
    generate(file, size="5MB")
    return file


@pytest.fixture(scope="module")
def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_one_seed_gives_one_log(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        generate(tmp_path / name, seed=seed)
    first, again, other = (tmp_path.joinpath(name).read_bytes() for name in "abc")
    assert first == again
    assert first != other


def test_every_line_is_an_event_in_the_key_order_of_the_api_server(events: list[dict[str, Any]]) -> None:
    for event in events:
        assert list(event) == [key for key in KEYS if key in event]
        assert event["stage"] in {"ResponseStarted", "ResponseComplete"}
        assert event["level"] != "Metadata" or "requestObject" not in event
        assert event["level"] == "RequestResponse" or "responseObject" not in event
        received, staged = event["requestReceivedTimestamp"], event["stageTimestamp"]
        assert datetime.fromisoformat(received) < datetime.fromisoformat(staged)


def test_no_blank_is_left_unfilled(log: Path) -> None:
    text = log.read_text()
    assert "@id@" not in text
    assert "@version@" not in text
    assert "%(" not in text


def test_an_audit_id_has_one_event_for_each_stage(events: list[dict[str, Any]]) -> None:
    stages = [(event["auditID"], event["stage"]) for event in events]
    assert len(set(stages)) == len(stages)


def test_only_neighbours_are_out_of_order(events: list[dict[str, Any]]) -> None:
    at = [event["stageTimestamp"] for event in events]
    swapped = sum(before > after for before, after in pairwise(at))
    assert 0.01 < swapped / len(at) < 0.04
    assert all(before <= after for before, after in zip(at, at[3:], strict=False))


def test_the_sizes_are_those_of_a_busy_cluster(log: Path) -> None:
    sizes = sorted(len(line) for line in log.read_bytes().splitlines())
    assert 1_500 < sum(sizes) / len(sizes) < 2_800
    assert sizes[len(sizes) * 995 // 1000] > 15_000


@pytest.mark.parametrize("shape", ["azure", "eventhub"])
def test_the_azure_shapes_wrap_the_same_events(tmp_path: Path, log: Path, shape: str) -> None:
    file = tmp_path / "wrapped.ndjson"
    told = generate(file, shape=shape)
    records = [record for line in file.read_text().splitlines() for record in unwrap(json.loads(line))]
    assert len(records) == told["events"]
    logs = [record["properties"]["log"].removesuffix("\n") for record in records]
    assert logs == log.read_text().splitlines()[: len(logs)]
    assert all(record["category"] == "kube-audit" and datetime.fromisoformat(record["time"]) for record in records)


def unwrap(line: dict[str, Any]) -> list[dict[str, Any]]:
    return list(line.get("records", [line]))


@pytest.mark.parametrize("shape", ["plain", "azure", "eventhub"])
def test_the_floor_reads_every_event_of_every_shape(tmp_path: Path, shape: str) -> None:
    file = tmp_path / "log.ndjson"
    told = generate(file, shape=shape)
    seen = json.loads(run("floor.py", "--shape", shape, str(file)))
    assert seen["events"] == told["events"]
    for column in ("auditID", "stageTimestamp", "user", "sourceIPs", "responseStatus", "annotations"):
        assert seen["values"][column] == told["events"]


def test_the_benchmark_compares_a_command_with_the_floor(tmp_path: Path) -> None:
    scan = tmp_path / "scan.py"
    scan.write_text("import sys; sys.exit(len(sys.argv) < 2)")
    figures = tmp_path / "figures.json"
    small = ("--bytes", "100KB", "--rounds", "1", "--no-jq", "--cache", str(tmp_path / "cache"))
    said = run("run.py", *small, "--scan-command", f"{sys.executable} {scan}", "--json", str(figures))
    results = json.loads(figures.read_text())
    assert "met     scan / floor, median of pairs" in said
    assert results["ratio"] == results["ratios"][0]
    assert results["scan"]["peak_mb"] > 1


def test_the_benchmark_says_so_when_the_command_fails(tmp_path: Path) -> None:
    scan = tmp_path / "scan.py"
    scan.write_text("import sys; sys.exit('cannot scan today')")
    small = ("--bytes", "100KB", "--rounds", "1", "--no-jq", "--cache", str(tmp_path / "cache"))
    said = run("run.py", *small, "--scan-command", f"{sys.executable} {scan}")
    assert "failed: exit code 1: cannot scan today" in said
