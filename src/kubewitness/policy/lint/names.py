"""Names of members that the server does not know: it ignores them in silence."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from kubewitness.model.issue import IssueSeverity
from kubewitness.policy.document import DecodingError, read_json, read_yaml
from kubewitness.policy.lint.issue import Edit, Issue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.policy.document import Node

_POLICY = ("apiVersion", "kind", "metadata", "rules", "omitStages", "omitManagedFields")
_RULE = (
    "level",
    "users",
    "userGroups",
    "verbs",
    "resources",
    "namespaces",
    "nonResourceURLs",
    "omitStages",
    "omitManagedFields",
)
_RESOURCES = ("group", "resources", "resourceNames")


def root_of(data: bytes) -> Node | None:
    """The first document of a text; None when it is none."""
    try:
        text = data.decode("utf-8", "replace")
        return read_json(text) if text.lstrip("\ufeff \t\r\n").startswith("{") else read_yaml(data).node
    except DecodingError:
        return None


def name_issues(root: Node) -> Iterator[Issue]:
    """Unknown names at every level, with the known one that was probably meant."""
    yield from _unknown(root, "", _POLICY)
    for index, rule in enumerate(_items(root, "rules")):
        path = f"rules[{index}]"
        yield from _unknown(rule, path, _RULE)
        for number, resources in enumerate(_items(rule, "resources")):
            yield from _unknown(resources, f"{path}.resources[{number}]", _RESOURCES)


def _items(node: Node, name: str) -> list[Node]:
    member = node.value.get(name) if isinstance(node.value, dict) else None
    return member.node.value if member and isinstance(member.node.value, list) else []


def _unknown(node: Node, path: str, known: tuple[str, ...]) -> Iterator[Issue]:
    if not isinstance(node.value, dict):
        return
    for name, member in node.value.items():
        if name in known:
            continue
        meant = _meant(name, [each for each in known if each not in node.value])
        edit = Edit(member.mark.line, member.mark.column, name, meant) if meant else None
        yield Issue(
            IssueSeverity.ERROR if meant else IssueSeverity.WARNING,
            "unknown-key",
            f"unknown key `{name}`: the server ignores it in silence",
            f"{path}.{name}" if path else name,
            member.mark,
            f"did you mean `{meant}`?" if meant else f"known here: {', '.join(known)}",
            edit,
        )


def _meant(name: str, missing: list[str]) -> str | None:
    """A known name that is not there yet: with something stuck to it, in other case, or misspelt."""
    folded = {each.casefold(): each for each in missing}
    if name.casefold() in folded:
        return folded[name.casefold()]
    stuck = [each for each in missing if name.endswith(each) and each != "group"]
    if stuck:
        return max(stuck, key=len)
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.75)
    return folded[close[0]] if close else None
