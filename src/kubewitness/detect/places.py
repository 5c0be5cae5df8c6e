"""Where in a file of rules something stands: line and column of keys and values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, from 1; the column is None where the line as a whole is meant."""

    line: int
    column: int | None = None


class Places:
    """Places in the text of a file, found by what stands there."""

    def __init__(self, text: str) -> None:
        self._text = text

    def key(self, names: Sequence[str], key: str) -> Place | None:
        """Where the document that is called one of these names has a key; where it begins when it has not."""
        for document in self._documents(names):
            for found, _ in _pairs(document):
                if found.value == key:
                    return _place(found)
            return _place(document)
        return None

    def test(self, names: Sequence[str], field: str, value: str | None = None) -> Place | None:
        """Where the document tests a field, or this value of it."""
        best: Place | None = None
        for document in self._documents(names):
            for key, node in _all_pairs(document):
                if key.value.partition("|")[0] != field:
                    continue
                best = best or _place(key)
                for scalar in _scalars(node):
                    if value is not None and scalar.value.strip("*").lower() == value.strip("*").lower():
                        return _place(scalar)
        return best

    def message(self, message: str) -> Place | None:
        """Where what a message quotes stands: the line and column it names, else the last that it quotes."""
        if named := re.search(r"\bline (\d+)(?:, column (\d+))?", message):
            return Place(int(named[1]), int(named[2]) if named[2] else None)
        for value in reversed(re.findall(r"[`']([^`']+)[`']", message)):
            if place := self.test((), value):
                return place
            word = re.compile(rf"(?<![\w.]){re.escape(value)}(?![\w.])", re.IGNORECASE)
            for number, line in enumerate(self._text.splitlines(), 1):
                if found := word.search(line):
                    return Place(number, found.start() + 1)
        return None

    def _documents(self, names: Sequence[str]) -> list[yaml.Node]:
        """The document whose id, name or title is one of these; all when there is none."""
        own = [
            document
            for document in self._nodes
            if any(key.value in {"name", "id", "title"} and value.value in names for key, value in _pairs(document))
        ]
        return own or self._nodes

    @cached_property
    def _nodes(self) -> list[yaml.Node]:
        try:
            return list(yaml.compose_all(self._text, Loader=_LOADER))
        except yaml.YAMLError:
            return []


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _pairs(node: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key, value


def _all_pairs(node: yaml.Node) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """Keys and values, also those inside; aliases are not followed twice."""
    waiting, seen = [node], {id(node)}
    while waiting:
        here = waiting.pop(0)
        inside = here.value if isinstance(here, yaml.SequenceNode) else []
        for key, value in _pairs(here):
            yield key, value
            inside = [*inside, value]
        fresh = [each for each in inside if id(each) not in seen]
        seen |= {id(each) for each in fresh}
        waiting = [*fresh, *waiting]


def _scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)
