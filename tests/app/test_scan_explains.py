"""What a rule's explanation names is read for its alerts, whatever column it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kubewitness.app.plans import plan_rules
from kubewitness.app.scan import scan

if TYPE_CHECKING:
    from pathlib import Path

RULE = """
title: Pod made
name: pod-made
logsource: {product: kubernetes, service: audit}
detection:
  made: {verb: create, objectRef.resource: pods}
  condition: made
explain: "made {object} of uid {object_uid} (ports {host_ports})"
"""
EVENT = {
    "kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "create", "auditID": "1", "user": {"username": "alice"},
    "requestReceivedTimestamp": "2026-11-17T08:00:00.000000Z", "responseStatus": {"code": 201},
    "objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "uid": "u-1"},
    "requestObject": {"spec": {"containers": [{"name": "web", "ports": [{"hostPort": 8080}]}]}},
}  # fmt: skip


def test_any_column_can_be_named(tmp_path: Path) -> None:
    rule, log = tmp_path / "pod-made.yml", tmp_path / "audit.log"
    rule.write_text(RULE, encoding="utf-8")
    log.write_text(json.dumps(EVENT) + "\n", encoding="utf-8")
    (alert,) = scan([str(log)], plan_rules([rule], builtin=False)).alerts
    assert alert.explanation == "alice made pod web (namespace shop) of uid u-1 (ports 8080)"
