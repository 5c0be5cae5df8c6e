"""Asking the dear parts of a question of one event of each kind, instead of every event of a store.

What repeats in a log (who, with which program, from where, with what result) is the same for all events of one kind,
and ten million events have a few thousand kinds. A test of it that is cheap is left to the engine, which skips what
cannot hold by what it knows of each row group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.kinds import is_seen
from kubewitness.query.lower import cost, lower
from kubewitness.query.predicate import And, fields_of, leaves_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.app.lake.opening import Snapshot
    from kubewitness.query.engine import Engine
    from kubewitness.query.predicate import Predicate

_DEAR = 3
_ALIKE = 20
"""Where kinds have fewer events than this on average, it is quicker to ask every event."""


def condition_of(engine: Engine, snapshot: Snapshot, predicate: Predicate) -> str:
    """What a predicate says of the events of a store, as SQL over `events` of queries of the snapshot.

    Args:
        engine: with the macros; may get the table `asked_kinds`.
        snapshot: of the store.
        predicate: what is asked.
    """
    parts = [*_parts(predicate)]
    dear = [part for part in parts if cost(part) >= _DEAR and all(map(is_seen, leaves_of(part)))]
    if not dear or not snapshot.has_facts:
        return lower(predicate).sql("duckdb")
    cheap = And(tuple(part for part in parts if cost(part) < _DEAR))
    query = snapshot.query(f'SELECT min("row") FROM events WHERE {lower(cheap).sql("duckdb")} GROUP BY kind')  # noqa: S608 - of predicates
    rows = [row for (row,) in engine.run(query.sql, query.parameters)]
    if len(rows) > snapshot.events / _ALIKE:
        return lower(predicate).sql("duckdb")
    asked = And(tuple(dear))
    columns = sorted({f'"{field.column.name}"' for field in fields_of(asked)})
    # In two steps: the engine would ask the test of whole row groups before it looks for the rows.
    query = snapshot.query(f"SELECT kind, {', '.join(columns)} FROM events", rows=rows)  # noqa: S608 - names of columns
    engine.run(f"CREATE TEMP TABLE representatives AS {query.sql}", query.parameters)
    engine.run(
        f"CREATE TABLE asked_kinds AS SELECT DISTINCT kind FROM representatives WHERE {lower(asked).sql('duckdb')}"  # noqa: S608 - of predicates
    )
    rest = lower(And(tuple(part for part in parts if part not in dear))).sql("duckdb")
    return f"kind IN (SELECT kind FROM asked_kinds) AND {rest}"  # noqa: S608 - same


def _parts(predicate: Predicate) -> Iterator[Predicate]:
    """What must all hold."""
    if isinstance(predicate, And):
        for item in predicate.items:
            yield from _parts(item)
    else:
        yield predicate
