"""Sigma documents become rules. Source: Sigma rules and correlation rules specification; pySigma parses them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError, SigmaRegularExpressionError
from sigma.rule import SigmaDetections

from kubewitness.detect.linking import link_rules
from kubewitness.detect.lists import Lists, builtin_lists, expand
from kubewitness.detect.memory import BEGINNING, read_first_seen, read_unfinished
from kubewitness.detect.rule import Filter, LogSource, Rule
from kubewitness.detect.sigma_correlations import read_correlation
from kubewitness.detect.sigma_detections import REGEX_HINT, predicate_of
from kubewitness.model.alert import Confidence, Severity
from kubewitness.model.errors import KubewitnessError, RuleError
from kubewitness.model.rule import RuleClass, RuleInfo, RuleKind
from kubewitness.query.predicate import And

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sigma.filters import SigmaFilter
    from sigma.rule import SigmaLogSource, SigmaRule, SigmaRuleBase

    from kubewitness.query.predicate import Predicate

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TECHNIQUE = re.compile(r"^t\d{4}(\.\d{3})?$")


@dataclass(frozen=True, slots=True)
class Documents:
    """What a file of Sigma documents holds, in order."""

    rules: tuple[Rule, ...]
    filters: tuple[Filter, ...]


def parse_rules(text: str, path: str, lists: Lists | None = None) -> list[Rule]:
    """The rules of one file, in order, narrowed by its filters.

    Args:
        text: one or more YAML documents.
        path: shown in errors; its stem names a rule that has no `name`.
        lists: what `expand` takes values from; the builtin ones when None.

    Raises:
        RuleError: the file cannot be loaded; says where and why.
    """
    found = parse_documents(text, path, lists)
    return [narrowed(rule, found.filters) for rule in found.rules]


def parse_documents(text: str, path: str, lists: Lists | None = None) -> Documents:
    """The rules and the filters of one file, not yet applied to each other.

    Args:
        text: one or more YAML documents.
        path: shown in errors; its stem names a rule that has no `name`.
        lists: what `expand` takes values from; the builtin ones when None.

    Raises:
        RuleError: the file cannot be loaded; says where and why.
    """
    try:
        documents = expand(list(yaml.load_all(text, Loader=_LOADER)), lists or builtin_lists())
        if any(each is not None and not isinstance(each, dict) for each in documents):
            raise RuleError("not a Sigma rule: no mapping with title and detection", where=path)
        collection = SigmaCollection.from_dicts(documents, collect_filters=True, resolve_references=False)
    except yaml.YAMLError as error:
        raise RuleError(f"not YAML: {' '.join(str(error).split())}", where=path) from error
    except SigmaRegularExpressionError as error:
        raise RuleError(str(error), where=path, hint=REGEX_HINT) from error
    except (SigmaError, AttributeError, TypeError) as error:
        raise RuleError(f"not a Sigma rule: {error}", where=path) from error
    rules: dict[str, Rule] = {}
    for document in collection.rules:
        rule_id = _rule_id(document, path, rules.keys())
        with _placed(f"{path} ({rule_id})"):
            rules[rule_id] = _rule(document, rule_id, path)
    filters: list[Filter] = []
    for each in collection.filters:
        filter_id = _rule_id(each, path, rules.keys() | {one.id for one in filters})
        with _placed(f"{path} ({filter_id})"):
            filters.append(_filter(each, filter_id, path))
    return Documents(link_rules(list(rules.values()), whole=False), tuple(filters))


def narrowed(rule: Rule, filters: Iterable[Filter]) -> Rule:
    """The rule, for events of which the filters that are for it hold too."""
    wanted = tuple(each.predicate for each in filters if each.is_for(rule))
    if rule.predicate is None or not wanted:
        return rule
    return replace(rule, predicate=And((rule.predicate, *wanted)))


@contextmanager
def _placed(where: str) -> Iterator[None]:
    """Say of an error where it is."""
    try:
        yield
    except (SigmaError, KubewitnessError) as error:
        hint = error.hint if isinstance(error, KubewitnessError) else None
        message = error.message if isinstance(error, KubewitnessError) else str(error)
        raise RuleError(message, where=where, hint=hint) from error


def _rule_id(document: SigmaRuleBase, path: str, taken: Collection[str]) -> str:
    if document.name:
        return str(document.name)
    stem = re.sub(r"\.ya?ml$", "", path.replace("\\", "/").rpartition("/")[2])
    return stem if stem not in taken else str(document.id or f"{stem}-{len(taken) + 1}")


def _rule(document: SigmaRule | SigmaCorrelationRule, rule_id: str, path: str) -> Rule:
    own = document.custom_attributes
    if isinstance(document, SigmaCorrelationRule):
        info = _info(document, rule_id, path, RuleKind.CORRELATION)
        return Rule(info, None, correlation=read_correlation(document))
    predicate, logsource = predicate_of(document.detection), _log_source(document.logsource)
    if "unfinished" in own:
        unfinished = read_unfinished(own["unfinished"])
        info = _info(document, rule_id, path, RuleKind.UNFINISHED)
        return Rule(info, And((predicate, BEGINNING)), unfinished=unfinished, logsource=logsource)
    first_seen = read_first_seen(own["first_seen"]) if "first_seen" in own else None
    info = _info(document, rule_id, path, RuleKind.FIRST_SEEN if first_seen else RuleKind.SINGLE)
    return Rule(info, predicate, first_seen=first_seen, logsource=logsource)


def _filter(document: SigmaFilter, filter_id: str, path: str) -> Filter:
    named = document.filter.rules
    return Filter(
        id=filter_id,
        title=document.title,
        predicate=predicate_of(document.filter),
        rules=None if isinstance(named, str) else frozenset(reference.reference for reference in named),
        logsource=_log_source(document.logsource),
        path=path,
    )


def _log_source(source: SigmaLogSource) -> LogSource:
    return LogSource(source.category, source.product, source.service)


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
        uuid=str(document.id) if document.id else None,
        confidence=_confidence(own.get("confidence", _CONFIDENCE[kind])),
    )


# What a single event says has happened; a count is a matter of degree; what is new is mostly merely new.
_CONFIDENCE = {
    RuleKind.SINGLE: Confidence.HIGH,
    RuleKind.CORRELATION: Confidence.MEDIUM,
    RuleKind.UNFINISHED: Confidence.MEDIUM,
    RuleKind.FIRST_SEEN: Confidence.LOW,
}


def _confidence(name: Any) -> Confidence:
    try:
        return Confidence(name)
    except ValueError as error:
        raise RuleError(f"confidence `{name}` is not known", hint=f"one of {', '.join(Confidence)}") from error


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


def parse_match(definition: Any, lists: Lists | None = None) -> Predicate:
    """The predicate of a detection that stands alone: a mapping of `field|modifier` to values, or a list of those.

    Raises:
        RuleError: it is none; says why.
    """
    try:
        named = {"match": expand(definition, lists or builtin_lists()), "condition": "match"}
        return predicate_of(SigmaDetections.from_dict(named))
    except SigmaRegularExpressionError as error:
        raise RuleError(str(error), hint=REGEX_HINT) from error
    except (SigmaError, AttributeError, TypeError) as error:
        raise RuleError(str(error)) from error
