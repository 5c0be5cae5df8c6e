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


def shape_query(shape: EngineShape, *, heads_only: bool = False) -> ShapeQuery:
    """Columns, SQL and parameters for a shape; with `heads_only` bodies inside text are not parsed but null."""
    event = event_type()
    match shape:
        case EngineShape.PLAIN:
            columns = {name: engine_type(type_) for name, type_ in event.items()}
            return ShapeQuery(columns, _sql("plain"), {})
        case EngineShape.AZURE:
            columns = {
                "category": "VARCHAR",
                "resourceId": "VARCHAR",
                "time": "TIMESTAMPTZ",
                "properties": "STRUCT(log VARCHAR)",
            }
            records = _sql("azure")
            if heads_only:
                for name in _BODIES:
                    del event[name]
                absent = "".join(f',\n    NULL::JSON AS "{name}"' for name in _BODIES)
                records = records.replace("unnest(event)", f"unnest(event){absent}")
            return ShapeQuery(columns, records, {"event": json.dumps(event)})
        case EngineShape.TABLE:
            names = [
                "AuditId",
                "Level",
                "Stage",
                "Verb",
                "RequestUri",
                "User",
                "SourceIps",
                "UserAgent",
                "ObjectRef",
                "ResponseStatus",
                "RequestObject",
                "ResponseObject",
                "Annotations",
                "_ResourceId",
            ]
            columns = dict.fromkeys(names, "VARCHAR")
            columns |= dict.fromkeys(("RequestReceivedTime", "StageReceivedTime", "TimeGenerated"), "TIMESTAMPTZ")
            heads = {name: event[name] for name in ("user", "sourceIPs", "objectRef", "responseStatus")}
            return ShapeQuery(columns, _sql("table"), {"heads": json.dumps(heads)})
        case EngineShape.CANONICAL:
            columns = {
                "source": "INTEGER",
                "line": "BIGINT",
                "cluster": "VARCHAR",
                "logged_at": "TIMESTAMPTZ",
                "truncated": "BOOLEAN",
                "partial": "BOOLEAN",
                "event": engine_type(event),
            }
            return ShapeQuery(columns, _sql("canonical"), {})


def decoded_sql() -> str:
    """Query from `records` to `decoded`: the columns of the events table that the log itself gives."""
    return _sql("decoded")


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
