"""What follows from a test of text: both sides are compared the way the engine does, as they are or in lower case.

Which letters have another case is plain for ASCII only, so nothing is shown of others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import re2

from kubewitness.query.predicate import Operator

if TYPE_CHECKING:
    from kubewitness.query.predicate import Text


def text_follows(known: Text, wanted: Text) -> bool:
    """Whether a test of a field's text holds because another one does."""
    if not (known.value + wanted.value).isascii():
        return False
    is_known = known.operator is Operator.EQUALS and known.cased
    if wanted.operator is Operator.REGEX:
        return is_known and _matches(wanted, known.value)
    if known.operator is Operator.REGEX or (wanted.cased and not known.cased):
        return False
    value = known.value if wanted.cased else known.value.lower()
    sought = wanted.value if wanted.cased else wanted.value.lower()
    match known.operator, wanted.operator:
        case Operator.EQUALS, _:
            return _holds(wanted.operator, value, sought)
        case (Operator.STARTS_WITH, Operator.STARTS_WITH):
            return value.startswith(sought)
        case (Operator.ENDS_WITH, Operator.ENDS_WITH):
            return value.endswith(sought)
        case (Operator.STARTS_WITH | Operator.ENDS_WITH | Operator.CONTAINS, Operator.CONTAINS):
            return sought in value
        case _:
            return False


def texts_are_apart(one: Text, other: Text) -> bool:
    """Whether no text is such that both tests hold, as far as this order of the two shows it."""
    if not (one.value + other.value).isascii():
        return False
    if other.operator is Operator.REGEX:
        return one.operator is Operator.EQUALS and one.cased and not _matches(other, one.value)
    is_cased = one.cased and other.cased
    value = one.value if is_cased else one.value.lower()
    sought = other.value if is_cased else other.value.lower()
    match one.operator, other.operator:
        case Operator.EQUALS, _:
            return not _holds(other.operator, value, sought)
        case (Operator.STARTS_WITH, Operator.STARTS_WITH):
            return not (value.startswith(sought) or sought.startswith(value))
        case (Operator.ENDS_WITH, Operator.ENDS_WITH):
            return not (value.endswith(sought) or sought.endswith(value))
        case _:
            return False


def _holds(operator: Operator, value: str, sought: str) -> bool:
    match operator:
        case Operator.EQUALS:
            return value == sought
        case Operator.CONTAINS:
            return sought in value
        case Operator.STARTS_WITH:
            return value.startswith(sought)
        case Operator.ENDS_WITH:
            return value.endswith(sought)
        case _:
            return re.fullmatch(_expression(sought), value, re.DOTALL) is not None


def _expression(pattern: str) -> str:
    """A pattern of `*` and `?` as an expression of Python."""
    wild = {"*": ".*", "?": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "".join(wild.get(part) or re.escape(part[-1]) for part in parts)


def _matches(test: Text, value: str) -> bool:
    pattern = test.value if test.cased else f"(?i){test.value}"
    return bool(re2.search(pattern, value))
