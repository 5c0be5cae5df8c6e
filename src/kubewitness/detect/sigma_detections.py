"""Selections and conditions of Sigma rules become predicates. Source: Sigma rules specification, modifiers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, assert_never

import re2
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.modifiers import SigmaEndswithModifier, SigmaRegularExpressionModifier, SigmaStartswithModifier
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
)

from kubewitness.detect.lists import NOTHING
from kubewitness.model.errors import RuleError
from kubewitness.query.fields import Field, find_field
from kubewitness.query.predicate import (
    NEVER,
    SEARCHED,
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
    TimePart,
    TimeUnit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

REGEX_HINT = "the engine uses RE2: look-around and back-references are not there"

# The decoder leaves these absent where a log has empty text.
_NEVER_EMPTY = frozenset({"subresource", "namespace", "name"})
_ORDERS = {"LT": Order.LESS, "LTE": Order.LESS_OR_EQUAL, "GT": Order.GREATER, "GTE": Order.GREATER_OR_EQUAL}
# What pySigma says of a reference to another field: whether wildcards stand behind it, and before it.
_REFERENCES = {
    (False, False): Operator.EQUALS,
    (True, False): Operator.STARTS_WITH,
    (False, True): Operator.ENDS_WITH,
    (True, True): Operator.CONTAINS,
}


def predicate_of(detections: SigmaDetections) -> Predicate:
    """What an event must be like for one of the conditions to hold.

    Raises:
        SigmaError: a condition is none.
        KubewitnessError: a field or a value cannot be meant here.
    """
    for detection in detections.detections.values():
        _anchor(detection)
    several = tuple(_predicate(condition.parsed) for condition in detections.parsed_condition)
    return several[0] if len(several) == 1 else Or(several)


def _anchor(detection: SigmaDetection | SigmaDetectionItem) -> None:
    """Bind expressions to an end of the text where `startswith` or `endswith` says so.

    Expressions are looked for anywhere; pySigma takes them to cover all of the text.
    """
    if isinstance(detection, SigmaDetection):
        for item in detection.detection_items:
            _anchor(item)
    elif SigmaRegularExpressionModifier in detection.modifiers:
        front = r"\A" if SigmaStartswithModifier in detection.modifiers else ""
        end = "$" if SigmaEndswithModifier in detection.modifiers else ""
        for value, written in zip(detection.value, detection.original_value or (), strict=True):
            if isinstance(value, SigmaRegularExpression) and isinstance(written, SigmaString) and (front or end):
                value.regexp = SigmaString(f"{front}(?:{written.original}){end}", escape=False)


def _predicate(condition: Any) -> Predicate:
    match condition:
        case ConditionAND():
            return And(tuple(map(_predicate, condition.args)))
        case ConditionOR():
            return Or(tuple(map(_predicate, condition.args)))
        case ConditionNOT():
            return Not(_predicate(condition.args[0]))
        case ConditionFieldEqualsValueExpression():
            return _test(find_field(condition.field), condition.value)
        case ConditionValueExpression():
            return _keyword(condition.value)
        case None:
            raise RuleError("the condition names nothing")
        case _:
            raise RuleError(f"the condition has a part that is not understood: {type(condition).__name__}")


def _test(field: Field, value: Any) -> Predicate:
    match value:
        case SigmaExists():
            return Exists(field) if value.exists else Not(Exists(field))
        case SigmaNull():
            return Not(Exists(field))
        case SigmaBool():
            return Flag(field, value.boolean)
        case SigmaTimestampPart():
            return _time_part(field, value, Order.GREATER_OR_EQUAL, Order.LESS_OR_EQUAL)
        case SigmaNumber():
            return _number(field, float(value.number))
        case SigmaCompareExpression(number=SigmaTimestampPart() as part, op=operator):
            return _time_part(field, part, _ORDERS[operator.name])
        case SigmaCompareExpression():
            return Compare(field, _ORDERS[value.op.name], float(value.number.number))
        case SigmaCIDRExpression():
            return InNetwork(field, value.network)
        case SigmaRegularExpression():
            return Text(field, Operator.REGEX, _regex(value), cased=True)
        case SigmaFieldReference():
            return Same(field, find_field(value.field), _REFERENCES[value.starts_with, value.ends_with])
        case SigmaExpansion():
            return Or(tuple(_test(field, item) for item in value.values))
        case SigmaString():
            return NEVER if list(value.s) == [NOTHING] else _text(field, value)
        case _:
            raise RuleError(f"`{field.name}`: values of type {type(value).__name__} are not supported")


def _time_part(field: Field, part: SigmaTimestampPart, *orders: Order) -> Predicate:
    """A part of a time that stands in these orders to a figure."""
    if not field.path and field.column.type not in {"TIMESTAMP", "VARCHAR"}:
        raise RuleError(
            f"`{field.name}` is no time", hint="times are requestReceivedTimestamp, stageTimestamp, happened_at"
        )
    unit, figure = TimeUnit(part.timestamp_part.name.lower()), int(part.number)
    lowest = highest = None
    for order in orders:
        match order:
            case Order.GREATER:
                lowest = figure + 1
            case Order.GREATER_OR_EQUAL:
                lowest = figure
            case Order.LESS:
                highest = figure - 1
            case Order.LESS_OR_EQUAL:
                highest = figure
            case _:
                assert_never(order)
    return TimePart(field, unit, lowest, highest)


def _number(field: Field, value: float) -> Predicate:
    if field.path or field.column.type == "INTEGER":
        return Number(field, value)
    return Text(field, Operator.EQUALS, str(int(value)) if value.is_integer() else str(value), cased=True)


def _text(field: Field, value: SigmaString) -> Predicate:
    cased = isinstance(value, SigmaCasedString)
    parts = list(value.s)
    wild = [index for index, part in enumerate(parts) if not isinstance(part, str)]
    plain = "".join(part for part in parts if isinstance(part, str))
    many = SpecialChars.WILDCARD_MULTI
    if any(not isinstance(parts[index], SpecialChars) for index in wild):
        raise RuleError(f"`{field.name}`: placeholders have no value here")
    if not wild:
        return _plain_text(field, plain, cased=cased)
    if parts == [many]:
        return Exists(field)
    shape = [index for index in wild if parts[index] is many]
    if shape == wild:
        last = len(parts) - 1
        if wild == [last]:
            return Text(field, Operator.STARTS_WITH, plain, cased)
        if wild == [0]:
            return Text(field, Operator.ENDS_WITH, plain, cased)
        if wild == [0, last]:
            return Text(field, Operator.CONTAINS, plain, cased)
    return Text(field, Operator.LIKE, "".join(_pattern(parts)), cased)


def _plain_text(field: Field, text: str, *, cased: bool) -> Predicate:
    if not field.path and field.column.type == "BOOLEAN" and text.lower() in {"true", "false"}:
        return Flag(field, text.lower() == "true")
    if not field.path and field.column.type == "INTEGER" and text.isdigit():
        return Number(field, int(text))
    if not field.path and text == "" and not field.column.is_list:
        if field.column.name in _NEVER_EMPTY:
            return Not(Exists(field))
        return Or((Not(Exists(field)), Text(field, Operator.EQUALS, text)))
    return Text(field, Operator.EQUALS, text, cased)


def _pattern(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            yield re.sub(r"([\\*?])", r"\\\1", part)
        else:
            yield "*" if part is SpecialChars.WILDCARD_MULTI else "?"


def _keyword(value: Any) -> Predicate:
    match value:
        case SigmaExpansion():
            return Or(tuple(map(_keyword, value.values)))
        case SigmaString() if list(value.s) == [NOTHING]:
            return NEVER
        case SigmaString():
            parts = list(value.s)
            many = SpecialChars.WILDCARD_MULTI
            if isinstance(value, SigmaCasedString):
                anywhere = f"*{''.join(_pattern(parts))}*"
                return Or(tuple(Text(find_field(name), Operator.LIKE, anywhere, cased=True) for name in SEARCHED))
            while parts and parts[0] is many:
                del parts[0]
            while parts and parts[-1] is many:
                del parts[-1]
            return Keyword("".join(_pattern(parts)))
        case SigmaNumber():
            return Keyword(str(value))
        case SigmaRegularExpression():
            pattern = _regex(value)
            return Or(tuple(Text(find_field(name), Operator.REGEX, pattern, cased=True) for name in SEARCHED))
        case _:
            raise RuleError(
                f"a keyword of type {type(value).__name__} is not supported", hint="name the field to compare"
            )


def _regex(value: SigmaRegularExpression) -> str:
    flags = "".join(sorted(SigmaRegularExpression.sigma_to_re_flag[flag] for flag in value.flags))
    pattern = f"(?{flags}){value.regexp}" if flags else str(value.regexp)
    try:
        re2.compile(pattern)
    except re2.error as error:
        raise RuleError(
            f"regular expression `{pattern}` cannot run in the engine: {error}",
            hint=REGEX_HINT,
        ) from error
    return pattern
