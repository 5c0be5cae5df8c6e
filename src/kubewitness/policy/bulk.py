"""Evaluation in bulk: the engine decides about all events of a log, by the same predicates as for one request."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from sqlglot import exp

from kubewitness.model.recording import Stage
from kubewitness.policy.evaluate import decision_of
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
    rules = enumerate(policy.rules)
    return exp.Case(
        ifs=[exp.If(this=lower(predicate_of(rule)), true=exp.Literal.number(index)) for index, rule in rules]
    )


def decided_floors(policy: Policy, below: str = "decoded") -> tuple[tuple[str, str], ...]:
    """Named queries up to `decided`: the rows of `asked` with the column `policy_rule`."""
    decided = exp.select("*", exp.alias_(deciding_rule(policy), RULE)).from_("asked")
    return *asked_floors(below), ("decided", decided.sql(dialect="duckdb"))


def acted_floors(policy: Policy, below: str = "decoded") -> tuple[tuple[str, str], ...]:
    """Named queries up to `acted`: the rows of `decided` with an `action`, and whether the policy asks for `more`.

    Args:
        policy: what decides.
        below: as for `asked_floors`.
    """
    codes = [_code(policy, rule) for rule in [*range(len(policy.rules)), None]]
    index = exp.func("coalesce", exp.column(RULE), exp.Literal.number(len(policy.rules)))
    code = exp.func("list_extract", exp.array(*map(exp.Literal.number, codes)), index + 1)  # lists count from 1
    coded = exp.select("*", exp.alias_(code, "policy_code")).from_("decided")
    sql = files("kubewitness.policy").joinpath("sql").joinpath("acted.sql").read_text(encoding="utf-8")
    return *decided_floors(policy, below), ("coded", coded.sql(dialect="duckdb")), ("acted", sql)


def _code(policy: Policy, rule: int | None) -> int:
    """A decision as one number: level in two bits, managedFields in one, then one for each stage that is omitted."""
    decision = decision_of(policy, rule)
    stages = sum(1 << bit for bit, stage in enumerate(Stage) if stage in decision.omit_stages)
    return decision.level.rank | decision.omit_managed_fields << 2 | stages << 3
