"""JSON Patch. Source: RFC 6902, with pointers of RFC 6901."""

from __future__ import annotations

import copy
from typing import Any

from kubewitness.model.errors import KubewitnessError


class PatchError(KubewitnessError):
    """A patch does not fit the object, so the server cannot have carried it out on this one."""


def apply_json_patch(target: Any, operations: Any) -> Any:
    """The document after all operations, in their order.

    Raises:
        PatchError: an operation is malformed or does not fit; then none of them took effect.
    """
    if not isinstance(operations, list):
        raise PatchError("a JSON Patch is a list of operations")
    result = copy.deepcopy(target)
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise PatchError("an operation has no path")
        result = _apply(result, operation, _pointer(operation["path"]))
    return result


def _apply(document: Any, operation: dict[str, Any], path: list[str]) -> Any:
    match operation.get("op"):
        case "add":
            return _added(document, path, _value(operation))
        case "remove":
            return _removed(document, path)
        case "replace":
            _found(document, path)
            return _added(_removed(document, path), path, _value(operation)) if path else _value(operation)
        case "move":
            origin = _pointer(operation.get("from"))
            if path[: len(origin)] == origin and path != origin:
                raise PatchError("a value cannot be moved into itself")
            value = _found(document, origin)
            return _added(_removed(document, origin), path, value)
        case "copy":
            return _added(document, path, copy.deepcopy(_found(document, _pointer(operation.get("from")))))
        case "test":
            if not _same(_found(document, path), _value(operation)):
                raise PatchError(f"the value at {operation['path']} is another one")
            return document
        case other:
            raise PatchError(f"there is no operation `{other}`")


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise PatchError("an operation has no value")
    return copy.deepcopy(operation["value"])


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchError("a path begins with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _index(part: str, length: int) -> int:
    """A place in a list, from 0 to less than `length`."""
    if not part.isascii() or not part.isdigit() or (len(part) > 1 and part[0] == "0") or int(part) >= length:
        raise PatchError(f"there is no place {part} in the list")
    return int(part)


def _found(document: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list):
            document = document[_index(part, len(document))]
        else:
            raise PatchError(f"there is no {part}")
    return document


def _added(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _found(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)
    else:
        raise PatchError(f"{last} cannot be added to a single value")
    return document


def _removed(document: Any, path: list[str]) -> Any:
    if not path:
        raise PatchError("the whole document cannot be removed")
    parent, last = _found(document, path[:-1]), path[-1]
    _found(parent, [last])
    if isinstance(parent, dict):
        del parent[last]
    else:
        del parent[_index(last, len(parent))]
    return document


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal in JSON, where `true` is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)
