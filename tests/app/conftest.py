"""Reading sources into a table of all columns, by the engine or line by line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app import reading
from kubewitness.app.reading import Target, read_sources
from kubewitness.app.readings import Reading
from kubewitness.facts import macros
from kubewitness.model.event import API, BY_NAME
from kubewitness.query.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[..., "Seen"]

OUTCOMES = "CASE WHEN fits IS NOT TRUE THEN 0 WHEN other_category IS NOT NULL THEN 3 WHEN partial THEN 2 ELSE 1 END"
COLUMNS = ("cluster", "logged_at", "truncated", "happened_at", "actor", *(column.name for column in API))
TARGET = Target(
    "seen",
    f"SELECT source_id, record_line, {OUTCOMES} AS outcome, {', '.join(COLUMNS)} FROM events",  # noqa: S608 - constants
)


@dataclass
class Seen:
    """What a reading gave.

    Attributes:
        reading: what there is to know of it.
        events: by source and line; columns without nulls, and `partial`.
        others: records of another category.
    """

    reading: Reading
    events: list[tuple[str, int, dict[str, Any]]]
    others: int

    @property
    def lines(self) -> list[int]:
        """Line of each event."""
        return [line for _, line, _ in self.events]

    @property
    def ids(self) -> list[str | None]:
        """Audit id of each event."""
        return [event.get("audit_id") for _, _, event in self.events]

    @property
    def rejected(self) -> list[tuple[int | None, str]]:
        """Line and reason of each record that was rejected."""
        return sorted((item.origin.line, item.reason) for item in self.reading.rejections)

    @property
    def unreadable(self) -> dict[str, str]:
        """Reason by name of what could not be read."""
        return {Path(item.origin.source).name: item.reason for item in self.reading.unreadable}


@pytest.fixture
def read(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Read:
    """A function that reads sources; `by_engine=False` decodes all of them line by line."""
    folder = tmp_path_factory.mktemp("reading")

    def seen(*paths: Path | str, by_engine: bool = True, cluster: str | None = None) -> Seen:
        result = Reading()
        own = folder / str(len(list(folder.iterdir())))
        own.mkdir()
        engine = Engine(own, threads=2)
        try:
            engine.run(macros())
            types = ", ".join(f"{name} {BY_NAME[name].type}" for name in COLUMNS)
            engine.run(f"CREATE TABLE seen (source_id INTEGER, record_line BIGINT, outcome TINYINT, {types})")
            with monkeypatch.context() as patch:
                if not by_engine:
                    patch.setattr(reading, "_SHAPES", {})
                read_sources(engine, [str(path) for path in paths], TARGET, own, result, cluster=cluster)
            rows = engine.rows("SELECT rowid, * FROM seen ORDER BY rowid")
        finally:
            engine.close()
        events = [_event(row, result) for row in rows if row["outcome"] in (1, 2)]
        others = result.other + sum(row["outcome"] == 3 for row in rows)
        return Seen(result, sorted(events, key=lambda event: (*event[:2], repr(event[2].get("audit_id")))), others)

    return seen


def _event(row: dict[str, Any], result: Reading) -> tuple[str, int, dict[str, Any]]:
    origin = result.origin(row["rowid"], row["source_id"], row["record_line"])
    event = {name: row[name] for name in COLUMNS if row[name] is not None}
    assert origin.line is not None
    return origin.source, origin.line, event | {"partial": row["outcome"] == 2}


@pytest.fixture(scope="session")
def line_of() -> Callable[..., bytes]:
    """A function that gives an audit event as a line without newline."""

    def line(number: int, **fields: Any) -> bytes:
        event: dict[str, Any] = {
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "auditID": f"id-{number}",
            "stage": "ResponseComplete", "requestURI": f"/api/v1/namespaces/shop/pods/web-{number}", "verb": "get",
            "user": {"username": "alice", "groups": ["ops"]}, "sourceIPs": ["203.0.113.7"],
            "objectRef": {"resource": "pods", "namespace": "shop", "name": f"web-{number}"},
            "responseStatus": {"code": 200},
            "requestReceivedTimestamp": "2026-11-17T08:00:00.000000Z",
        }  # fmt: skip
        return json.dumps(event | fields).encode()

    return line
