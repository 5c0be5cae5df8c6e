"""Values of a document and where they stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

Value: TypeAlias = "bool | Number | str | list[Node] | dict[str, Member] | None"


class DecodingError(Exception):
    """The text is no document, or holds what its type does not allow.

    Attributes:
        message: in the server's words.
        mark: where, or None.
    """

    def __init__(self, message: str, mark: Mark | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.mark = mark


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a text: line and column, both from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is written in JSON."""

    text: str


@dataclass(frozen=True, slots=True)
class Node:
    """A value.

    Attributes:
        value: null, true or false, a number, a text, items, or members by name.
        mark: where it begins.
    """

    value: Value
    mark: Mark


@dataclass(frozen=True, slots=True)
class Member:
    """A name and its value in an object.

    Attributes:
        mark: where the name stands.
        node: the value.
        earlier: values that the same name was given before, in JSON; the last one wins.
    """

    mark: Mark
    node: Node
    earlier: tuple[Member, ...] = field(default=())
