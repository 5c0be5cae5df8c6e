from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    Written = Callable[[Sequence[dict[str, Any]]], str]

NOON = datetime(2026, 11, 17, 12)  # noqa: DTZ001 - times of events are naive and UTC


def at(second: float) -> str:
    """Time so many seconds after noon, as events write it."""
    return (NOON + timedelta(seconds=second)).isoformat(timespec="microseconds") + "Z"


@pytest.fixture
def log_of(tmp_path: Path) -> Written:
    """Writes events, without what is null, into a log and gives its path."""

    def write(events: Sequence[dict[str, Any]]) -> str:
        log = tmp_path / "audit.log"
        lines = (
            json.dumps(
                {"kind": "Event", "apiVersion": "audit.k8s.io/v1"}
                | {name: value for name, value in event.items() if value is not None}
            )
            for event in events
        )
        log.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(log)

    return write


@pytest.fixture
def audit_log(tmp_path: Path, line_of: Callable[..., bytes]) -> Callable[..., str]:
    """Writes events that differ from the usual one in these fields into a log and gives its path."""

    def write(*events: dict[str, Any], name: str = "audit.log") -> str:
        log = tmp_path / name
        log.write_bytes(b"\n".join(line_of(number, **fields) for number, fields in enumerate(events)) + b"\n")
        return str(log)

    return write
