"""The bundled example: made again byte for byte, and telling the truth about itself."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLES = Path(__file__).parents[2] / "examples"
DEMO = EXAMPLES / "aks-attack"


def blobs_of(folder: Path) -> dict[str, bytes]:
    files = sorted(folder.rglob("PT1H.json.gz"))
    return {file.relative_to(folder).as_posix(): gzip.decompress(file.read_bytes()) for file in files}


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    lines = b"".join(blobs_of(DEMO).values()).splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def story() -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = yaml.safe_load((DEMO / "story.yaml").read_text(encoding="utf-8"))
    return steps


def event_of(record: dict[str, Any]) -> dict[str, Any] | None:
    """The audit event of a record, None where it is cut."""
    try:
        event: dict[str, Any] = json.loads(record["properties"]["log"])
    except json.JSONDecodeError:
        return None
    return event


def test_the_maker_reproduces_the_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, EXAMPLES / "make_aks_attack.py", tmp_path], check=True)
    assert blobs_of(tmp_path) == blobs_of(DEMO)
    assert (tmp_path / "story.yaml").read_bytes() == (DEMO / "story.yaml").read_bytes()


def test_there_is_one_blob_for_each_hour_and_they_stay_small() -> None:
    blobs = blobs_of(DEMO)
    assert [path.split("/d=17/")[1] for path in blobs] == ["h=08/m=00/PT1H.json.gz", "h=09/m=00/PT1H.json.gz"]
    assert sum(map(len, blobs.values())) < 6_000_000
    assert sum(content.count(b"\n") for content in blobs.values()) in range(2_000, 4_000)


def test_every_audit_id_of_the_story_is_in_the_log(records: list[dict[str, Any]], story: list[dict[str, Any]]) -> None:
    text = "\n".join(record["properties"]["log"] for record in records)
    told = [audit_id for step in story for audit_id in step["audit_ids"]]
    assert [audit_id for audit_id in told if f'"auditID":"{audit_id}"' not in text] == []
    assert len(told) == len(set(told))


def test_every_request_from_the_attackers_address_is_told(
    records: list[dict[str, Any]], story: list[dict[str, Any]]
) -> None:
    told = {audit_id for step in story for audit_id in step["audit_ids"]}
    events = [event for event in map(event_of, records) if event]
    seen = {event["auditID"] for event in events if event["sourceIPs"] == ["203.0.113.77"]}
    cut = {record["properties"]["log"].split('"auditID":"')[1][:36] for record in records if not event_of(record)}
    assert seen | cut == told


def test_the_story_for_readers_has_every_step(story: list[dict[str, Any]]) -> None:
    text = (DEMO / "STORY.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| 0")]
    assert [row[2:10] for row in rows] == [step["at"][11:19] for step in story]
    assert all(step["actor"].endswith(row.split("`")[1]) for row, step in zip(rows, story, strict=True))


def test_the_created_and_the_deleted_pod_are_cut_at_16_kib(records: list[dict[str, Any]]) -> None:
    cut = [record["properties"]["log"] for record in records if event_of(record) is None]
    assert [len(log) for log in cut] == [16_384, 16_384]
    assert ['"verb":"create"' in cut[0], '"verb":"delete"' in cut[1]] == [True, True]
    assert '"hostPath":{"path":"/"' in cut[0]
    assert '"privileged"' not in cut[0]


def test_the_export_delivers_two_records_twice(records: list[dict[str, Any]]) -> None:
    counts = Counter(json.dumps(record) for record in records)
    assert sorted(count for count in counts.values() if count > 1) == [2, 2]


def test_records_look_like_the_storage_export(records: list[dict[str, Any]]) -> None:
    assert {tuple(record) for record in records} == {
        ("category", "operationName", "properties", "resourceId", "serviceBuild", "time")
    }
    assert {len(record["time"]) for record in records} == {len("2026-11-17T08:00:00.123456789Z")}
    whole = [record for record in records if event_of(record)]
    assert all(record["properties"]["log"].endswith("}\n") for record in whole)


def test_the_audit_policy_of_aks_shows_in_what_is_missing(records: list[dict[str, Any]]) -> None:
    events = [event for event in map(event_of, records) if event]
    secrets = [event for event in events if event.get("objectRef", {}).get("resource") == "secrets"]
    assert secrets
    assert {event["level"] for event in secrets} == {"Metadata"}
    assert not any("requestObject" in event or "responseObject" in event for event in secrets)
    assert not any(event["user"]["username"] == "aksService" and event["verb"] in {"get", "list"} for event in events)
    received = [event for event in events if event["stage"] == "RequestReceived"]
    assert {event["objectRef"]["resource"] for event in received} == {"events"}


def test_a_blob_holds_what_was_received_in_its_hour() -> None:
    first, second = (content.splitlines() for content in blobs_of(DEMO).values())
    eight, nine = (datetime(2026, 11, 17, hour, tzinfo=UTC) for hour in (8, 9))
    assert all(eight <= datetime.fromisoformat(json.loads(line)["time"]) < nine for line in first)
    late = [line for line in second if datetime.fromisoformat(json.loads(line)["time"]) < nine]
    assert 0 < len(late) < 20
