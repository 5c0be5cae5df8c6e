"""The length of the record that an API server would write for the columns of an event: a sum over them, as SQL."""

from __future__ import annotations

from kubewitness.model.event import API

_TIME_BYTES = len('"2026-11-17T08:00:00.000001Z"')
_HEAD_BYTES = len('"kind":"Event","apiVersion":"audit.k8s.io/v1",')
_METADATA_BYTES = len('"metadata":{},')


def _value_length(name: str, type_: str) -> str:
    match type_:
        case "JSON":
            return f"strlen({name})"
        case "TIMESTAMP":
            return str(_TIME_BYTES)
        case "VARCHAR[]":
            return f"CASE WHEN len({name}) = 0 THEN 2 ELSE 4 + strlen(array_to_string({name}, '\",\"')) END"
        case "INTEGER":
            return f"strlen({name}::VARCHAR)"
    return f"strlen(to_json({name})::VARCHAR)" if name == "status_message" else f"2 + strlen({name})"


def _length() -> str:
    """SQL for the length of the record that an API server would write for the columns of a row."""
    parts = [str(1 + _HEAD_BYTES)]
    inside: dict[str, list[tuple[str, str]]] = {}
    for column in API:
        head, _, leaf = (column.api or column.name).rpartition(".")
        key = leaf or head
        # The member, and the comma after it.
        sql = f"coalesce({_value_length(column.name, column.type)} + {len(key) + 4}, 0)"
        inside.setdefault(head if leaf else "", []).append((column.name, sql)) if head else parts.append(sql)
    for head, members in inside.items():
        absent = " AND ".join(f"{name} IS NULL" for name, _ in members)
        extra = _METADATA_BYTES if head == "responseStatus" else 0
        total = " + ".join(sql for _, sql in members)
        parts.append(f"CASE WHEN {absent} THEN 0 ELSE {len(head) + 5 + extra} + {total} END")
    return " + ".join(parts)


SAID_BYTES = _length()
"""How long the record is that an API server would write for the columns of an event, as SQL."""

_WITH_ESCAPES = "replace(request_uri, '&', '\\u0026')"
ESCAPE_BYTES = f"CASE WHEN contains(request_uri, '&') THEN strlen({_WITH_ESCAPES}) - strlen(request_uri) ELSE 0 END"
"""What it is longer by because an API server writes & as \\u0026."""
