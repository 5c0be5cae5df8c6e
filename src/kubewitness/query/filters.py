"""Filters: what people type to find events, as predicates.

    user:alice* AND verb:(get OR list) AND resource:secrets NOT namespace:kube-system
    code:[400 TO 499]   at >= 2026-11-17T08:00Z   ip:203.0.113.0/24   image:*   "hostPID"   uri =~ "/pods/[^/]+/exec"

The language is a part of what Lucene and Kibana have in common, so that it reads as expected; it has the same meaning
as a Sigma rule's detection, because it becomes the same predicate. Values are compared without regard to case.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import re2
from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken, v_args
from lark.exceptions import VisitError

from kubewitness.decode.times import utc
from kubewitness.model.errors import KubewitnessError
from kubewitness.query.fields import UnknownFieldError, find_field
from kubewitness.query.predicate import (
    And,
    Compare,
    Exists,
    Flag,
    InNetwork,
    Keyword,
    Moment,
    Not,
    Number,
    Operator,
    Or,
    Order,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from kubewitness.query.fields import Field
    from kubewitness.query.predicate import Predicate

SHORT_NAMES = {
    "user": ("username", "impersonated_username"),
    "ns": ("namespace",),
    "object": ("object_name", "name"),
    "ip": ("source_ips",),
    "agent": ("user_agent",),
    "uri": ("request_uri",),
    "path": ("request_path",),
    "group": ("groups", "impersonated_groups"),
    "image": ("images",),
    "command": ("exec_command",),
    "at": ("happened_at",),
    "time": ("happened_at",),
    "reason": ("status_reason",),
    "message": ("status_message",),
    "subject": ("subjects",),
    "role": ("role_ref", "authorized_role"),
}
"""Short names of fields, and the columns they stand for; one of several is enough."""

_ADDRESSES = frozenset({"source_ips", "source_ip"})
_ORDERS = {order.value: order for order in Order}
_EXAMPLE = 'user:alice* AND verb:(get OR list) NOT namespace:kube-system, or "a phrase" in quotes'

# What stands for a value before it is known which fields it is of.
_Test: TypeAlias = "Callable[[tuple[Field, ...]], Predicate]"


class FilterError(KubewitnessError):
    """A filter cannot be understood; `where` says at which character."""


def parse_filter(text: str) -> Predicate:
    """The predicate that a filter stands for; an empty filter holds of every event.

    Raises:
        FilterError: the filter is not well formed, or names a field that no event has.
    """
    if not text.strip():
        return And(())
    try:
        tree = _parser().parse(text)
        return cast("Predicate", _Predicates().transform(tree))
    except UnexpectedInput as error:
        is_at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        raise _unexpected(text, None if is_at_end else error.pos_in_stream) from error
    except VisitError as error:
        if isinstance(error.orig_exc, UnknownFieldError):
            unknown = error.orig_exc
            hint = f"{unknown.hint}; a value with a colon in it wants quotes"
            raise FilterError(unknown.message, where="filter", hint=hint) from error
        if isinstance(error.orig_exc, KubewitnessError):
            raise error.orig_exc from error
        raise


def _unexpected(text: str, position: int | None) -> FilterError:
    place = len(text) if position is None else position
    found = text[place:].split(maxsplit=1)
    what = f"`{found[0]}` is not expected here" if found else "something is missing at the end"
    return FilterError(what, where=f"filter, character {place + 1}", hint=f"write {_EXAMPLE}")


@cache
def _parser() -> Lark:
    grammar = files("kubewitness.query").joinpath("filters.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", maybe_placeholders=False)


@v_args(inline=True)
class _Predicates(Transformer[Token, Any]):
    """Turns the tree of a filter into a predicate; inside `field:(...)` into tests that wait for their fields."""

    def any_of(self, *items: Any) -> Any:
        return _combined(Or, items)

    def all_of(self, *items: Any) -> Any:
        return _combined(And, items)

    def negated(self, item: Any) -> Any:
        if callable(item):
            return lambda fields: Not(item(fields))
        return Not(item)

    def tested(self, name: Token, test: _Test) -> Predicate:
        return test(_fields(name))

    def compared(self, name: Token, order: Token, pattern: str) -> Predicate:
        return self.ordered(order, pattern)(_fields(name))

    def regex(self, name: Token, pattern: str) -> Predicate:
        return _any(lambda field: Text(field, Operator.REGEX, _checked(_as_text(pattern)), cased=True))(_fields(name))

    def keyword(self, pattern: str) -> Predicate:
        return Keyword(pattern)

    def equal(self, pattern: str) -> _Test:
        return _any(lambda field: _equal(field, pattern))

    def ordered(self, order: Token, pattern: str) -> _Test:
        return _any(lambda field: _ordered(field, _ORDERS[str(order)], _as_text(pattern)))

    def closed_range(self, low: str, high: str) -> _Test:
        return _range(low, high, Order.GREATER_OR_EQUAL, Order.LESS_OR_EQUAL)

    def open_range(self, low: str, high: str) -> _Test:
        return _range(low, high, Order.GREATER, Order.LESS)

    def bound(self, pattern: str) -> str:
        return _as_text(pattern) if pattern != "*" else ""

    def quoted(self, token: Token) -> str:
        """The text between quotes as a pattern: `*` and `?` are themselves there."""
        text = re.sub(r"\\([\\\"])", r"\1", str(token)[1:-1])
        return re.sub(r"([\\*?])", r"\\\1", text)

    def word(self, token: Token) -> str:
        return str(token)


def _combined(kind: type[And | Or], items: Sequence[Any]) -> Any:
    if len(items) == 1:
        return items[0]
    if all(callable(item) for item in items):
        return lambda fields: kind(tuple(item(fields) for item in items))
    return kind(tuple(items))


def _fields(name: Token) -> tuple[Field, ...]:
    return tuple(map(find_field, SHORT_NAMES.get(str(name).lower(), (str(name),))))


def _any(test: Callable[[Field], Predicate]) -> _Test:
    """The test of any of several fields."""

    def of_fields(fields: tuple[Field, ...]) -> Predicate:
        tests = tuple(map(test, fields))
        return tests[0] if len(tests) == 1 else Or(tests)

    return of_fields


def _checked(pattern: str) -> str:
    try:
        re2.compile(pattern)
    except re2.error as error:
        raise FilterError(
            f"`{pattern}` is no regular expression that the engine can run: {error}",
            where="filter",
            hint="the engine uses RE2: look-around and back-references are not there",
        ) from error
    return pattern


def _equal(field: Field, pattern: str) -> Predicate:
    if pattern == "*":
        return Exists(field)
    text = _as_text(pattern)
    if not field.path:
        match field.column.type:
            case "BOOLEAN":
                return Flag(field, _truth(field, text))
            case "INTEGER" | "BIGINT":
                return Number(field, _number(field, text))
            case "TIMESTAMP":
                return _within(field, text)
            case "JSON":
                return Text(field, Operator.CONTAINS, text)
        if field.column.name in _ADDRESSES and "/" in text:
            return InNetwork(field, _network(text))
    if re.search(r"[*?]", re.sub(r"\\.", "", pattern, flags=re.DOTALL)):
        return Text(field, Operator.LIKE, pattern)
    return Text(field, Operator.EQUALS, text)


def _ordered(field: Field, order: Order, text: str) -> Predicate:
    if field.column.type == "TIMESTAMP":
        return Moment(field, order, _moment(text)[0])
    return Compare(field, order, _number(field, text))


def _range(low: str, high: str, above: Order, below: Order) -> _Test:
    def test(field: Field) -> Predicate:
        bounds = [_ordered(field, order, text) for order, text in ((above, low), (below, high)) if text]
        return And(tuple(bounds)) if bounds else Exists(field)

    return _any(test)


def _within(field: Field, text: str) -> Predicate:
    """A time as precise as it was written: a day is all of it."""
    first, last = _moment(text)
    return And((Moment(field, Order.GREATER_OR_EQUAL, first), Moment(field, Order.LESS_OR_EQUAL, last)))


def _moment(text: str) -> tuple[datetime, datetime]:
    """First and last moment (UTC, naive) that a written time stands for."""
    try:
        first = utc(text)
    except ValueError as error:
        raise FilterError(
            f"`{text}` is no time", where="filter", hint="write 2026-11-17 or 2026-11-17T08:00Z"
        ) from error
    if "T" not in text and " " not in text:
        return first, first.replace(hour=23, minute=59, second=59, microsecond=999_999)
    if re.search(r"[T ]\d\d:?\d\d(?!:?\d)", text):
        return first, first.replace(second=59, microsecond=999_999)
    return (first, first) if "." in text else (first, first.replace(microsecond=999_999))


def _truth(field: Field, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise FilterError(f"`{field.name}` is true or false, not `{text}`", where="filter")
    return text.lower() == "true"


def _number(field: Field, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        hint = "write <, >, <=, >= before a number, or before a time for `at`"
        raise FilterError(
            f"`{field.name}` is compared with a number, not `{text}`", where="filter", hint=hint
        ) from error


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise FilterError(f"`{text}` is no network", where="filter", hint="write ip:203.0.113.0/24") from error


def _as_text(pattern: str) -> str:
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)
