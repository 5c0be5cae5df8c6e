"""Patterns of texts, with wildcards or without regard to case, as regular expressions of both engines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubewitness.query.predicate import Operator

if TYPE_CHECKING:
    from collections.abc import Sequence

WILD = {"*": ".*", "?": "."}
"""Wildcards, and what they are in an expression."""

# Letters beyond ASCII that are these in lower case: the dotted I of Turkish and the sign of the kelvin.
_FOLDED = {"i": "\u0130", "k": "\u212a"}


def any_case(text: str) -> str:
    """An expression for ASCII text in any mixture of cases, as lower case would have it the same."""
    return "".join(
        f"[{letter}{letter.upper()}{_FOLDED.get(letter, '')}]" if letter.isalpha() else _quote(letter)
        for letter in text.lower()
    )


def regex_for(operator: Operator, value: str) -> str:
    """An expression for a test of text without wildcards, or with them (LIKE).

    Args:
        operator: not REGEX.
        value: what is tested for.
    """
    match operator:
        case Operator.CONTAINS:
            return _quote(value)
        case Operator.STARTS_WITH:
            return "^" + _quote(value)
        case Operator.ENDS_WITH:
            return _quote(value) + r"\z"
        case _:
            return rf"^{regex_of(parts_of(value))}\z"


def parts_of(pattern: str) -> list[str]:
    """Wildcards, escaped characters, and the text between them."""
    return re.split(r"(\\.|[*?])", pattern, flags=re.DOTALL)


def regex_of(parts: Sequence[str]) -> str:
    """An expression for what `parts_of` found."""
    return "".join(WILD.get(part) or _quote(unescaped(part)) for part in parts)


def unescaped(part: str) -> str:
    """The text that a part without wildcards means."""
    return part[1:] if len(part) > 1 and part[0] == "\\" else part


def _quote(text: str) -> str:
    return re.sub(r"([\\.^$|?*+()\[\]{}])", r"\\\1", text)
