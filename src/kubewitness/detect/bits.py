"""Answers as bits of numbers: SQL expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Sequence

WORD_BITS = 63
"""Rules, or groups, per column of bits: what a signed 64-bit integer holds without its sign."""


def when(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    """The value where the condition holds, else no bit."""
    return exp.Case(ifs=[exp.If(this=condition, true=value)], default=bigint(0))


def any_bits(items: Sequence[exp.Expr]) -> exp.Expr:
    """All bits of these together."""
    result = items[0]
    for item in items[1:]:
        result = exp.BitwiseOr(this=result, expression=item)
    return exp.Paren(this=result)


def bigint(value: int) -> exp.Expr:
    """A number of the type of a column of bits."""
    return exp.Cast(this=exp.Literal.number(value), to=exp.DataType(this=exp.DataType.Type.BIGINT))
