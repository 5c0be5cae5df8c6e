"""What an event said, written back: the record out of its columns, and what the columns cannot say of it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from kubewitness.model.event import API

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD = {"kind": "Event", "apiVersion": "audit.k8s.io/v1"}
_STATUS = "responseStatus"
_OLDER = "timestamp"
_SECONDS, _MICROSECONDS = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"

_MEMBER = re.compile(rb'"\s*:')

WRITTEN = (*(column.name for column in API), "older_timestamp")
"""Columns that a record is written back from."""

_PATHS = tuple((column.name, column.type == "JSON", (column.api or column.name).split(".")) for column in API)


def rebuild(values: Mapping[str, Any]) -> dict[str, Any]:
    """The record that an API server would write for what the columns say.

    Args:
        values: columns of `WRITTEN` by name; null or missing where the event does not say.
    """
    event: dict[str, Any] = dict(_HEAD)
    for name, is_json, path in _PATHS:
        value = values.get(name)
        if value is None:
            continue
        if is_json:
            value = _parsed(value)
        elif isinstance(value, datetime):
            value = value.strftime(_MICROSECONDS)
        parent = event
        for key in path[:-1]:
            parent = parent.setdefault(key, {"metadata": {}} if key == _STATUS else {})
        parent[path[-1]] = value
    older = values.get("older_timestamp")
    if older is not None:
        event[_OLDER] = older.strftime(_SECONDS)
    return event


def remainder(record: Any, rebuilt: Mapping[str, Any]) -> dict[str, Any] | None:
    """What to change in a rebuilt record to get the true one, as a merge patch (RFC 7396); empty when nothing.

    Returns:
        None when no merge patch says it: a null where the other has something else, or a record that is no object.
    """
    if not isinstance(record, dict):
        return None
    patch = _difference(record, rebuilt)
    return patch if not patch or _merge(rebuilt, patch) == record else None


def written_back(values: Mapping[str, Any]) -> bytes:
    """A stored event as the JSON that it was, on one line; as it was written where no more than that is known.

    Args:
        values: columns of `WRITTEN`, `remainder` and `raw`.
    """
    if values.get("raw") is not None:
        return bytes(values["raw"])
    event = rebuild(values)
    if values.get("remainder") is not None:
        event = _merge(event, _parsed(values["remainder"]))
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def parse_record(text: bytes) -> Any:
    """The value of a record's text; None when a key stands twice in an object, or it is no JSON."""
    try:
        value = msgspec.json.decode(text)
        compact = msgspec.json.encode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _parse_carefully(text)
    is_sure = len(_MEMBER.findall(text)) == len(_MEMBER.findall(compact))
    return value if is_sure else _parse_carefully(text)


def _parse_carefully(text: bytes) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError):
        return None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return json.loads(text)


def _difference(record: Mapping[str, Any], rebuilt: Mapping[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = dict.fromkeys(rebuilt.keys() - record.keys())
    for key, value in record.items():
        if key not in rebuilt:
            patch[key] = value
        elif isinstance(value, dict) and isinstance(rebuilt[key], dict):
            inner = _difference(value, rebuilt[key])
            if inner:
                patch[key] = inner
        elif not _is_same(value, rebuilt[key]):
            patch[key] = value
    return patch


def _is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _merge(target: Any, patch: Any) -> Any:
    """RFC 7396, but that an object which the target lacks is taken as it is, nulls included."""
    if not isinstance(patch, dict) or not isinstance(target, dict):
        return patch
    merged = dict(target)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged[key], value) if key in merged else value
    return merged
