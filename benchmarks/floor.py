"""The floor: what DuckDB alone needs to read a log into the typed columns of an audit event.

`python benchmarks/floor.py FILE` counts every column once, so that each is read, parsed and cast. No fact, no
rule, no ledger, nothing that would be lost if a record were malformed: what `scan` is measured against.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import duckdb

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]  # so that it runs as a script, from anywhere

from benchmarks.shape import Shape  # noqa: E402

from kubewitness.model.event import API  # noqa: E402

BESIDE = {"kind": "VARCHAR", "apiVersion": "VARCHAR", "timestamp": "TIMESTAMP"}  # the API's, but no columns
RECORD = {
    "category": "VARCHAR",
    "operationName": "VARCHAR",
    "resourceId": "VARCHAR",
    "time": "VARCHAR",
    "properties": {"log": "VARCHAR", "pod": "VARCHAR", "containerID": "VARCHAR", "stream": "VARCHAR"},
}


def structure() -> dict[str, Any]:
    """Types of an audit event as nested dicts, API name to engine type, out of the events table."""
    nested: dict[str, Any] = dict(BESIDE)
    for column in API:
        *path, leaf = (column.api or column.name).split(".")
        inner = nested
        for part in path:
            inner = inner.setdefault(part, {})
        inner[leaf] = column.type
    return nested


def spelled(type_: Any) -> str:
    """The engine's spelling of a type out of `structure`: dicts are STRUCTs."""
    if isinstance(type_, dict):
        parts = ", ".join(f'"{name}" {spelled(inner)}' for name, inner in type_.items())
        return f"STRUCT({parts})"
    return str(type_)


def sample(type_: Any) -> Any:
    """A type out of `structure` as `from_json` takes it: structs are objects, lists are arrays."""
    if isinstance(type_, dict):
        return {name: sample(inner) for name, inner in type_.items()}
    text = str(type_)
    return [text.removesuffix("[]")] if text.endswith("[]") else text


def query(shape: Shape) -> tuple[str, dict[str, str]]:
    """SQL over the parameter `$file`, one row with one count for each column, and its other parameters."""
    columns = structure() if shape is Shape.PLAIN else RECORD
    if shape is Shape.EVENTHUB:
        columns = {"records": f"{spelled(RECORD)}[]"}
    listed = ", ".join(f"'{name}': '{spelled(type_)}'" for name, type_ in columns.items())
    read = f"FROM read_json($file, columns={{{listed}}}, format='newline_delimited', ignore_errors=true)"
    if shape is Shape.PLAIN:
        return f"SELECT count(COLUMNS(*)) {read}", {}  # every part is a constant of this file
    rows = read if shape is Shape.AZURE else f"FROM (SELECT unnest(records, max_depth := 2) {read})"
    event = "unnest(from_json(properties.log, $structure))"
    wrapped = f"SELECT category, resourceId, time, {event} {rows}"
    return f"SELECT count(COLUMNS(*)) FROM ({wrapped})", {"structure": json.dumps(sample(structure()))}  # noqa: S608


def main() -> None:
    """Read the arguments, run the query once, print the number of events and of each column's values."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--shape", type=Shape, choices=list(Shape), default=Shape.PLAIN)
    parser.add_argument("--threads", type=int, help="worker threads (default: one for each core)")
    chosen = parser.parse_args()
    sql, parameters = query(chosen.shape)
    with duckdb.connect() as engine:
        if chosen.threads is not None:
            engine.execute("SET threads = ?", [chosen.threads])
        answer = engine.execute(sql, {"file": str(chosen.file), **parameters})
        names = [str(column[0]) for column in answer.description or ()]
        counts = dict(zip(names, answer.fetchone() or (), strict=True))
    print(json.dumps({"events": max(counts.values()), "values": counts}))


if __name__ == "__main__":
    main()
