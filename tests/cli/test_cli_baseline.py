"""`kubewitness baseline`, as people call it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kubewitness.cli import main

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")
RULE = """
title: New network
name: new-network
logsource: {product: kubernetes, service: audit}
detection: {s: {verb: get}, condition: s}
first_seen: {field: source_network, by: [actor], after: 1}
level: low
"""


def request(number: int, ip: str) -> str:
    event = {
        "auditID": f"a-{number}",
        "stage": "ResponseComplete",
        "verb": "get",
        "requestURI": "/x",
        "user": {"username": "alice"},
        "sourceIPs": [ip],
        "requestReceivedTimestamp": f"2026-11-17T08:00:0{number}.000000Z",
    }
    return json.dumps(event) + "\n"


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["kubewitness", *words])
    with pytest.raises(SystemExit) as raised:
        main()
    return int(raised.value.code or 0)


def test_what_is_learned_is_known_to_a_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rule, old, new, baseline = (tmp_path / name for name in ("new-network.yml", "old.log", "new.log", "baseline.jsonl"))
    rule.write_text(RULE, encoding="utf-8")
    old.write_text(request(1, "192.0.2.1"), encoding="utf-8")
    new.write_text(request(2, "203.0.113.7"), encoding="utf-8")
    rules = ("--rules", str(rule), "--no-builtin-rules")
    assert call(monkeypatch, "baseline", "learn", str(old), "-o", str(baseline), *rules) == 0
    assert "1 event read for 1 rule;" in capsys.readouterr().err
    assert call(monkeypatch, "scan", str(new), "--baseline", str(baseline), "--format", "ndjson", *rules) == 0
    (alert,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (alert["rule_id"], alert["known_before"]) == ("new-network", ["192.0.2.0/24"])


def test_learning_from_nothing_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "baseline", "learn", "-o", str(tmp_path / "b.jsonl")) == 2
    assert "hint:" in capsys.readouterr().err
    assert not (tmp_path / "b.jsonl").exists()
