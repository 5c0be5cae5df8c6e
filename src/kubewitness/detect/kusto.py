"""Rules for other tools: what `sigma convert` needs to make KQL of them, and which rules it can make KQL of.

The tool is pySigma's Kusto backend; over the table AKSAudit it gets a prelude (kusto.kql) that computes columns of the
events table, and a processing pipeline that names them and holds the lists.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from kubewitness.detect.lists import NOTHING
from kubewitness.model.event import BY_API, BY_NAME
from kubewitness.model.rule import RuleKind
from kubewitness.query.predicate import And, Keyword, Not, Operator, Or, Same, Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.detect.lists import Lists
    from kubewitness.detect.rule import Rule
    from kubewitness.query.predicate import Predicate

_ASSIGNED = re.compile(r"(?:^    |, )([a-z_]+) = (?!=)", re.MULTILINE)
# Where a rule asks whether a body is there at all.
_BODIES = {"requestObject": "RequestObject", "responseObject": "ResponseObject"}


@lru_cache(maxsize=1)
def prelude() -> str:
    """KQL that makes columns of the events table out of AKSAudit, without comments."""
    text = files("kubewitness.detect").joinpath("kusto.kql").read_text(encoding="utf-8")
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("//"))


@lru_cache(maxsize=1)
def columns() -> frozenset[str]:
    """Columns of the events table that the prelude makes."""
    return frozenset(_ASSIGNED.findall(prelude())) & BY_NAME.keys()


def pipeline(lists: Lists, named: Iterable[str] = ()) -> dict[str, Any]:
    """A processing pipeline of pySigma for the Kusto backend.

    Args:
        lists: what the rules' lists hold.
        named: names of lists that rules name, whether there is such a list or not.
    """
    names = {api: column.name for api, column in BY_API.items() if column.name in columns()} | _BODIES
    return {
        "name": "kubewitness rules over the table AKSAudit",
        "priority": 10,
        "allowed_backends": ["kusto"],
        "vars": {name: list(lists.values(name)) or [NOTHING] for name in sorted({*lists.by_name, *named})},
        "transformations": [
            {"id": "lists", "type": "value_placeholders"},
            {"id": "columns", "type": "field_name_mapping", "mapping": names},
            {
                "id": "unknown",
                "type": "detection_item_failure",
                "message": "the table has no column for this field",
                "field_name_conditions": [
                    {"type": "exclude_fields", "fields": sorted({*columns(), *names, *_BODIES.values()})}
                ],
            },
        ],
        "postprocessing": [
            # The backend compares truth values as if they were text, and asks text whether it is null: it never is.
            {"type": "replace", "pattern": r"=~ (true|false)\b", "replacement": r"== \1"},
            {"type": "replace", "pattern": r"\bcode in~ ", "replacement": "tostring(code) in "},
            {"type": "replace", "pattern": r"\bisnull\((\w+)\)", "replacement": r"isempty(tostring(\1))"},
            {"type": "template", "template": prelude() + "| where {{ query }}\n"},
        ],
    }


def gap(rule: Rule) -> str | None:
    """Why no KQL can be made of a rule; None when it can."""
    match rule.info.kind:
        case RuleKind.CORRELATION:
            return "counts or orders matches over time"
        case RuleKind.FIRST_SEEN:
            return "remembers what it has seen"
        case RuleKind.UNFINISHED:
            return "waits for the end of requests"
        case RuleKind.SINGLE:
            pass
    if rule.predicate is None:
        return "has no condition"
    lost = sorted(set(_lost(rule.predicate)))
    return f"needs {', '.join(lost)}" if lost else None


def _lost(predicate: Predicate) -> list[str]:
    match predicate:
        case And(items) | Or(items):
            return [name for item in items for name in _lost(item)]
        case Not(item):
            return _lost(item)
        case Keyword():
            return ["keywords"]
        case Same(field, other):
            return [f"a comparison of `{field.name}` with `{other.name}`"]
        case Text(field, operator, _, True) if operator is not Operator.REGEX:
            return [f"`{field.name}` with its case"]
        case _:
            named = predicate.field
            known = named.column.name in columns() and not named.path
            return [] if known or named.name in _BODIES else [f"`{named.name}`"]
