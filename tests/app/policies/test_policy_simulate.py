"""What a policy would keep of a log is measured as `policy apply` would write it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from kubewitness.app.policies.apply import apply_policy
from kubewitness.app.policies.lines import ApplyOptions
from kubewitness.app.policies.simulate import GROUPINGS, KEEP_ALL, costs, simulate, simulated_fields
from kubewitness.model.errors import UnreadableError
from kubewitness.policy.load import load_policy, policy_of
from kubewitness.policy.prices import load_prices
from kubewitness.policy.recordings import find_recording

SHAPES = Path(__file__).parents[2] / "fixtures" / "shapes"
LOWERING = policy_of(
    load_policy(
        b"""
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
  verbs: [get]
- level: Request
  verbs: [create]
- level: Metadata
  omitStages: [RequestReceived]
"""
    ),
    "lowering",
)


@pytest.mark.parametrize(
    "shape",
    [
        "plain.ndjson",
        "plain.ndjson.gz",
        "azure_object_log.ndjson",
        "array.json",
        "pretty.json",
        "aks_audit_rows.ndjson",
    ],
)
def test_kept_bytes_are_those_that_are_written(shape: str) -> None:
    out = io.BytesIO()
    apply_policy(LOWERING, [str(SHAPES / shape)], out, ApplyOptions(keep_envelope=True))
    found = simulate(LOWERING, [str(SHAPES / shape)])
    lines = out.getvalue().splitlines()
    assert found.whole.kept_events == len(lines)
    if shape not in {"pretty.json", "array.json"}:  # what is put on one line there has other bytes than in the file
        assert found.whole.kept_bytes == sum(map(len, lines))
    assert 0 < found.whole.kept_bytes < found.whole.bytes


def test_every_grouping_adds_up_to_the_whole() -> None:
    found = simulate(LOWERING, [str(SHAPES / "plain.ndjson")])
    for shares in (found.by_rule, *found.by.values()):
        assert sum(share.events for share in shares) == found.whole.events
        assert sum(share.bytes for share in shares) == found.whole.bytes
        assert sum(share.kept_bytes for share in shares) == found.whole.kept_bytes
    assert found.by.keys() == GROUPINGS.keys()
    assert {share.name for share in found.by_rule} <= {"0", "1", "2"}


def test_the_volume_of_a_log_is_all_of_it() -> None:
    file = SHAPES / "plain.ndjson"
    found = simulate(KEEP_ALL, [str(file)])
    assert found.whole.bytes == found.whole.kept_bytes == sum(map(len, file.read_bytes().splitlines()))


def test_what_is_no_event_is_told_apart() -> None:
    found = simulate(KEEP_ALL, [str(SHAPES / "mixed_categories.ndjson")])
    assert found.other > 0


def test_a_month_is_reckoned_from_the_time_of_the_log(tmp_path: Path) -> None:
    event: dict[str, Any] = {
        "level": "Metadata",
        "verb": "get",
        "requestURI": "/api/v1/pods",
        "user": {"username": "a"},
    }
    file = tmp_path / "audit.log"
    times = ("2026-11-17T00:00:00.000000Z", "2026-11-18T00:00:00.000000Z")
    file.write_text(
        "".join(
            json.dumps(event | {"auditID": str(number), "requestReceivedTimestamp": at}) + "\n"
            for number, at in enumerate(times)
        ),
        "utf-8",
    )
    found = simulate(find_recording("metadata").policy, [str(file)])
    fields = simulated_fields(found, load_prices())
    assert fields["bytes_per_day"] == found.whole.bytes
    assert [item["id"] for item in costs(found, load_prices())][:1] == ["log-analytics"]


def test_a_log_without_times_has_no_costs(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    file.write_text('{"auditID": "a", "level": "Metadata", "verb": "get", "requestURI": "/x"}\n', "utf-8")
    assert costs(simulate(KEEP_ALL, [str(file)]), load_prices()) == []


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError):
        simulate(KEEP_ALL, [str(tmp_path / "nothing.log")])
