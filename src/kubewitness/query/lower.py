"""Predicates as SQL: dialect-neutral SQLGlot expressions over the events table.

Functions whose names begin with `kw_` are this project's own (see facts/sql/macros.sql). User text reaches SQL only as
literal nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from sqlglot import exp

from kubewitness.model.event import BY_NAME
from kubewitness.query.patterns import WILD, any_case, parts_of, regex_for, regex_of, unescaped
from kubewitness.query.predicate import (
    SEARCHED,
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
    Predicate,
    Same,
    Text,
    TimePart,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from ipaddress import IPv4Network, IPv6Network

    from kubewitness.query.fields import Field

# Columns in which upper case never stands: comparing them as they are lets the plan use them.
EXACT = frozenset({"verb", "resource", "subresource", "action", "actor_kind"})

# Keys of Kubernetes objects that never hold an array: one JSON path walks through all of them at once.
_NEVER_ARRAYS = frozenset(
    {
        "metadata",
        "spec",
        "template",
        "jobTemplate",
        "securityContext",
        "roleRef",
        "labels",
        "annotations",
        "data",
        "status",
    }
)

_ORDERS: dict[Order, type[exp.Binary]] = {
    Order.LESS: exp.LT,
    Order.LESS_OR_EQUAL: exp.LTE,
    Order.GREATER: exp.GT,
    Order.GREATER_OR_EQUAL: exp.GTE,
}


def lower(predicate: Gathered, shared: Mapping[Gathered, str] | None = None) -> exp.Expr:
    """The predicate as a boolean SQL expression; null stands for false at the top.

    Args:
        predicate: what to say in SQL.
        shared: parts for whose answers the table has a column.
    """
    if shared and predicate in shared:
        return exp.column(shared[predicate])
    match predicate:
        case And(items):
            return _joined(exp.And, [lower(item, shared) for item in sorted(items, key=_order)], exp.true())
        case Or(items):
            return _joined(exp.Or, [lower(item, shared) for item in sorted(_gathered(items), key=cost)], exp.false())
        case Not(item):
            return exp.Not(this=exp.Coalesce(this=lower(item, shared), expressions=[exp.false()]))
        case OneOf(field, values):
            return _text(field, Operator.EQUALS, values)
        case AnyOf(field, patterns):
            return _any_text(field, patterns)
        case Text(field, operator, value, cased):
            if cased or operator is Operator.REGEX:
                return _cased_text(predicate)
            return _text(field, operator, (value,))
        case Number(field, figure):
            return _each(field, lambda item: exp.EQ(this=_as_number(field, item), expression=_number(figure)))
        case Compare(field, order, figure):
            return _each(field, lambda item: _ORDERS[order](this=_as_number(field, item), expression=_number(figure)))
        case Moment(field, order, moment):
            written = exp.cast(_literal(moment.isoformat(sep=" ")), "timestamp")
            return _ORDERS[order](this=_column(field.column.name), expression=written)
        case TimePart(field):
            return _each(field, lambda item: _part_within(_as_time(field, item), predicate))
        case Flag(field, value):
            return _flag(field, value=value)
        case InNetwork(field, network):
            return _each(field, lambda item: _in_network(_as_text(field, item), network))
        case Exists(field):
            return _exists(field)
        case Same(field, other, operator):
            return _each(field, lambda item: _same(_as_text(field, item), operator, other))
        case Keyword(value):
            found = [_stands_in(name, value.lower()) for name in SEARCHED]
            return _joined(exp.Or, found, exp.false())
        case _:
            assert_never(predicate)


def field_text(field: Field) -> exp.Expr:
    """The field as one text value, for grouping; several values are joined."""
    if field.path:
        return exp.ArrayToString(this=_json_texts(field), expression=exp.Literal.string(","))
    if field.column.is_list:
        return exp.ArrayToString(this=_column(field.column.name), expression=exp.Literal.string(","))
    return exp.cast(_column(field.column.name), "text")


def field_texts(field: Field) -> exp.Expr:
    """The field, which may have several values, as a list of texts."""
    return _json_texts(field) if field.path else _column(field.column.name)


@dataclass(frozen=True, slots=True)
class OneOf:
    """A text that is, but for upper and lower case, one of several: what an Or of such tests amounts to."""

    field: Field
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A text that fits one of many patterns, whatever the case: one regular expression is cheaper than many tests.

    Attributes:
        field: whose text.
        patterns: operator and value of each.
    """

    field: Field
    patterns: tuple[tuple[Operator, str], ...]


Gathered = Predicate | OneOf | AnyOf

_FEWEST_PATTERNS = 4
"""Tests of one field from which on one regular expression is cheaper."""


def _gathered(items: Sequence[Predicate]) -> list[Gathered]:
    """Items of an Or, with the equal-to tests of one field made into one, and its many patterns, too."""
    values: dict[Field, list[str]] = {}
    patterns: dict[Field, list[Text]] = {}
    rest: list[Gathered] = []
    for item in items:
        match item:
            case Text(field, Operator.EQUALS, value, False):
                values.setdefault(field, []).append(value)
            case Text(field, operator, _, False) if operator is not Operator.REGEX and field.column.name not in EXACT:
                patterns.setdefault(field, []).append(item)
            case _:
                rest.append(item)
    for field, several in patterns.items():
        many = len(several) >= _FEWEST_PATTERNS
        rest += [AnyOf(field, tuple((test.operator, test.value) for test in several))] if many else several
    return [*(OneOf(field, tuple(dict.fromkeys(several))) for field, several in values.items()), *rest]


def cost(predicate: Gathered) -> int:
    """About how dear a test is, so that the cheap ones come first: comparing, folding, patterns, bodies."""
    match predicate:
        case And(items) | Or(items):
            return max((cost(item) for item in items), default=0)
        case Not(item):
            return cost(item)
        case Keyword():
            return 9
        case Text(field, Operator.REGEX | Operator.LIKE, _, _) | AnyOf(field) | InNetwork(field, _):
            return 9 if field.path else 3 + field.column.is_list
        case Text(field) | OneOf(field):
            return 9 if field.path else 0 if field.column.name in EXACT else 1 + 2 * field.column.is_list
        case Same(field, other):
            return 9 if field.path or other.path else 2
        case Number(field) | Compare(field) | Flag(field) | Exists(field) | TimePart(field) | Moment(field):
            return 9 if field.path else 0
        case _:
            assert_never(predicate)


def _order(predicate: Predicate) -> tuple[bool, int]:
    """In an And: what is looked for before what is excepted (few events pass the first), cheap before dear."""
    return isinstance(predicate, Not), cost(predicate)


def _joined(kind: type[exp.Connector], items: Sequence[exp.Expr], empty: exp.Expr) -> exp.Expr:
    if not items:
        return empty
    wrapped = [exp.Paren(this=item) if isinstance(item, exp.Connector) else item for item in items]
    result = wrapped[0]
    for item in wrapped[1:]:
        result = kind(this=result, expression=item)
    return result


def _text(field: Field, operator: Operator, values: Sequence[str]) -> exp.Expr:
    """A test without regard to case; several values are alternatives, for EQUALS only."""
    lowered = [value.lower() for value in values]
    if not field.path and field.column.name in EXACT:
        return _is_one(_column(field.column.name), operator, lowered)
    if operator is Operator.CONTAINS and not field.path and field.column.type == "JSON":
        return _holds(field.column.name, lowered[0])
    return _each(field, lambda item: _is_one(exp.Lower(this=_as_text(field, item)), operator, lowered))


def _any_text(field: Field, patterns: Sequence[tuple[Operator, str]]) -> exp.Expr:
    regex = _literal("(?s)" + "|".join(regex_for(operator, value.lower()) for operator, value in patterns))
    return _each(field, lambda item: exp.RegexpLike(this=exp.Lower(this=_as_text(field, item)), expression=regex))


def _is_one(item: exp.Expr, operator: Operator, values: Sequence[str]) -> exp.Expr:
    if len(values) > 1:
        return exp.In(this=item, expressions=[_literal(value) for value in values])
    return _compare(item, operator, _literal(values[0]))


def _cased_text(test: Text) -> exp.Expr:
    field = test.field
    if field.column.is_list and not field.path and test.operator is Operator.EQUALS:
        return exp.ArrayContains(this=_column(field.column.name), expression=_literal(test.value))
    value = test.value
    if test.operator is Operator.REGEX and not test.cased:
        value = f"(?i){value}"
    return _each(field, lambda item: _compare(_as_text(field, item), test.operator, _literal(value)))


def _compare(left: exp.Expr, operator: Operator, right: exp.Expr) -> exp.Expr:
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
            return _like(left, right.name)
        case Operator.REGEX:
            return exp.RegexpLike(this=left, expression=right)
        case _:
            assert_never(operator)


def _like(left: exp.Expr, pattern: str) -> exp.Expr:
    """A pattern as the plain test that it amounts to: a regular expression is dear."""
    parts = [part for part in parts_of(pattern) if part]
    begins, ends = parts[:1] == ["*"], parts[-1:] == ["*"]
    inner = parts[begins : len(parts) - ends]
    if any(part in WILD for part in inner):
        return exp.RegexpLike(this=left, expression=_literal(rf"(?s)^{regex_of(parts)}\z"))
    operators = {
        (False, False): Operator.EQUALS,
        (False, True): Operator.STARTS_WITH,
        (True, False): Operator.ENDS_WITH,
        (True, True): Operator.CONTAINS,
    }
    return _compare(left, operators[begins, ends], _literal("".join(map(unescaped, inner))))


def _stands_in(name: str, pattern: str) -> exp.Expr:
    """A pattern of wildcards that holds somewhere in a column, without regard to case."""
    parts = parts_of(pattern)
    if any(part in WILD for part in parts):
        folded = exp.Lower(this=exp.cast(_column(name), "text"))
        return exp.RegexpLike(this=folded, expression=_literal(f"(?s){regex_of(parts)}"))
    return _holds(name, "".join(map(unescaped, parts)))


def _holds(name: str, part: str) -> exp.Expr:
    """A text, in lower case, that stands somewhere in a column. To search a body costs less than to fold it."""
    text = exp.cast(_column(name), "text")
    if BY_NAME[name].type == "JSON" and part.isascii():
        return exp.RegexpLike(this=text, expression=_literal(any_case(part)))
    return exp.Contains(this=exp.Lower(this=text), expression=_literal(part))


def _same(item: exp.Expr, operator: Operator, other: Field) -> exp.Expr:
    return _each(other, lambda second: _compare(item, operator, _as_text(other, second)), name="second")


def _flag(field: Field, *, value: bool) -> exp.Expr:
    if field.path or field.column.type != "BOOLEAN":
        return _each(field, lambda item: exp.EQ(this=_as_text(field, item), expression=_literal(str(value).lower())))
    column = _column(field.column.name)
    return column if value else exp.Not(this=column)


def _exists(field: Field) -> exp.Expr:
    if field.path:
        return exp.GT(this=exp.ArraySize(this=_json_texts(field)), expression=_number(0))
    return exp.Not(this=exp.Is(this=_column(field.column.name), expression=exp.null()))


def _in_network(item: exp.Expr, network: IPv4Network | IPv6Network) -> exp.Expr:
    digits = 8 if network.version == 4 else 32  # noqa: PLR2004 - IPv4 has 32 bits, IPv6 128
    low, high = (
        _literal(f"{network.version}:{int(address):0{digits}x}")
        for address in (network.network_address, network.broadcast_address)
    )
    return exp.Between(this=exp.func("kw_address", item), low=low, high=high)


def _part_within(time: exp.Expr, test: TimePart) -> exp.Expr:
    part = exp.Extract(this=exp.var(test.unit.upper()), expression=time)
    bounds = [
        bound(this=part.copy(), expression=_number(figure))
        for bound, figure in ((exp.GTE, test.lowest), (exp.LTE, test.highest))
        if figure is not None
    ]
    return _joined(exp.And, bounds or [exp.Not(this=exp.Is(this=time, expression=exp.null()))], exp.true())


def _each(field: Field, test: Callable[[exp.Expr], exp.Expr], *, name: str = "item") -> exp.Expr:
    """The test of a single value, or of any of several."""
    if field.path:
        several = _json_texts(field)
    elif field.column.is_list:
        several = _column(field.column.name)
    else:
        return test(_column(field.column.name))
    condition = exp.Lambda(this=test(exp.column(name)), expressions=[exp.to_identifier(name)])
    return exp.GT(this=exp.ArraySize(this=exp.ArrayFilter(this=several, expression=condition)), expression=_number(0))


def _json_texts(field: Field) -> exp.Expr:
    """Values under the path as an array of text, stepping through arrays."""
    keys = list(field.path)
    direct: list[str] = []
    while keys and (not direct or direct[-1] in _NEVER_ARRAYS):
        direct.append(keys.pop(0))
    body = _column(field.column.name)
    values: exp.Expr = exp.array(exp.func("kw_json", body, _literal(_json_path(*direct))))
    for key in keys:
        values = exp.func("kw_step", values, _literal(_json_key(key)))
    return exp.func("kw_texts", values)


def _json_path(*keys: str) -> str:
    return ".".join(("$", *map(_json_key, keys)))


def _json_key(key: str) -> str:
    return '"' + key.replace('"', "") + '"'


def _as_text(field: Field, item: exp.Expr) -> exp.Expr:
    plain = field.path or field.column.type in {"VARCHAR", "VARCHAR[]"}
    return item if plain else exp.cast(item, "text")


def _as_number(field: Field, item: exp.Expr) -> exp.Expr:
    if not field.path and field.column.type == "INTEGER":
        return item
    return exp.TryCast(this=_as_text(field, item), to=exp.DataType.build("double"))


def _as_time(field: Field, item: exp.Expr) -> exp.Expr:
    if not field.path and field.column.type == "TIMESTAMP":
        return item
    return exp.TryCast(this=_as_text(field, item), to=exp.DataType.build("timestamp"))


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=name in {"groups", "source", "name", "level"}))


def _literal(value: str) -> exp.Literal:
    return exp.Literal.string(value)


def _number(value: float) -> exp.Expr:
    return exp.Literal.number(int(value) if float(value).is_integer() else value)
