"""The engine: errors are ours, and nothing is fetched."""

from __future__ import annotations

import os
import signal
from threading import Timer
from typing import TYPE_CHECKING

import pytest

from kubewitness.query.engine import Engine, EngineError, MemoryShortError, with_floors

if TYPE_CHECKING:
    from pathlib import Path


def test_an_error_of_the_engine_is_one_line_of_ours(tmp_path: Path) -> None:
    engine = Engine(tmp_path, threads=1)
    with pytest.raises(EngineError) as caught:
        engine.run("SELECT CAST('forty' AS INTEGER)")
    assert "forty" in str(caught.value)
    assert "\n" not in str(caught.value)
    engine.close()


def test_what_needs_more_memory_than_it_may_use_is_told_from_other_errors(tmp_path: Path) -> None:
    engine = Engine(tmp_path, threads=1, memory_limit="50MB")
    with pytest.raises(MemoryShortError):
        engine.run("SELECT max(len(l)) FROM (SELECT list(range::VARCHAR) AS l FROM range(5000000))")
    engine.close()


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_an_interrupt_ends_a_query_as_an_interrupt(tmp_path: Path) -> None:
    engine = Engine(tmp_path, threads=1)
    timer = Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        engine.run("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b")
    timer.join()
    engine.close()


def test_rows_come_by_name(tmp_path: Path) -> None:
    engine = Engine(tmp_path, threads=1)
    assert engine.rows("SELECT $a AS a, 2 AS b", {"a": 1}) == [{"a": 1, "b": 2}]
    assert engine.run("SELECT 1; SELECT 2") == [(2,)]
    engine.close()


def test_the_engine_loads_no_extension(tmp_path: Path) -> None:
    engine = Engine(tmp_path, threads=1)
    names = ("autoinstall_known_extensions", "autoload_known_extensions")
    assert engine.run(f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}") == [(False, False)]
    engine.close()


def test_queries_are_stacked_lowest_first(tmp_path: Path) -> None:
    engine = Engine(tmp_path, threads=1)
    floors = [("low", "SELECT 1 AS x"), ("high", "SELECT x + 1 AS y FROM low")]
    assert engine.run(with_floors(floors, "SELECT y FROM high")) == [(2,)]
    engine.close()
