"""Stores in a folder of their own, and what is in them."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.lake.opening import open_snapshot
from kubewitness.facts import macros
from kubewitness.query.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Line = Callable[..., bytes]
    Stored = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def line() -> Line:
    """Makes one event as a line with its newline; `id=None` leaves out the Audit-ID."""

    def make(number: int, *, id: str | None = "", **more: Any) -> bytes:  # noqa: A002 - the API's word
        at = f"2026-11-{17 + number // 50_000:02}T08:{number // 60 % 60:02}:{number % 60:02}"
        event = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": f"id-{number}" if id == "" else id,
            "stage": "ResponseComplete",
            "requestURI": f"/api/v1/namespaces/web/pods/p-{number}",
            "verb": "get",
            "user": {"username": f"user-{number % 3}", "groups": ["system:authenticated"]},
            "sourceIPs": ["192.0.2.7"],
            "objectRef": {"resource": "pods", "namespace": "web", "name": f"p-{number}", "apiVersion": "v1"},
            "responseStatus": {"metadata": {}, "code": 200},
            "requestReceivedTimestamp": f"{at}.000001Z",
            "stageTimestamp": f"{at}.000002Z",
            **more,
        }
        return json.dumps({name: value for name, value in event.items() if value is not None}).encode() + b"\n"

    return make


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """Gives columns of all events of a store, by time."""

    def read(store: Path, *columns: str, **options: Any) -> list[dict[str, Any]]:
        snapshot = open_snapshot(str(store), **options)
        engine = Engine(tmp_path)
        try:
            engine.run(macros())
            query = snapshot.query(f"SELECT {', '.join(columns)} FROM events ORDER BY happened_at, line")  # noqa: S608
            return engine.rows(query.sql, query.parameters)
        finally:
            engine.close()

    return read


@pytest.fixture
def ids(stored: Stored) -> Callable[[Path], Counter[str]]:
    """Gives how often each Audit-ID is in a store."""
    return lambda store: Counter(row["audit_id"] for row in stored(store, "audit_id"))
