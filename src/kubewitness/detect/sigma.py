"""Sigma documents become rules. Source: Sigma rules and correlation rules specification; pySigma parses them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import re2
import yaml
from sigma.collection import SigmaCollection
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError, SigmaRegularExpressionError
from sigma.rule import SigmaDetections
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

from kubewitness.detect.lists import NOTHING, Lists, builtin_lists, expand
from kubewitness.detect.memory import read_first_seen
from kubewitness.detect.rule import Rule
from kubewitness.detect.sigma_correlations import read_correlation
from kubewitness.model.alert import Severity
from kubewitness.model.errors import KubewitnessError, RuleError
from kubewitness.model.rule import RuleClass, RuleInfo, RuleKind
from kubewitness.query.fields import Field, find_field
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
    from collections.abc import Iterator

    from sigma.rule import SigmaRule

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_REGEX_HINT = "the engine uses RE2: look-around and back-references are not there"
# The decoder leaves these absent where a log has empty text.
_NEVER_EMPTY = frozenset({"subresource", "namespace", "name"})
_TECHNIQUE = re.compile(r"^t\d{4}(\.\d{3})?$")
_ORDERS = {"LT": Order.LESS, "LTE": Order.LESS_OR_EQUAL, "GT": Order.GREATER, "GTE": Order.GREATER_OR_EQUAL}


def parse_rules(text: str, path: str, lists: Lists | None = None) -> list[Rule]:
    """The rules of one file, in order.

    Args:
        text: one or more YAML documents.
        path: shown in errors; its stem names a rule that has no `name`.
        lists: what `expand` takes values from; the builtin ones when None.

    Raises:
        RuleError: the file cannot be loaded; says where and why.
    """
    try:
        documents = expand(list(yaml.load_all(text, Loader=_LOADER)), lists or builtin_lists())
        collection = SigmaCollection.from_dicts(documents)
    except yaml.YAMLError as error:
        raise RuleError(f"not YAML: {' '.join(str(error).split())}", where=path) from error
    except SigmaRegularExpressionError as error:
        raise RuleError(str(error), where=path, hint=_REGEX_HINT) from error
    except (SigmaError, AttributeError, TypeError) as error:
        raise RuleError(f"not a Sigma rule: {error}", where=path) from error
    rules: list[Rule] = []
    bases: set[str] = set()
    names: dict[str, str] = {}
    for document in collection.rules:
        rule_id = _rule_id(document, path, taken={rule.info.id for rule in rules})
        names |= {key: rule_id for key in (document.name, str(document.id or "")) if key}
        where = f"{path} ({rule_id})"
        try:
            rule = _rule(document, rule_id, path, names)
        except (SigmaError, KubewitnessError) as error:
            hint = error.hint if isinstance(error, KubewitnessError) else None
            message = error.message if isinstance(error, KubewitnessError) else str(error)
            raise RuleError(message, where=where, hint=hint) from error
        if rule.correlation and not cast("SigmaCorrelationRule", document).generate:
            bases |= set(rule.correlation.rules)
        rules.append(rule)
    return [_as_base(rule) if rule.info.id in bases else rule for rule in rules]


def _as_base(rule: Rule) -> Rule:
    return Rule(rule.info, rule.predicate, rule.correlation, rule.first_seen, alerts=False)


def _rule_id(document: SigmaRule | SigmaCorrelationRule, path: str, taken: set[str]) -> str:
    if document.name:
        return str(document.name)
    stem = re.sub(r"\.ya?ml$", "", path.replace("\\", "/").rpartition("/")[2])
    return stem if stem not in taken else str(document.id or f"{stem}-{len(taken) + 1}")


def _rule(document: SigmaRule | SigmaCorrelationRule, rule_id: str, path: str, names: dict[str, str]) -> Rule:
    own = document.custom_attributes
    if isinstance(document, SigmaCorrelationRule):
        correlation = read_correlation(document, names)
        return Rule(_info(document, rule_id, path, RuleKind.CORRELATION), None, correlation=correlation)
    predicate = Or(tuple(_predicate(condition.parsed) for condition in document.detection.parsed_condition))
    first_seen = read_first_seen(own["first_seen"]) if "first_seen" in own else None
    kind = RuleKind.FIRST_SEEN if first_seen else RuleKind.SINGLE
    only = predicate.items[0] if len(predicate.items) == 1 else predicate
    return Rule(_info(document, rule_id, path, kind), only, first_seen=first_seen)


def _info(document: SigmaRule | SigmaCorrelationRule, rule_id: str, path: str, kind: RuleKind) -> RuleInfo:
    own = document.custom_attributes
    tags = [tag.name.lower() for tag in document.tags if tag.namespace == "attack"]
    return RuleInfo(
        id=rule_id,
        title=document.title,
        description=" ".join((document.description or "").split()),
        severity=Severity(document.level.name.lower()) if document.level else Severity.MEDIUM,
        kind=kind,
        rule_class=_rule_class(own.get("class", RuleClass.CORE)),
        catalogue=tuple(map(str, _as_list(own.get("catalogue")))),
        techniques=tuple(tag.upper() for tag in tags if _TECHNIQUE.match(tag)),
        false_positives=tuple(map(str, document.falsepositives or ())),
        explain=str(own["explain"]) if own.get("explain") else None,
        next_steps=" ".join(str(own.get("next", "")).split()),
        references=tuple(map(str, document.references or ())),
        path=path,
        exempt=_exempt(own.get("exempt")),
    )


def _rule_class(name: Any) -> RuleClass:
    try:
        return RuleClass(name)
    except ValueError as error:
        raise RuleError(f"class `{name}` is not known", hint=f"one of {', '.join(RuleClass)}") from error


def _exempt(spec: Any) -> dict[str, str]:
    if spec is None:
        return {}
    if not isinstance(spec, dict) or not all(isinstance(reason, str) and reason.strip() for reason in spec.values()):
        raise RuleError(
            "`exempt` is a mapping from the name of a mutation to the reason why it need not match",
            hint='exempt: {patch: "the object cannot be changed once it is there"}',
        )
    return {str(name): " ".join(reason.split()) for name, reason in spec.items()}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


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


def parse_match(definition: Any, lists: Lists | None = None) -> Predicate:
    """The predicate of a detection that stands alone: a mapping of `field|modifier` to values, or a list of those.

    Raises:
        RuleError: it is none; says why.
    """
    try:
        named = {"match": expand(definition, lists or builtin_lists()), "condition": "match"}
        (condition,) = SigmaDetections.from_dict(named).parsed_condition
        return _predicate(condition.parsed)
    except SigmaRegularExpressionError as error:
        raise RuleError(str(error), hint=_REGEX_HINT) from error
    except (SigmaError, AttributeError, TypeError) as error:
        raise RuleError(str(error)) from error


def _test(field: Field, value: Any) -> Predicate:
    match value:
        case SigmaExists():
            return Exists(field) if value.exists else Not(Exists(field))
        case SigmaNull():
            return Not(Exists(field))
        case SigmaBool():
            return Flag(field, value.boolean)
        case SigmaNumber() if not isinstance(value, SigmaTimestampPart):
            return _number(field, float(value.number))
        case SigmaCompareExpression() if not isinstance(value.number, SigmaTimestampPart):
            return Compare(field, _ORDERS[value.op.name], float(value.number.number))
        case SigmaCIDRExpression():
            return InNetwork(field, value.network)
        case SigmaRegularExpression():
            return Text(field, Operator.REGEX, _regex(value), cased=True)
        case SigmaFieldReference():
            operator = Operator.EQUALS
            if value.starts_with:
                operator = Operator.STARTS_WITH
            elif value.ends_with:
                operator = Operator.ENDS_WITH
            return Same(field, find_field(value.field), operator)
        case SigmaExpansion():
            return Or(tuple(_test(field, item) for item in value.values))
        case SigmaString():
            return Or(()) if list(value.s) == [NOTHING] else _text(field, value)
        case _:
            raise RuleError(f"`{field.name}`: values of type {type(value).__name__} are not supported")


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
            return Or(())
        case SigmaString():
            parts = list(value.s)
            many = SpecialChars.WILDCARD_MULTI
            while parts and parts[0] is many:
                del parts[0]
            while parts and parts[-1] is many:
                del parts[-1]
            return Keyword("".join(_pattern(parts)))
        case SigmaNumber():
            return Keyword(str(value))
        case _:
            raise RuleError(
                f"a keyword of type {type(value).__name__} is not supported", hint="name the field to compare"
            )


def _regex(value: SigmaRegularExpression) -> str:
    flags = "".join(sorted(SigmaRegularExpression.sigma_to_re_flag[flag] for flag in value.flags))
    pattern = f"(?{flags}){value.regexp.original}" if flags else str(value.regexp.original)
    try:
        re2.compile(pattern)
    except re2.error as error:
        raise RuleError(
            f"regular expression `{pattern}` cannot run in the engine: {error}",
            hint=_REGEX_HINT,
        ) from error
    return pattern
