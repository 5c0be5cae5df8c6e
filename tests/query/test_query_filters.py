"""Filters: a table of what they find, and of how they are refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.query.filters import FilterError, parse_filter
from kubewitness.query.lower import lower

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., list[dict[str, Any]]]

TABLE = yaml.safe_load(Path(__file__).with_name("filters.yaml").read_text("utf-8"))


def test_filters_find_what_the_table_says(ask: Ask) -> None:
    names = list(TABLE["events"])
    columns = ", ".join(
        f"coalesce({lower(parse_filter(case['filter'])).sql('duckdb')}, FALSE) AS c{number}"
        for number, case in enumerate(TABLE["filters"])
    )
    rows = ask(f"SELECT {columns} FROM events", list(TABLE["events"].values()))  # noqa: S608 - what is under test
    found = [
        [name for name, row in zip(names, rows, strict=True) if row[f"c{n}"]] for n in range(len(TABLE["filters"]))
    ]
    wrong = [
        (case["filter"], names_found)
        for case, names_found in zip(TABLE["filters"], found, strict=True)
        if case["finds"] != names_found
    ]
    assert wrong == []


@pytest.mark.parametrize("case", TABLE["refused"], ids=lambda case: case["filter"])
def test_a_filter_that_cannot_be_understood_says_where_and_why(case: dict[str, Any]) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(case["filter"])
    assert case["says"] in str(caught.value)
    if "at" in case:
        assert caught.value.where == f"filter, character {case['at']}"


@given(st.text())
def test_whatever_is_typed_is_a_predicate_or_an_error_for_people(text: str) -> None:
    with suppress(FilterError):
        lower(parse_filter(text))


@given(st.text(min_size=1).filter(lambda text: '"' not in text and "\\" not in text))
def test_a_phrase_in_quotes_is_looked_for_as_it_stands(text: str) -> None:
    assert parse_filter(f'"{text}"') == parse_filter(f'"{text}" "{text}"').items[0]  # type: ignore[union-attr]
