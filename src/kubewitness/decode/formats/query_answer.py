"""Answers of the Log Analytics query API: `{"tables":[{"columns":[{"name","type"}],"rows":[[..]]}]}`.

An answer with `error` beside `tables` is a partial one; its rows count. Source: Azure Monitor Log Analytics
API, response format. Keys are compared without case (the older API wrote `Tables`, `ColumnName`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kubewitness.decode.json_text import array_items, object_fields, string_of, value_of
from kubewitness.decode.outcome import Rejected
from kubewitness.decode.record import Inner, Record, items_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubewitness.decode.outcome import Outcome

CUT_TEXTS = frozenset({("tables", "rows"), ("Tables", "Rows")})


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim objects with `tables`, and error answers in order to reject them by their message."""
    members = {name.lower(): raw for name, raw in record.fields.items()}
    tables = members.get("tables")
    if tables is not None:
        return _rows(record, tables)
    error = value_of(members.get("error"))
    if isinstance(error, dict) and len(members) == 1:
        return (Rejected(record.line, f"an error answer, not audit events: {error.get('message', 'no message')}"),)
    return None


def _rows(record: Record, tables: msgspec.Raw) -> Iterator[Inner]:
    for table in items_of(record, tables, depth=2):
        members = {name.lower(): raw for name, raw in object_fields(table.text).items()}
        columns = [_name(column) for column in array_items(members.get("columns", b"")) or ()]
        for row in items_of(record, members.get("rows"), depth=4):
            text = msgspec.json.encode(dict(zip(columns, array_items(row.text) or (), strict=False)))
            yield Inner(text, record.envelope.inside(line=row.line), row.open)


def _name(column: msgspec.Raw) -> str:
    members = object_fields(column)
    name = members.get("name", members.get("ColumnName", members.get("columnName")))
    return "" if name is None else string_of(name) or ""
