"""A rule as the query that it is."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from kubewitness.app.rulebook.rules import no_such_rule
from kubewitness.detect.linking import bases_of
from kubewitness.detect.pack import load_pack
from kubewitness.detect.wording import describe_correlation
from kubewitness.query.lower import lower
from kubewitness.query.spark import spark_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from kubewitness.detect.rule import Key, Rule
    from kubewitness.query.fields import Field
    from kubewitness.query.predicate import Predicate


class Dialect(StrEnum):
    """SQL of which engine."""

    DUCKDB = "duckdb"
    SPARK = "spark"


def rule_sql(rule_id: str, folders: Sequence[Path] = (), dialect: Dialect = Dialect.DUCKDB) -> str:
    """What a rule asks of one event, as queries over `events`; comments say what is done with the rows.

    In DuckDB's, functions whose names begin with `kw_` are this project's own; Spark's is for Spark 4 or newer, the
    session's time zone UTC, and facts in columns.

    Args:
        rule_id: the rule.
        folders: where to look besides the builtin rules.
        dialect: SQL of which engine.

    Raises:
        UsageError: no rule has this id.
        RuleError: a rule cannot be loaded.
    """
    rules = {rule.info.id: rule for rule in load_pack(folders).rules}
    rule = rules.get(rule_id)
    if rule is None:
        raise no_such_rule(rule_id)
    bases = [rules[base] for base in rules if base in bases_of(rule_id, rules)] if rule.correlation else [rule]
    queries = [_query(base, dialect) for base in bases]
    return "\n".join((*remarks(rule), *queries))


def remarks(rule: Rule) -> Iterator[str]:
    """What a rule counts or remembers, as comments of SQL; nothing for a rule of single events."""
    if correlation := rule.correlation:
        yield f"-- alerts where {describe_correlation(correlation)} within {correlation.window_s} s"
        yield f"-- among rows with the same {_names(correlation.group_by)}"
    if first_seen := rule.first_seen:
        learning = f" and {first_seen.learning_s} s" if first_seen.learning_s else ""
        yield f"-- alerts where {_names(first_seen.fields)} is new after {first_seen.after} requests{learning}"
        yield f"-- among rows with the same {_names(first_seen.by)}"
    if rule.unfinished:
        yield "-- alerts where the log has no end of the request"


def _names(fields: Iterable[Field | Key]) -> str:
    return ", ".join(field.name for field in fields) or "log"


def _query(rule: Rule, dialect: Dialect) -> str:
    if rule.predicate is None:
        return f"-- {rule.info.id} counts matches of other rules"
    condition = _condition(rule.predicate, dialect)
    return f"-- {rule.info.id}\nSELECT *\nFROM events\nWHERE\n" + "\n".join(
        f"  {line}" for line in condition.splitlines()
    )


def _condition(predicate: Predicate, dialect: Dialect) -> str:
    match dialect:
        case Dialect.DUCKDB:
            return lower(predicate).sql("duckdb", pretty=True)
        case Dialect.SPARK:
            return spark_sql(predicate)
        case _:
            assert_never(dialect)
