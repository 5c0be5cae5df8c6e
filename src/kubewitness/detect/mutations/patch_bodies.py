"""What patches carry: the object that somebody applies, the fields that differ, or operations on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from kubewitness.detect.mutations.mutation import object_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubewitness.detect.cases import Event

NEW_NAME = "new-x7k2p"
"""The name of an object that the creation gives no name."""

# What the server fills in, or the path says.
_NOT_IN_A_DELTA = frozenset({"apiVersion", "kind", "status"})
_NOT_IN_METADATA = frozenset(
    "name namespace generateName uid resourceVersion creationTimestamp managedFields generation selfLink".split()
)


def whole_object(event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    """The object as somebody who applies it writes it: with a name, without what the server fills in."""
    reference = object_of(event)
    given = body.get("metadata")
    metadata = dict(given) if isinstance(given, dict) else {}
    generated = f"{metadata['generateName']}x7k2p" if metadata.get("generateName") else NEW_NAME
    name = reference.get("name") or metadata.get("name") or generated
    kept = {key: value for key, value in metadata.items() if key not in _NOT_IN_METADATA}
    own = {"name": name, **({"namespace": reference["namespace"]} if reference.get("namespace") else {})}
    group, version = reference.get("apiGroup"), reference.get("apiVersion") or "v1"
    version = f"{group}/{version}" if group else version
    rest = {key: value for key, value in body.items() if key not in {"metadata", "apiVersion", "status"}}
    return {"apiVersion": body.get("apiVersion") or version, **rest, "metadata": {**own, **kept}}


def answer_to(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The object with what the server fills in."""
    filled = {
        "uid": str(uuid5(NAMESPACE_URL, str(whole["metadata"]["name"]))),
        "resourceVersion": "48211",
        "creationTimestamp": "2026-11-20T07:12:44Z",
    }
    return {**whole, "metadata": {**whole["metadata"], **filled}}


def merge_patch(whole: Mapping[str, Any]) -> dict[str, Any]:
    """A strategic or JSON merge patch that sets all of the object that can be set."""
    delta = {key: value for key, value in whole.items() if key not in _NOT_IN_A_DELTA and key != "metadata"}
    metadata = {key: value for key, value in whole["metadata"].items() if key not in _NOT_IN_METADATA}
    return {"metadata": metadata, **delta} if metadata else delta


def json_patch(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A JSON Patch that adds the object's fields and the items of its lists one by one."""
    delta = merge_patch(whole)
    return list(_add("", delta)) if delta else []


def _add(path: str, value: Any) -> Iterator[dict[str, Any]]:
    match value:
        case dict() if value:
            for key, item in value.items():
                yield from _add(f"{path}/{_escaped(key)}", item)
        case list() if value:
            for item in value:
                yield {"op": "add", "path": f"{path}/-", "value": item}
        case _:
            yield {"op": "add", "path": path, "value": value}


def json_patch_of_fields(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A JSON Patch that replaces fields where they stand, also inside named items such as containers."""
    delta = merge_patch(whole)
    return list(_replace("", delta)) if delta else []


def _replace(path: str, value: Any) -> Iterator[dict[str, Any]]:
    match value:
        case dict() if value:
            for key, item in value.items():
                yield from _replace(f"{path}/{_escaped(key)}", item)
        case [{"name": str()}, *_] if all(isinstance(item, dict) and "kind" not in item for item in value):
            for index, item in enumerate(value):
                yield from _replace(f"{path}/{index}", {key: of for key, of in item.items() if key != "name"})
        case _:
            yield {"op": "replace", "path": path, "value": value}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
