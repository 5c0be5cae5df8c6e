"""The records of a log in a table of the engine, and what becomes of each under a policy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kubewitness.app.reading import read_sources
from kubewitness.app.readings import Reading
from kubewitness.facts import macros
from kubewitness.query.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kubewitness.app.reading import Target

_ACTIONS = """
SELECT string_agg(chr(CASE WHEN outcome = 0 THEN 45 ELSE action END), '' ORDER BY rowid) FROM acted
WHERE rowid >= $first AND rowid < $end
"""
_PAGE_ROWS = 500_000


@contextmanager
def read_into(target: Target, create: str, paths: Sequence[str], folder: Path) -> Iterator[tuple[Engine, Reading]]:
    """An engine that has read a log into one table, and what is known of the reading; it is closed at the end.

    Args:
        target: the table.
        create: the statement that makes it.
        paths: files, directories, globs, `-` for standard input.
        folder: for files of the engine; must outlive what is made of the reading.

    Raises:
        UnreadableError: nothing of the paths could be read.
    """
    engine = Engine(folder)
    try:
        engine.run(macros())
        engine.run(create)
        reading = Reading()
        read_sources(engine, paths, target, folder, reading)
        reading.demand_sources()
        yield engine, reading
    finally:
        engine.close()


def actions_of_rows(engine: Engine) -> bytes:
    """What becomes of each row of the table `acted`, one letter each; `-` for what is nothing to act on."""
    ((rows,),) = engine.run("SELECT coalesce(max(rowid) + 1, 0) FROM acted")
    found = bytearray()
    for first in range(0, rows, _PAGE_ROWS):
        ((page,),) = engine.run(_ACTIONS, {"first": first, "end": first + _PAGE_ROWS})
        found += page.encode()
    return bytes(found)
