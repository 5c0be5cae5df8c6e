"""What a month of log costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kubewitness.model.errors import UsageError
from kubewitness.policy.prices import Destination, load_prices, monthly

if TYPE_CHECKING:
    from pathlib import Path

GB = 1e9


@pytest.mark.parametrize(
    ("destination", "gigabytes", "events", "cost"),
    [
        (Destination("a", "a", per_gb=2), 10, 0, 20),
        (Destination("a", "a", per_gb=2, free_gb=5), 10, 0, 10),
        (Destination("a", "a", per_gb=2, free_gb=5), 4, 0, 0),
        (Destination("a", "a", per_gb=2, billed_share=0.5), 10, 0, 10),
        (Destination("a", "a", per_gb_month=0.02), 100, 0, 2),
        (Destination("a", "a", per_month=22, per_million_events=0.03), 1, 2e6, 22.06),
    ],
)
def test_a_month_costs_what_the_list_says(
    destination: Destination, gigabytes: float, events: float, cost: float
) -> None:
    assert destination.monthly(gigabytes * GB, events) == pytest.approx(cost)


def test_a_day_is_a_thirtieth_of_a_month_or_so() -> None:
    assert monthly(1, 86_400) == pytest.approx(30.44, abs=0.01)
    assert monthly(1, 0) == 0


def test_the_prices_that_come_with_the_program_say_where_they_are_from() -> None:
    prices = load_prices()
    assert prices.date
    assert all(item.source and item.kept for item in prices.destinations)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("destinations: [", "not YAML"),
        ("prices: {}", "has `destinations`"),
        ("destinations: {mine: 3}", "destinations.mine"),
        ("destinations: {mine: {per_gb: much}}", "`per_gb` is a number from 0"),
        ("destinations: {mine: {per_gb: -1}}", "`per_gb` is a number from 0"),
        ("destinations: {mine: {per_gigabyte: 1}}", "unknown key `per_gigabyte`"),
    ],
)
def test_prices_of_ones_own_are_checked(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(UsageError) as caught:
        load_prices(file)
    assert says in str(caught.value)


def test_prices_of_ones_own_take_the_place_of_the_others(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("date: 2026-01-01\ncurrency: EUR\ndestinations: {mine: {per_gb: 1.5}}\n", "utf-8")
    prices = load_prices(file)
    assert (prices.date, prices.currency, [item.title for item in prices.destinations]) == (
        "2026-01-01",
        "EUR",
        ["mine"],
    )
