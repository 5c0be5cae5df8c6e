"""Lists and long texts in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_LISTED = 3
_LONGEST_VALUE = 160


def listed(values: Sequence[str], noun: str = "more", nouns: str = "more", *, most: int = _MOST_LISTED) -> str:
    """List values in words: "a, b and c"; beyond `most` of them "a, b, c and 4 more"."""
    shown = [shorten(value) for value in values[:most]]
    more = len(values) - len(shown)
    if more:
        shown.append(f"{more:,} more" if noun == "more" else f"{more:,} more {noun if more == 1 else nouns}")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def counted(number: int, noun: str, nouns: str | None = None) -> str:
    """A number and what it is of: "1 request", "12 requests"."""
    return f"{number:,} {noun if number == 1 else nouns or f'{noun}s'}"


def shorten(text: str, longest: int = _LONGEST_VALUE) -> str:
    """Cut a text for a sentence; the cut is marked."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
