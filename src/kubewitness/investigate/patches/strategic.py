"""Strategic merge patch: a merge patch that knows the lists of the API.

Source: strategic-merge-patch.md of sig-api-machinery, and k8s.io/apimachinery/pkg/util/strategicpatch.
"""

from __future__ import annotations

import copy
from typing import Any

from kubewitness.investigate.patches.list_keys import Path, identity, is_set, keys_of

_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_VALUES = "$deleteFromPrimitiveList/"


def apply_strategic_patch(target: Any, patch: Any, path: Path = ()) -> Any:
    """The document after the patch.

    Args:
        target: before; None where there is nothing.
        patch: the patch, with its directives.
        path: fields that lead to the document.
    """
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    match patch.get(_DIRECTIVE):
        case "replace":
            return copy.deepcopy({key: value for key, value in patch.items() if key != _DIRECTIVE})
        case "delete":
            return {}
    result = dict(target) if isinstance(target, dict) else {}
    retained = patch.get(_RETAIN)
    if isinstance(retained, list):
        result = {key: value for key, value in result.items() if key in retained}
    for key, value in patch.items():
        if key in {_DIRECTIVE, _RETAIN} or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE_VALUES):
            _delete_values(result, key.removeprefix(_DELETE_VALUES), value)
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, list):
            result[key] = _merged_list(result.get(key), value, (*path, key))
        else:
            result[key] = apply_strategic_patch(result.get(key), value, (*path, key))
    for key, order in patch.items():
        if key.startswith(_ORDER) and isinstance(order, list):
            _sort(result, key.removeprefix(_ORDER), order, path)
    return result


def has_directives(patch: Any) -> bool:
    """Whether a patch says of itself that it is a strategic one."""
    if isinstance(patch, list):
        return any(has_directives(item) for item in patch)
    if not isinstance(patch, dict):
        return False
    is_marked = any(key in {_DIRECTIVE, _RETAIN} or key.startswith((_ORDER, _DELETE_VALUES)) for key in patch)
    return is_marked or any(has_directives(value) for value in patch.values())


def _delete_values(result: dict[str, Any], key: str, values: Any) -> None:
    kept = result.get(key)
    if isinstance(kept, list) and isinstance(values, list):
        result[key] = [item for item in kept if item not in values]


def _merged_list(target: Any, patch: list[Any], path: Path) -> list[Any]:
    kept = [item for item in patch if not (isinstance(item, dict) and item.get(_DIRECTIVE) == "replace")]
    if len(kept) < len(patch):
        return copy.deepcopy(kept)
    before = target if isinstance(target, list) else []
    keys = keys_of(path)
    if is_set(path) and not keys:
        return [*before, *(item for item in patch if item not in before)]
    if keys is None or any(identity(item, keys) is None for item in (*before, *patch)):
        return [apply_strategic_patch(None, item, path) for item in patch]
    merged = {identity(item, keys): item for item in before}
    for item in patch:
        name = identity(item, keys)
        if item.get(_DIRECTIVE) == "delete":
            merged.pop(name, None)
        else:
            merged[name] = apply_strategic_patch(merged.get(name), item, path)
    return list(merged.values())


def _sort(result: dict[str, Any], key: str, order: list[Any], path: Path) -> None:
    """Bring the items that the patch orders into that order; others stay where they are among these."""
    items = result.get(key)
    keys = keys_of((*path, key))
    if not isinstance(items, list):
        return
    if keys is None:
        places = {repr(item): place for place, item in enumerate(order)}
        names = [repr(item) for item in items]
    else:
        places = {repr(identity(item, keys)): place for place, item in enumerate(order)}
        names = [repr(identity(item, keys)) for item in items]
    wanted = [(places[name], item) for name, item in zip(names, items, strict=True) if name in places]
    ordered = iter([item for _, item in sorted(wanted, key=lambda pair: pair[0])])
    result[key] = [next(ordered) if name in places else item for name, item in zip(names, items, strict=True)]
