"""A store in an object store is used like one in a folder; here the object store is a folder behind that interface."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kubewitness.app.events import Logs, open_events
from kubewitness.app.lake.ingest import ingest
from kubewitness.app.lake.upkeep import compact
from kubewitness.app.lake.verify import verify_store
from kubewitness.model.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.app.lake.conftest import Line


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"file://{tmp_path}/lake"


def _ids(store: str) -> list[str]:
    with open_events(Logs(store=store), ["audit_id"]) as events:
        return [row["audit_id"] for row in events.rows("SELECT audit_id FROM events ORDER BY audit_id")]


def test_events_are_kept_joined_checked_and_read_in_an_object_store(tmp_path: Path, line: Line, store: str) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"".join(map(line, range(4))))
    ingest([str(log)], store)
    log.write_bytes(b"".join(map(line, range(7))))
    assert ingest([str(log)], store).ledger.read == 3
    assert _ids(store) == [f"id-{number}" for number in range(7)]
    assert compact(store).joined == 2
    assert _ids(store) == [f"id-{number}" for number in range(7)]
    assert verify_store(store).is_sound


def test_an_object_that_is_gone_is_told(tmp_path: Path, line: Line, store: str) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(line(1))
    ingest([str(log)], store)
    for path in (tmp_path / "lake").rglob("*.parquet"):
        path.unlink()
    with pytest.raises(StoreError, match="cannot be fetched"):
        _ids(store)
    assert not verify_store(store).is_sound


def test_without_the_extra_it_is_told_how_to_get_it(store: str, line: Line, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(line(1))
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "obstore", None)
        with pytest.raises(StoreError, match="extra `cloud`"):
            ingest([str(log)], store)
