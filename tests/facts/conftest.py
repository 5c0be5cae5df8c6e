"""Reading events the way a scan does: as lines of a file, through the engine, into the events table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.facts import macros
from kubewitness.model.event import FACTS
from kubewitness.query.engine import Engine
from kubewitness.query.reading import reading_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    Derive = Callable[[Sequence[Mapping[str, Any]]], list[dict[str, Any]]]

FACT_NAMES = [fact.name for fact in FACTS]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine"), threads=1)
    engine.run(macros())
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def derive(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Derive:
    """A function from events to their facts, in the same order."""
    folder: Path = tmp_path_factory.mktemp("events")

    def facts_of(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        file = folder / "events.ndjson"
        file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
        select = "SELECT " + ", ".join(f'"{name}"' for name in FACT_NAMES) + " FROM events"  # noqa: S608 - names of facts
        query = reading_query(select, shape=EngineShape.PLAIN, paths=[str(file)])
        return engine.rows(query.sql, query.parameters)

    return facts_of
