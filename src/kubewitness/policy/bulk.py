"""Evaluation in bulk: the engine decides about all events of a log, by the same predicates as for one request."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from sqlglot import exp

from kubewitness.policy.meaning import predicate_of
from kubewitness.query.lower import lower

if TYPE_CHECKING:
    from kubewitness.policy.model import Policy

_FLOORS = ("asked_paths", "asked_parts", "asked_names", "asked")

RULE = "policy_rule"
"""Column with the index of the rule that decides about an event's request; null when none matches."""


def asked_floors(below: str = "decoded") -> tuple[tuple[str, str], ...]:
    """Named queries up to `asked`: the rows of `below`, with the attributes of each event's request.

    Args:
        below: a named query with the columns that a log gives; `decoded`, or `events` for those that need facts too.
            The functions `kw_*` must be defined.
    """
    unasked = exp.select("*").from_(below).sql(dialect="duckdb")
    folder = files("kubewitness.policy").joinpath("sql")
    return ("unasked", unasked), *(
        (name, folder.joinpath(f"{name}.sql").read_text(encoding="utf-8")) for name in _FLOORS
    )


def deciding_rule(policy: Policy) -> exp.Expr:
    """The index of the first rule that matches, over the columns of `asked`; null when there is none."""
    case = exp.Case()
    for index, rule in enumerate(policy.rules):
        case = case.when(lower(predicate_of(rule)), exp.Literal.number(index))
    return case


def decided_floors(policy: Policy, below: str = "decoded") -> tuple[tuple[str, str], ...]:
    """Named queries up to `decided`: the rows of `asked` with the column `policy_rule`."""
    decided = exp.select("*", exp.alias_(deciding_rule(policy), RULE)).from_("asked")
    return *asked_floors(below), ("decided", decided.sql(dialect="duckdb"))
