"""Truth tables: each file of `tables/` lists sparse events and the facts that they must give."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from kubewitness.model.event import FACTS, Action, ActorKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Derive = Callable[[Sequence[Mapping[str, Any]]], list[dict[str, Any]]]

TABLES = Path(__file__).parent / "tables"
NAMES = sorted(file.stem for file in TABLES.glob("*.yaml"))

# The two facts that are never null: what an event does not say, it does not claim.
CLAIMS = {"impersonated": False}


@cache
def cases_of(name: str) -> tuple[dict[str, Any], ...]:
    """Rows of a table: `case` (a name), `event`, `facts` (those not named are not looked at)."""
    table = yaml.safe_load((TABLES / f"{name}.yaml").read_text(encoding="utf-8"))
    common = table["common"]
    return tuple({**row, "event": {**common, **row.get("event", {})}} for row in table["rows"])


ROWS = [
    pytest.param(name, number, id=f"{name}: {row['case']}")
    for name in NAMES
    for number, row in enumerate(cases_of(name))
]


@pytest.fixture(scope="module")
def derived(derive: Derive) -> dict[str, list[dict[str, Any]]]:
    return {name: derive([row["event"] for row in cases_of(name)]) for name in NAMES}


@pytest.mark.parametrize(("name", "number"), ROWS)
def test_the_event_gives_these_facts(name: str, number: int, derived: dict[str, list[dict[str, Any]]]) -> None:
    expected = cases_of(name)[number]["facts"]
    facts = derived[name][number]
    assert {fact: facts[fact] for fact in expected} == expected


def test_an_empty_event_gives_no_facts(derive: Derive) -> None:
    (facts,) = derive([{}])
    assert {name: value for name, value in facts.items() if value is not None} == CLAIMS


def test_a_null_in_every_place_gives_no_facts(derive: Derive) -> None:
    tops = (
        "auditID",
        "verb",
        "requestURI",
        "user",
        "impersonatedUser",
        "sourceIPs",
        "userAgent",
        "objectRef",
    )
    more = ("responseStatus", "requestObject", "responseObject", "annotations", "requestReceivedTimestamp")
    (facts,) = derive([dict.fromkeys((*tops, *more))])
    assert {name: value for name, value in facts.items() if value is not None} == CLAIMS


def test_the_tables_look_at_every_fact() -> None:
    looked_at = {fact for name in NAMES for row in cases_of(name) for fact in row["facts"]}
    assert looked_at == {fact.name for fact in FACTS}


@pytest.mark.parametrize(("fact", "values"), [("action", Action), ("actor_kind", ActorKind)])
def test_the_tables_show_every_value_of_a_closed_set(fact: str, values: type[Action | ActorKind]) -> None:
    shown = {row["facts"].get(fact) for name in NAMES for row in cases_of(name)}
    assert shown - {None} == {value.value for value in values}
