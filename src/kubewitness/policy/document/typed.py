"""Decoding of values into types, as sigs.k8s.io/json does it: strictly, with names that are case-sensitive.

Values come out as plain dicts (only names of the type), lists, texts, numbers and truth values, with zero values where
nothing stands. Unknown and duplicate names are collected; the first value of a wrong type is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from kubewitness.policy.document.go_text import quoted
from kubewitness.policy.document.nodes import DecodingError, Mark, Member, Node, Number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_MAX_REMARKS = 100


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, a truth value (`bool`) or a whole number (`int64`)."""

    name: str
    zero: str | bool | int


@dataclass(frozen=True, slots=True)
class Pointer:
    """A value or none."""

    item: Scalar


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; null and absent are the same empty list."""

    item: Schema


@dataclass(frozen=True, slots=True)
class MapOf:
    """Texts by name."""

    item: Scalar


@dataclass(frozen=True, slots=True)
class Object:
    """Members of known names; `name` is that of the Go type."""

    name: str
    package: str
    fields: Mapping[str, Schema]


@dataclass(frozen=True, slots=True)
class Opaque:
    """Anything that `check` does not object to: it says what is wrong with a value, or nothing."""

    check: Callable[[Node], str | None]


Schema: TypeAlias = Scalar | Pointer | ListOf | MapOf | Object | Opaque


@dataclass(slots=True)
class Decoder:
    """Decodes one document.

    Args:
        sort_names: whether members are taken in the order of their names, as they come out of YAML.

    Attributes:
        remarks: unknown and duplicate names in the server's words, with their path and place.
        places: where each value stands, by its path.
        names: where the name of each member stands, by the path of its value.
    """

    sort_names: bool
    remarks: list[tuple[str, str, Mark]] = field(default_factory=list)
    places: dict[str, Mark] = field(default_factory=dict)
    names: dict[str, Mark] = field(default_factory=dict)
    _error: DecodingError | None = None

    def decode(self, schema: Object, node: Node) -> dict[str, Any]:
        """The value as an object of this type.

        Raises:
            DecodingError: it holds a value of a wrong type.
        """
        value = self._value(schema, node, zero_of(schema), _Context("", schema.name, ()))
        if self._error is not None:
            raise self._error
        found: dict[str, Any] = value
        return found

    def _value(self, schema: Schema, node: Node, before: Any, context: _Context) -> Any:
        self.places[context.path] = node.mark
        match schema:
            case Opaque(check):
                if message := check(node):
                    self._fail(DecodingError(message, node.mark))
                return None
            case Pointer(item):
                return None if node.value is None else self._value(item, node, item.zero, context)
            case Scalar():
                return self._scalar(schema, node, before, context)
            case ListOf(item):
                match node.value:
                    case None:
                        return []
                    case list() as items:
                        known = before or []
                        return [
                            self._value(item, each, known[at] if at < len(known) else zero_of(item), context.item(at))
                            for at, each in enumerate(items)
                        ]
                    case _:
                        return self._mismatch(schema, node, before, context)
            case MapOf(item):
                match node.value:
                    case None:
                        return {}
                    case dict() as members:
                        self._note_duplicates(members, context)
                        for name, member in self._ordered(members):
                            self._value(item, member.node, item.zero, context.entry(name))
                        return {}
                    case _:
                        return self._mismatch(schema, node, before, context)
            case Object():
                return self._object(schema, node, before, context)
            case _:
                assert_never(schema)

    def _scalar(self, schema: Scalar, node: Node, before: Any, context: _Context) -> Any:
        match node.value, schema.zero:
            case None, _:
                return before
            case bool() as value, bool():
                return value
            case str() as text, str():
                return text
            case Number(text), int() if not isinstance(schema.zero, bool):
                try:
                    return int(text)
                except ValueError:
                    return self._mismatch(schema, node, before, context, shown=f"number {text}")
            case _:
                return self._mismatch(schema, node, before, context)

    def _object(self, schema: Object, node: Node, before: Any, context: _Context) -> Any:
        members = node.value
        if members is None:
            return before
        if not isinstance(members, dict):
            return self._mismatch(schema, node, before, context)
        self._note_duplicates({name: member for name, member in members.items() if name in schema.fields}, context)
        found = dict(before)
        for name, member in self._ordered(members):
            inner = context.member(schema.name, name)
            self.names[inner.path] = member.mark
            if name not in schema.fields:
                self._remark("unknown field", inner.path, member.mark)
                continue
            for each in (*member.earlier, member):
                found[name] = self._value(schema.fields[name], each.node, found[name], inner)
        return found

    def _note_duplicates(self, members: dict[str, Member], context: _Context) -> None:
        for name, member in members.items():
            if member.earlier:
                self._remark("duplicate field", context.member("", name).path, member.mark)

    def _ordered(self, members: dict[str, Member]) -> Iterable[tuple[str, Member]]:
        if self.sort_names:
            return sorted(members.items(), key=lambda item: item[0].encode("utf-8", "surrogatepass"))
        return members.items()

    def _remark(self, kind: str, path: str, mark: Mark) -> None:
        text = f"{kind} {quoted(path)}"
        if len(self.remarks) < _MAX_REMARKS and all(text != known for known, _, _ in self.remarks):
            self.remarks.append((text, path, mark))

    def _mismatch(self, schema: Schema, node: Node, before: Any, context: _Context, *, shown: str = "") -> Any:
        what = shown or _kind(node)
        where = f"{context.struct}.{'.'.join(context.fields)}"
        message = f"json: cannot unmarshal {what} into Go struct field {where} of type {_go_type(schema)}"
        self._fail(DecodingError(message, node.mark))
        return before

    def _fail(self, error: DecodingError) -> None:
        self._error = self._error or error


@dataclass(frozen=True, slots=True)
class _Context:
    """Where the decoder is: path of the value, and what the server's message names."""

    path: str
    struct: str
    fields: tuple[str, ...]

    def member(self, struct: str, name: str) -> _Context:
        return _Context(f"{self.path}.{name}" if self.path else name, struct, (*self.fields, name))

    def entry(self, name: str) -> _Context:
        return _Context(f"{self.path}.{name}", self.struct, self.fields)

    def item(self, index: int) -> _Context:
        return _Context(f"{self.path}[{index}]", self.struct, self.fields)


def zero_of(schema: Schema) -> Any:
    """What stands where nothing was said."""
    match schema:
        case Scalar(_, zero):
            return zero
        case ListOf():
            return []
        case MapOf():
            return {}
        case Object(_, _, fields):
            return {name: zero_of(inner) for name, inner in fields.items()}
        case Pointer() | Opaque():
            return None
        case _:
            assert_never(schema)


def _kind(node: Node) -> str:
    match node.value:
        case None:
            return "null"
        case bool():
            return "bool"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case Number():
            return "number"


def _go_type(schema: Schema) -> str:
    match schema:
        case Scalar(name):
            return name
        case Pointer(item):
            return _go_type(item)
        case ListOf(item):
            return f"[]{_go_type(item)}"
        case MapOf(item):
            return f"map[string]{_go_type(item)}"
        case Object(name, package):
            return f"{package}.{name}"
        case Opaque():
            return "v1.Time"
        case _:
            assert_never(schema)
