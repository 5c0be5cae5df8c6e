"""Server-side apply, as far as the applied manifests tell.

A manager says which fields it wants; those that it wanted before and no longer wants go, unless somebody else wants
them too. Source: Kubernetes documentation, Server-Side Apply, and structured-merge-diff.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from kubewitness.investigate.patches.list_keys import Path, identity, is_set, keys_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEVER_REMOVED = frozenset({"apiVersion", "kind", "metadata"})


def apply_manifest(target: Any, manifest: Any, before: Any = None, others: Iterable[Any] = ()) -> Any:
    """The object after a manifest was applied.

    Args:
        target: the object; None where there was none.
        manifest: what the manager wants now.
        before: what the same manager wanted before; None where that is not known.
        others: what other managers want, by their last manifests.
    """
    wanted = list(others)
    result = copy.deepcopy(target) if target is not None else {}
    if before is not None:
        result = _without(result, before, [manifest, *wanted], ())
    return _merged(result, manifest, ())


def _merged(target: Any, manifest: Any, path: Path) -> Any:
    if isinstance(manifest, dict):
        result = dict(target) if isinstance(target, dict) else {}
        for key, value in manifest.items():
            result[key] = _merged(result.get(key), value, (*path, key))
        return result
    if isinstance(manifest, list):
        before = target if isinstance(target, list) else []
        keys = keys_of(path, applied=True)
        if is_set(path):
            return [*before, *(item for item in manifest if item not in before)]
        if keys is None or any(identity(item, keys) is None for item in (*before, *manifest)):
            return copy.deepcopy(manifest)
        merged = {identity(item, keys): item for item in before}
        for item in manifest:
            name = identity(item, keys)
            merged[name] = _merged(merged.get(name), item, path)
        return list(merged.values())
    return copy.deepcopy(manifest)


def _without(target: Any, before: Any, wanted: list[Any], path: Path) -> Any:
    """The object without what was wanted before and nobody wants now."""
    if isinstance(target, dict) and isinstance(before, dict):
        result = dict(target)
        for key, value in before.items():
            still = [each[key] for each in wanted if isinstance(each, dict) and key in each]
            if key not in result or (not path and key in _NEVER_REMOVED and not still):
                continue
            if still:
                result[key] = _without(result[key], value, still, (*path, key))
            else:
                rest = _remains(result[key], value, (*path, key))
                if rest is None:
                    del result[key]
                else:
                    result[key] = rest
        return result
    if isinstance(target, list) and isinstance(before, list):
        keys = keys_of(path, applied=True)
        lists = [each for each in wanted if isinstance(each, list)]
        if is_set(path):
            return [item for item in target if item not in before or any(item in each for each in lists)]
        if keys is None:
            return target
        return _without_items(target, before, lists, keys, path)
    return target


def _without_items(
    target: list[Any], before: list[Any], lists: list[list[Any]], keys: tuple[str, ...], path: Path
) -> list[Any]:
    old = {identity(item, keys): item for item in before}
    result = []
    for item in target:
        name = identity(item, keys)
        still = [other for each in lists for other in each if identity(other, keys) == name]
        if name is None or name not in old:
            result.append(item)
        elif still:
            result.append(_without(item, old[name], still, path))
    return result


def _remains(target: Any, before: Any, path: Path) -> Any:
    """What is left of a value that is no longer wanted: what others, or the server, have set; None for nothing."""
    if isinstance(target, dict) and isinstance(before, dict):
        rest = {key: value for key, value in target.items() if key not in before}
        for key, value in before.items():
            if key in target and (kept := _remains(target[key], value, (*path, key))) is not None:
                rest[key] = kept
        return rest or None
    return None
