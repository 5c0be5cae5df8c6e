"""Running queries over events the way a scan does: as lines of a file, through the engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.facts import macros
from kubewitness.query.engine import Engine
from kubewitness.query.reading import reading_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine"), threads=1)
    engine.run(macros())
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def ask(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """A function that answers a query over `events`, one row per event, in the same order."""
    file = tmp_path_factory.mktemp("events") / "events.ndjson"

    def rows_of(
        select: str, events: Sequence[Mapping[str, Any]], above: Sequence[tuple[str, str]] = ()
    ) -> list[dict[str, Any]]:
        file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
        query = reading_query(select, shape=EngineShape.PLAIN, paths=[str(file)], above=above)
        return engine.rows(query.sql, query.parameters)

    return rows_of
