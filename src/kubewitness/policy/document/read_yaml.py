"""YAML as sigs.k8s.io/yaml reads it: go-yaml v2, its first document, made into JSON.

Source: sigs.k8s.io/yaml YAMLToJSON and goyaml.v2 (decode.go, resolve.go), which is libyaml in Go.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.policy.document.go_text import quoted
from kubewitness.policy.document.nodes import DecodingError, Mark, Member, Node, Number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.policy.document.nodes import Value

_PREFIX = "tag:yaml.org,2002:"
_RESOLVABLE = {None, *(_PREFIX + name for name in "str bool int float null timestamp".split())}
_STR, _BINARY, _FLOAT, _INT, _NULL, _MERGE, _TIMESTAMP, _BOOL = (
    _PREFIX + name for name in "str binary float int null merge timestamp bool".split()
)
_WORDS: dict[str, tuple[str, Any]] = {
    **dict.fromkeys("y Y yes Yes YES true True TRUE on On ON".split(), (_BOOL, True)),
    **dict.fromkeys("n N no No NO false False FALSE off Off OFF".split(), (_BOOL, False)),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (_NULL, None)),
    **dict.fromkeys(".nan .NaN .NAN".split(), (_FLOAT, math.nan)),
    **{sign + word: (_FLOAT, math.inf) for word in ".inf .Inf .INF".split() for sign in ("", "+")},
    **{"-" + word: (_FLOAT, -math.inf) for word in ".inf .Inf .INF".split()},
}
_HINTED = frozenset("+-0123456789yYnNtTfFoO~.")
_DIGITS = frozenset("+-0123456789")
_YAML_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DOT_FLOAT = re.compile(r"\.[0-9]+(?:[eE][-+]?[0-9]+)?")
_GO_INT = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_TIMES = re.compile(
    r"[0-9]{4}-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:[Tt][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:[.,][0-9]+)?(?:Z|[-+][0-9]{2}:[0-9]{2})"
    r"| +[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:[.,][0-9]+)?)?"
)
_UNSIGNED_MAX = (1 << 64) - 1
_SIGNED_MAX = (1 << 63) - 1
_FEW = 400_000
_MANY = 4_000_000
_MAX_DEPTH = 150
_MOST_COLONS = 100


@dataclass(slots=True)
class YamlText:
    """What became of a text of YAML.

    Attributes:
        node: the first document; null when there is none.
        duplicates: names that were set twice, in the server's words, with where.
    """

    node: Node
    duplicates: list[tuple[str, Mark]] = field(default_factory=list)


def read_yaml(data: bytes) -> YamlText:
    """The first document of a text.

    Raises:
        DecodingError: it is not YAML that can be made into JSON.
    """
    root = _compose(data)
    result = YamlText(Node(None, Mark(1, 1)))
    if root is not None:
        result.node = _Converter(result.duplicates).convert(root)
    return result


@dataclass(slots=True)
class _Raw:
    """A node of the document before anything is resolved, and what it stands for if it is an alias."""

    event: Any
    children: list[_Raw] = field(default_factory=list)
    target: _Raw | None = None

    @property
    def mark(self) -> Mark:
        return _mark(self.event)


def _compose(data: bytes) -> _Raw | None:
    for _ in range(_MOST_COLONS):
        try:
            return _compose_once(data)
        except yaml.YAMLError as error:
            mended = _with_quotes(data, error)
            if mended is None:
                raise _refusal(error) from error
            data = mended
    raise DecodingError("yaml: too many colons")


def _compose_once(data: bytes) -> _Raw | None:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    events: Iterator[Any] = yaml.parse(data, Loader=loader)
    next(events)
    start = next(events)
    if isinstance(start, yaml.StreamEndEvent):
        return None
    if start.version not in {None, (1, 1)}:
        raise DecodingError("yaml: found incompatible YAML document", _mark(start))
    root = _Composer(events).node(next(events), 0)
    next(events)
    next(events)  # The server looks one step into what follows, too.
    return root


def _with_quotes(data: bytes, error: yaml.YAMLError) -> bytes | None:
    """The text with quotes around a plain one that ends with a colon, in brackets: only go-yaml takes it as it is."""
    begin, end = getattr(error, "context_mark", None), getattr(error, "problem_mark", None)
    if getattr(error, "problem", None) != "found unexpected ':'" or begin is None or end is None:
        return None
    lines = data.decode("utf-8", "replace").splitlines(keepends=True)
    first = sum(map(len, lines[: begin.line])) + begin.column
    last = sum(map(len, lines[: end.line])) + end.column + 1
    text = "".join(lines)
    plain = text[first:last].replace("'", "''")
    return f"{text[:first]}'{plain}'{text[last:]}".encode()


def _refusal(error: yaml.YAMLError) -> DecodingError:
    problem = (
        getattr(error, "problem", None) or getattr(error, "reason", None) or "unknown problem parsing YAML content"
    )
    mark = getattr(error, "problem_mark", None)
    context = getattr(error, "context_mark", None)
    line = 0
    if mark is not None and mark.line:
        line = mark.line + isinstance(error, yaml.scanner.ScannerError)
    elif context is not None and context.line:
        line = context.line
    where = f"line {line}: " if line else ""
    return DecodingError(f"yaml: {where}{problem}", mark and Mark(mark.line + 1, mark.column + 1))


class _Composer:
    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, _Raw] = {}

    def node(self, event: Any, depth: int, *, in_flow: bool = False) -> _Raw:
        if depth > _MAX_DEPTH:
            raise DecodingError("yaml: exceeded max depth of 10000", None)
        raw = _Raw(event)
        if isinstance(event, yaml.ScalarEvent) and in_flow and event.style in {None, ""} and "?" in event.value:
            # In brackets a question mark is a token of its own in go-yaml, but part of the text in libyaml.
            raise DecodingError(f"yaml: line {raw.mark.line}: did not find expected ',' or ']'", raw.mark)
        if isinstance(event, yaml.AliasEvent):
            raw.target = self._anchors.get(str(event.anchor))
            if raw.target is None:
                raise DecodingError(f"yaml: unknown anchor '{event.anchor}' referenced", raw.mark)
            return raw
        if event.anchor is not None:
            self._anchors[event.anchor] = raw
        if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            while not isinstance(inner := next(self._events), (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                raw.children.append(self.node(inner, depth + 1, in_flow=in_flow or bool(event.flow_style)))
        return raw


class _Converter:
    def __init__(self, duplicates: list[tuple[str, Mark]]) -> None:
        self._duplicates = duplicates
        self._following: set[int] = set()
        self._decoded = 0
        self._by_alias = 0

    def convert(self, raw: _Raw) -> Node:
        self._count(raw)
        match raw.event:
            case yaml.AliasEvent():
                assert raw.target is not None  # noqa: S101 - the composer found it
                with _Following(self._following, raw):
                    return self.convert(raw.target)
            case yaml.ScalarEvent():
                return Node(_json_value(_resolved(raw.event), raw.mark), raw.mark)
            case yaml.SequenceStartEvent():
                return Node([self.convert(child) for child in raw.children], raw.mark)
            case _:
                members: dict[str, Member] = {}
                self._fill(raw, members)
                return Node(members, raw.mark)

    def _count(self, raw: _Raw) -> None:
        self._decoded += 1
        self._by_alias += bool(self._following)
        if self._by_alias > 100 and self._decoded > 1000:  # noqa: PLR2004 - as in go-yaml
            share = (
                0.99
                if self._decoded <= _FEW
                else 0.10
                if self._decoded >= _MANY
                else 0.99 - 0.89 * (self._decoded - _FEW) / (_MANY - _FEW)
            )
            if self._by_alias / self._decoded > share:
                raise DecodingError("yaml: document contains excessive aliasing", raw.mark)

    def _fill(self, raw: _Raw, members: dict[str, Member]) -> None:
        pairs = iter(raw.children)
        for key, value in zip(pairs, pairs, strict=True):
            if _is_merge(key):
                self._merge(value, members)
                continue
            name, shown = self._key(key, value)
            node = self.convert(value)
            if name in members:
                self._duplicates.append((f"line {value.mark.line}: key {shown} already set in map", key.mark))
            members[name] = Member(key.mark, node)

    def _key(self, raw: _Raw, beside: _Raw) -> tuple[str, str]:
        """A name as JSON has it, and as a message shows it."""
        target = raw.target or raw
        self._count(raw)
        if not isinstance(target.event, yaml.ScalarEvent):
            raise DecodingError("yaml: invalid map key", raw.mark)
        value = _resolved(target.event)
        match value:
            case str():
                return value, quoted(value)
            case bool():
                return str(value).lower(), str(value).lower()
            case int() if -_SIGNED_MAX - 1 <= value <= _SIGNED_MAX:
                return str(value), str(value)
            case float():
                text = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), _go_float(value))
                return text, text
            case _:
                kind, key = ("%!s(<nil>)", "<nil>") if value is None else ("uint64", hex(value))
                message = f"unsupported map key of type: {kind}, key: {key}, value: {_go_value(self.convert(beside))}"
                raise DecodingError(message, raw.mark)

    def _merge(self, raw: _Raw, members: dict[str, Member]) -> None:
        target = raw.target or raw
        if isinstance(target.event, yaml.MappingStartEvent):
            self._merge_one(raw, members)
        elif raw.target is None and isinstance(raw.event, yaml.SequenceStartEvent):
            for item in reversed(raw.children):
                if not isinstance((item.target or item).event, yaml.MappingStartEvent):
                    raise DecodingError("yaml: map merge requires map or sequence of maps as the value", item.mark)
                self._merge_one(item, members)
        else:
            raise DecodingError("yaml: map merge requires map or sequence of maps as the value", raw.mark)

    def _merge_one(self, raw: _Raw, members: dict[str, Member]) -> None:
        self._count(raw)
        if raw.target is None:
            self._fill(raw, members)
        else:
            with _Following(self._following, raw):
                self._count(raw.target)
                self._fill(raw.target, members)


class _Following:
    """While an alias is followed, its target must not come again."""

    def __init__(self, following: set[int], raw: _Raw) -> None:
        self._following = following
        self._raw = raw

    def __enter__(self) -> None:
        if id(self._raw.target) in self._following:
            raise DecodingError(f"yaml: anchor '{self._raw.event.anchor}' value contains itself", self._raw.mark)
        self._following.add(id(self._raw.target))

    def __exit__(self, *_: object) -> None:
        self._following.discard(id(self._raw.target))


def _is_merge(raw: _Raw) -> bool:
    event = raw.event
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and (event.implicit[0] or event.tag == _MERGE)


def _resolved(event: yaml.ScalarEvent) -> Any:
    """What a scalar is. Source: goyaml.v2, decoder.scalar and resolve."""
    tag, text = event.tag, event.value
    if tag == "!":  # libyaml drops it and takes the text for a plain one, quoted or not
        tag = None
    elif tag is None and not event.implicit[0]:
        return text
    if tag == _BINARY:
        try:
            data = base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)
        except (binascii.Error, ValueError) as error:
            raise DecodingError("yaml: !!binary value contains invalid base64 data", _mark(event)) from error
        return data.decode("utf-8", "replace")
    if tag not in _RESOLVABLE or tag == _STR:
        return text
    found, value = _implicit(tag, text)
    if tag in {None, found}:
        return value
    if tag == _FLOAT and found == _INT and abs(value) <= _SIGNED_MAX + 1:
        return float(value)
    raise DecodingError(f"yaml: cannot decode {_short(found)} `{text}` as a {_short(tag)}", _mark(event))


def _implicit(tag: str | None, text: str) -> tuple[str, Any]:
    first = text[:1]
    if first and first not in _HINTED:
        return _STR, text
    if text in _WORDS:
        return _WORDS[text]
    if first == "." and _DOT_FLOAT.fullmatch(text):
        return _float(text)
    if first not in _DIGITS:
        return _STR, text
    if tag in {None, _TIMESTAMP} and _is_time(text):
        return _TIMESTAMP, text
    plain = text.replace("_", "")
    if _GO_INT.fullmatch(plain):
        value = _go_int(plain)
        if -_SIGNED_MAX - 1 <= value <= (_SIGNED_MAX if plain[0] in "+-" else _UNSIGNED_MAX):
            return _INT, value
    if _YAML_FLOAT.fullmatch(plain):
        kind, value = _float(plain)
        if kind == _FLOAT:
            return kind, value
    if _GO_INT.fullmatch(plain):
        return _INT, _go_int(plain)
    return _STR, text


def _float(text: str) -> tuple[str, Any]:
    value = float(text)
    return (_STR, text) if math.isinf(value) else (_FLOAT, value)


def _go_int(text: str) -> int:
    sign, digits = (-1 if text[0] == "-" else 1), text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567":
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def _is_time(text: str) -> bool:
    found = _TIMES.fullmatch(text)
    return bool(found and 1 <= int(found["month"]) <= 12 and 1 <= int(found["day"]) <= 31)  # noqa: PLR2004 - a calendar


def _json_value(value: Any, mark: Mark) -> Value:
    match value:
        case bool() | None | str():
            return value
        case int():
            return Number(str(value))
        case float() if math.isnan(value) or math.isinf(value):
            shown = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
            raise DecodingError(f"json: unsupported value: {shown}", mark)
        case _:
            return Number(_go_float(value))


def _go_value(node: Node) -> str:
    match node.value:
        case None:
            return "<nil>"
        case bool() as value:
            return str(value).lower()
        case Number(text):
            return text
        case str() as text:
            return quoted(text)
        case list():
            return "[]interface {}{...}"
        case dict():
            return "map[interface {}]interface {}{...}"


def _go_float(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)  # noqa: PLR2004 - as encoding/json


def _short(tag: str) -> str:
    return "!!" + tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else tag


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)
