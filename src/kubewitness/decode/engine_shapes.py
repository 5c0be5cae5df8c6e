"""Shapes that the engine reads itself: which columns a line has, and the SQL that makes records of lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import TypeAlias

from kubewitness.model.event import API

JsonType: TypeAlias = "str | list[JsonType] | dict[str, JsonType]"

_TIMES = {"TIMESTAMP": "TIMESTAMPTZ"}  # offsets are honoured only with a zone; SQL casts to UTC
_PACKAGE = "kubewitness.decode"
_BODIES = ("requestObject", "responseObject")
_REMARKS = ("kind", "apiVersion", "annotations", "authenticationMetadata")
_AZURE_COLUMNS = {
    "category": "VARCHAR",
    "resourceId": "VARCHAR",
    "time": "TIMESTAMPTZ",
    "properties": "STRUCT(log VARCHAR)",
}
_TABLE_COLUMNS = dict.fromkeys(
    "AuditId Level Stage Verb RequestUri User SourceIps UserAgent ObjectRef ResponseStatus RequestObject ResponseObject"
    " Annotations _ResourceId".split(),
    "VARCHAR",
) | dict.fromkeys(("RequestReceivedTime", "StageReceivedTime", "TimeGenerated"), "TIMESTAMPTZ")
_CANONICAL_COLUMNS = {
    "source": "INTEGER",
    "line": "BIGINT",
    "cluster": "VARCHAR",
    "logged_at": "TIMESTAMPTZ",
    "truncated": "BOOLEAN",
    "partial": "BOOLEAN",
}
# How a sketch has the parts of an event that it does not look into, or only for a little: as their text. Of bodies it
# has whether they are there, and what a deletion's says of a dry run: nothing of them is copied.
_SKETCHED: dict[str, JsonType] = {
    "sourceIPs": "JSON",
    "user": {"username": "VARCHAR", "uid": "VARCHAR", "groups": "JSON", "extra": "JSON"},
    "impersonatedUser": "JSON",
    "requestObject": {"dryRun": "JSON"},
    "responseObject": {"dryRun": "JSON"},
}
# A table's bodies are text of any length.
_SKETCHED_TABLE = """
SELECT * REPLACE (
    from_json("requestObject", '{"dryRun": "JSON"}') AS "requestObject",
    from_json("responseObject", '{"dryRun": "JSON"}') AS "responseObject"
)
FROM (
"""

KIND_COLUMNS = frozenset(
    "cluster partial level stage verb username user_uid groups user_extra impersonated_username impersonated_uid"
    " impersonated_groups impersonated_extra user_agent source_ips api_group api_version resource subresource namespace"
    " code status status_reason".split()
)
"""Columns of `decoded` that are the same in all records of one kind (sql/sketched.sql)."""


class Depth(StrEnum):
    """How much of each record is read: everything, all but bodies, or what tells its kind and its keys."""

    WHOLE = "whole"
    HEADS = "heads"
    SKETCH = "sketch"


class EngineShape(StrEnum):
    """A shape of one record per line."""

    PLAIN = "plain"
    AZURE = "azure"
    TABLE = "table"
    CANONICAL = "canonical"


@dataclass(frozen=True, slots=True)
class ShapeQuery:
    """How to read lines of a shape.

    Attributes:
        columns: name and type of what is read of a line.
        records: query from `lines` to `records`; may use the parameters.
        parameters: values of its named parameters.
    """

    columns: dict[str, str]
    records: str
    parameters: dict[str, str]


def event_type() -> dict[str, JsonType]:
    """The audit event as a nested type: API name to type, down to what the columns hold."""
    tree: dict[str, JsonType] = {"kind": "VARCHAR", "apiVersion": "VARCHAR"}
    for column in API:
        if column.api is None:  # pragma: no cover - every API column has its name
            continue
        head, _, leaf = column.api.partition(".")
        type_ = _json_type(column.type)
        if leaf:
            branch = tree.setdefault(head, {})
            if isinstance(branch, dict):
                branch[leaf] = type_
        else:
            tree[head] = type_
    tree["timestamp"] = "TIMESTAMPTZ"
    return tree


def shape_query(shape: EngineShape, depth: Depth = Depth.WHOLE) -> ShapeQuery:
    """Columns, SQL and parameters for a shape; with heads alone bodies inside text are not parsed but null."""
    event = event_type()
    if depth is Depth.SKETCH:
        event = {name: _SKETCHED.get(name, type_) for name, type_ in event.items() if name not in _REMARKS}
    match shape:
        case EngineShape.PLAIN:
            columns = {name: engine_type(type_) for name, type_ in event.items()}
            return ShapeQuery(columns, _sql("plain"), {})
        case EngineShape.AZURE:
            records = _sql("azure")
            if depth is Depth.HEADS:
                for name in _BODIES:
                    del event[name]
                absent = "".join(f',\n    NULL::JSON AS "{name}"' for name in _BODIES)
                records = records.replace("unnest(event)", f"unnest(event){absent}")
            return ShapeQuery(dict(_AZURE_COLUMNS), records, {"event": json.dumps(event)})
        case EngineShape.TABLE:
            heads = {name: event[name] for name in ("user", "sourceIPs", "objectRef", "responseStatus")}
            records = _sql("table")
            if depth is Depth.SKETCH:
                records = f"{_SKETCHED_TABLE}{records})"
            return ShapeQuery(dict(_TABLE_COLUMNS), records, {"heads": json.dumps(heads)})
        case EngineShape.CANONICAL:
            columns = _CANONICAL_COLUMNS | {"event": engine_type(event)}
            return ShapeQuery(columns, _sql("canonical"), {})


def decoded_sql() -> str:
    """Query from `records` to `decoded`: the columns of the events table that the log itself gives."""
    return _sql("decoded")


def sketched_sql() -> str:
    """Query from `records`, read as a sketch, to `sketched`: what tells a record's kind and its keys."""
    return _sql("sketched")


def engine_type(type_: JsonType) -> str:
    """A nested type in the engine's spelling."""
    if isinstance(type_, dict):
        return "STRUCT(" + ", ".join(f'"{name}" {engine_type(item)}' for name, item in type_.items()) + ")"
    if isinstance(type_, list):
        return engine_type(type_[0]) + "[]"
    return type_


def _json_type(type_: str) -> JsonType:
    return [type_[:-2]] if type_.endswith("[]") else _TIMES.get(type_, type_)


def _sql(name: str) -> str:
    return files(_PACKAGE).joinpath("sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")
