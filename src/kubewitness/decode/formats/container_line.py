"""Lines of a container's log as JSON, docker's json-file: `{"log":"{..}","stream":"stdout","time":".."}`.

Kubernetes clusters whose API server writes its audit log to standard output leave them on the node.
Source: Docker documentation, JSON file logging driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.record import Inner, Record
from kubewitness.decode.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome

CUT_TEXTS = frozenset({("log",)})


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim objects with a text `log` beside `stream` or `time`, or by itself."""
    log = record.string("log")
    if log is None or not record.fields.keys() <= {"log", "stream", "time", "attrs"}:
        return None
    at = rfc3339(record.string("time"))
    return (Inner(log.encode(), record.envelope.inside(logged_at=at, cut=record.is_cut)),)
