"""Expressions for any mixture of cases: they find what folding to lower case finds."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING

import pytest

from kubewitness.query.patterns import any_case

if TYPE_CHECKING:
    from kubewitness.query.engine import Engine

_ODD = """
-- Characters for which searching and folding do not say the same.
SELECT code FROM (
    SELECT code, chr(code::INTEGER) AS letter FROM range(1, 65536) AS codes(code) WHERE code NOT BETWEEN 55296 AND 57343
)
WHERE regexp_matches(letter, $pattern) <> contains(lower(letter), $letter)
"""


@pytest.mark.parametrize("letter", ascii_lowercase)
def test_what_is_a_letter_in_lower_case_is_found_and_nothing_else(engine: Engine, letter: str) -> None:
    assert engine.run(_ODD, {"pattern": any_case(letter), "letter": letter}) == []


def test_what_is_no_letter_stands_for_itself(engine: Engine) -> None:
    text = r'a.b*[c] (d)\{e}|f?+^$"-_1'
    ((found, other),) = engine.run(
        "SELECT regexp_matches($text, $pattern), regexp_matches($other, $pattern)",
        {"text": text.upper(), "other": text.replace(".", "x"), "pattern": f"^{any_case(text)}$"},
    )
    assert (found, other) == (True, False)
