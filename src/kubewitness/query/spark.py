"""Predicates as SQL of Spark 4: the same answers as the engine gives, over the events table of a lake.

Facts are columns there. What differs is translated: this project's own functions (sql/spark.sql), JSON paths, and
regular expressions, which are RE2's here and Java's there.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlglot import exp, parse_one

from kubewitness.query.lower import lower

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.query.predicate import Predicate

# SQLGlot's dialect of Spark's that knows TRY_CAST; what is used of it here is the same.
_WRITTEN = "databricks"
_FUNCTION = re.compile(
    r"CREATE OR REPLACE TEMPORARY FUNCTION (\w+)\(([^)]*)\) RETURNS \S+\s+RETURN (.*?);\n", re.DOTALL
)


def spark_sql(predicate: Predicate) -> str:
    """The predicate as a condition of Spark SQL, on several lines; null stands for false at the top."""
    return _translated(lower(predicate)).sql(_WRITTEN, pretty=True)


def spark_condition(sql: str) -> str:
    """A condition over the events table, written for the engine, as one of Spark SQL."""
    return _translated(parse_one(sql, read="duckdb")).sql(_WRITTEN)


def text_literal(text: str) -> str:
    """A text as Spark SQL writes it."""
    return exp.Literal.string(text).sql(_WRITTEN)


def _translated(tree: exp.Expr) -> exp.Expr:
    """The tree with Spark's functions and Java's expressions."""
    return tree.transform(_function).transform(_expression)


def _function(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Anonymous) or node.name.lower() not in _functions():
        return node
    name = node.name.lower()
    parameters, body = _functions()[name]
    given = list(node.expressions)
    if name == "kw_json":
        given[1] = exp.Literal.string(_variant_path(given[1].name))
    elif name == "kw_step":
        given[1] = exp.Literal.string(_variant_path(f"$.{given[1].name}"))
    values = dict(zip(parameters, given, strict=True))
    return body.copy().transform(lambda part: _filled(part, values)).transform(_function)


def _filled(part: exp.Expr, values: dict[str, exp.Expr]) -> exp.Expr:
    if (
        isinstance(part, exp.Column | exp.Identifier)
        and part.name in values
        and not isinstance(part.parent, exp.Column)
    ):
        return values[part.name].copy()
    return part


@cache
def _functions() -> dict[str, tuple[list[str], exp.Expr]]:
    """Names of the functions to their parameters and what they say."""
    text = files("kubewitness.query").joinpath("sql/spark.sql").read_text(encoding="utf-8")
    return {
        name: ([parameter.split()[0] for parameter in parameters.split(", ")], parse_one(body, read=_WRITTEN))
        for name, parameters, body in _FUNCTION.findall(text)
    }


def _variant_path(path: str) -> str:
    """A path of JSON as variants want it: `$."a"."b"` becomes `$["a"]["b"]`."""
    return "$" + "".join(f'["{key}"]' for key in re.findall(r'\."([^"]*)"', path))


def _expression(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.RegexpLike) and isinstance(node.expression, exp.Literal):
        node.set("expression", exp.Literal.string(java_pattern(node.expression.name)))
    return node


def java_pattern(pattern: str) -> str:
    """An expression of RE2 as one of Java that matches the same texts.

    In Java `$` also matches before a last line end, letters have another case in ASCII alone, other characters than
    line feed end a line too, and `[` inside a class opens another one.
    """
    if re.search(r"\(\?[a-z]*m", pattern):
        return "(?du)" + "".join(_java_parts(pattern, end="$"))
    return "(?du)" + "".join(_java_parts(pattern, end=r"\z"))


_CLASSES = {
    "alnum": "Alnum", "alpha": "Alpha", "ascii": "ASCII", "blank": "Blank", "cntrl": "Cntrl", "digit": "Digit",
    "graph": "Graph", "lower": "Lower", "print": "Print", "punct": "Punct", "space": "Space", "upper": "Upper",
    "xdigit": "XDigit",
}  # fmt: skip


def _java_parts(pattern: str, end: str) -> Iterator[str]:
    is_class = False
    for found in re.finditer(r"\[:(\^?)(\w+):\]|\(\?P<|\\.|\[\^?\]?|.", pattern, re.DOTALL):
        part = found[0]
        if is_class and found[2] in _CLASSES:
            yield rf"\{'P' if found[1] else 'p'}{{{_CLASSES[found[2]]}}}"
        elif is_class:
            is_class = part != "]"
            yield rf"\{part[0]}{part[1:]}" if part[0] in "[&" else part
        elif part.startswith("["):
            is_class = True
            yield part.replace("]", r"\]")
        elif part == "(?P<":
            yield "(?<"
        else:
            yield end if part == "$" else part
