"""Predicates as SQL: dialect-neutral SQLGlot expressions over the events table.

Functions whose names begin with `kw_` are this project's own (see facts/sql/macros.sql). User text reaches SQL only as
literal nodes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from sqlglot import exp

from kubewitness.query.predicate import (
    And,
    Compare,
    Exists,
    Flag,
    InNetwork,
    Keyword,
    Not,
    Number,
    Operator,
    Or,
    Order,
    Predicate,
    Same,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Network, IPv6Network

    from kubewitness.query.fields import Field

# Columns in which upper case never stands: comparing them as they are lets the plan use them.
EXACT = frozenset({"verb", "resource", "subresource", "action", "actor_kind"})

# Keys of Kubernetes objects that never hold an array: one JSON path walks through all of them at once.
_NEVER_ARRAYS = frozenset(
    {"metadata", "spec", "template", "jobTemplate", "securityContext", "roleRef", "labels", "annotations", "data", "status"}
)

_SEARCHED = (
    "request_uri", "username", "impersonated_username", "user_agent", "name", "namespace", "status_message",
    "annotations", "request_object", "response_object",
)  # fmt: skip

_ORDERS: dict[Order, type[exp.Binary]] = {
    Order.LESS: exp.LT,
    Order.LESS_OR_EQUAL: exp.LTE,
    Order.GREATER: exp.GT,
    Order.GREATER_OR_EQUAL: exp.GTE,
}


def lower(predicate: Predicate) -> exp.Expression:
    """The predicate as a boolean SQL expression; null stands for false at the top."""
    match predicate:
        case And(items):
            return exp.and_(*map(lower, items)) if items else exp.true()
        case Or(items):
            return exp.or_(*map(lower, items)) if items else exp.false()
        case Not(item):
            return exp.not_(exp.Coalesce(this=lower(item), expressions=[exp.false()]))
        case Text():
            return _text(predicate)
        case Number(field, value):
            return _each(field, lambda item: exp.EQ(this=_as_number(field, item), expression=_number(value)))
        case Compare(field, order, value):
            return _each(field, lambda item: _ORDERS[order](this=_as_number(field, item), expression=_number(value)))
        case Flag(field, value):
            return _flag(field, value=value)
        case InNetwork(field, network):
            return _each(field, lambda item: _in_network(item, network))
        case Exists(field):
            return _exists(field)
        case Same(field, other, operator):
            return _each(
                field, lambda item: _each(other, lambda second: _compare(item, operator, second), name="second")
            )
        case Keyword(value):
            found = [_compare(_folded(_column(name)), Operator.CONTAINS, _literal(value.lower())) for name in _SEARCHED]
            return exp.or_(*found)
        case _:
            assert_never(predicate)


def field_text(field: Field) -> exp.Expression:
    """The field as one text value, for grouping; several values are joined."""
    if field.path:
        return exp.ArrayToString(this=_json_texts(field), expression=exp.Literal.string(","))
    if field.column.is_list:
        return exp.ArrayToString(this=_column(field.column.name), expression=exp.Literal.string(","))
    return exp.cast(_column(field.column.name), "text")


def _text(test: Text) -> exp.Expression:
    field = test.field
    if not field.path and field.column.name in EXACT:
        return _compare(_column(field.column.name), test.operator, _literal(test.value.lower()))
    if test.operator is Operator.REGEX:
        pattern = test.value if test.cased else f"(?i){test.value}"
        return _each(field, lambda item: exp.RegexpLike(this=_as_text(field, item), expression=_literal(pattern)))
    if test.cased or test.value.lower() == test.value.upper():
        return _each(field, lambda item: _compare(_as_text(field, item), test.operator, _literal(test.value)))
    value = _literal(test.value.lower())
    return _each(field, lambda item: _compare(_folded(_as_text(field, item)), test.operator, value.copy()))


def _compare(left: exp.Expression, operator: Operator, right: exp.Expression) -> exp.Expression:
    match operator:
        case Operator.EQUALS:
            return exp.EQ(this=left, expression=right)
        case Operator.CONTAINS:
            return exp.Contains(this=left, expression=right)
        case Operator.STARTS_WITH:
            return exp.StartsWith(this=left, expression=right)
        case Operator.ENDS_WITH:
            return exp.EndsWith(this=left, expression=right)
        case Operator.LIKE:
            return exp.RegexpLike(this=left, expression=_literal(_like_to_regex(right.name)))
        case Operator.REGEX:
            return exp.RegexpLike(this=left, expression=right)
        case _:
            assert_never(operator)


def _like_to_regex(pattern: str) -> str:
    parts = re.split(r"(\\.|[*?])", pattern, flags=re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return (
        "(?s)^"
        + "".join(wild.get(part) or _quote(part[1:] if len(part) > 1 and part[0] == "\\" else part) for part in parts)
        + "$"
    )


def _quote(text: str) -> str:
    return re.sub(r"([\\.^$|?*+()\[\]{}])", r"\\\1", text)


def _flag(field: Field, *, value: bool) -> exp.Expression:
    if field.path or field.column.type != "BOOLEAN":
        return _each(field, lambda item: exp.EQ(this=_as_text(field, item), expression=_literal(str(value).lower())))
    column = _column(field.column.name)
    return column if value else exp.not_(column)


def _exists(field: Field) -> exp.Expression:
    if field.path:
        return exp.GT(this=exp.ArraySize(this=_json_texts(field)), expression=_number(0))
    return exp.not_(exp.Is(this=_column(field.column.name), expression=exp.null()))


def _in_network(item: exp.Expression, network: IPv4Network | IPv6Network) -> exp.Expression:
    digits = 8 if network.version == 4 else 32  # noqa: PLR2004 - IPv4 has 32 bits, IPv6 128
    low, high = (
        _literal(f"{network.version}:{int(address):0{digits}x}")
        for address in (network.network_address, network.broadcast_address)
    )
    return exp.Between(this=exp.func("kw_address", item), low=low, high=high)


def _each(field: Field, test: Callable[[exp.Expression], exp.Expression], *, name: str = "item") -> exp.Expression:
    """The test of a single value, or of any of several."""
    if field.path:
        several = _json_texts(field)
    elif field.column.is_list:
        several = _column(field.column.name)
    else:
        return test(_column(field.column.name))
    condition = exp.Lambda(this=test(exp.column(name)), expressions=[exp.to_identifier(name)])
    return exp.GT(
        this=exp.ArraySize(this=exp.ArrayFilter(this=several, expression=condition)), expression=_number(0)
    )


def _json_texts(field: Field) -> exp.Expression:
    """Values under the path as an array of text, stepping through arrays."""
    keys = list(field.path)
    direct: list[str] = []
    while keys and (not direct or direct[-1] in _NEVER_ARRAYS):
        direct.append(keys.pop(0))
    body = _column(field.column.name)
    values: exp.Expression = exp.array(exp.func("kw_json", body, _literal(_json_path(*direct))))
    for key in keys:
        values = exp.func("kw_step", values, _literal(_json_key(key)))
    return exp.func("kw_texts", values)


def _json_path(*keys: str) -> str:
    return ".".join(("$", *map(_json_key, keys)))


def _json_key(key: str) -> str:
    return '"' + key.replace('"', "") + '"'


def _as_text(field: Field, item: exp.Expression) -> exp.Expression:
    plain = field.path or field.column.type in {"VARCHAR", "VARCHAR[]"}
    return item if plain else exp.cast(item, "text")


def _as_number(field: Field, item: exp.Expression) -> exp.Expression:
    return exp.TryCast(this=item, to=exp.DataType.build("double")) if field.path or field.column.is_list else item


def _folded(item: exp.Expression) -> exp.Expression:
    return exp.Lower(this=item)


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=name in {"groups", "source", "name", "level"}))


def _literal(value: str) -> exp.Literal:
    return exp.Literal.string(value)


def _number(value: float) -> exp.Expression:
    return exp.Literal.number(int(value) if float(value).is_integer() else value)
