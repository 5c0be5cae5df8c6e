"""Predicates as Spark SQL: translated parts, and the same rows as the engine's where Spark is installed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import re2
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.query.predicates import LOOKED_AT, predicates, rows

from kubewitness.detect.pack import load_pack
from kubewitness.model.event import BY_NAME
from kubewitness.query.fields import find_field
from kubewitness.query.lower import lower
from kubewitness.query.predicate import Operator, Predicate, Text
from kubewitness.query.spark import java_pattern, spark_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from kubewitness.query.engine import Engine

PATTERNS = [
    (r"^a$", r"(?du)^a\z"),
    (r"a\$|b$", r"(?du)a\$|b\z"),
    (r"[$]", r"(?du)[$]"),
    (r"(?m)^a$", r"(?du)(?m)^a$"),
    (r"(?i)[[:alpha:]_]", r"(?du)(?i)[\p{Alpha}_]"),
    (r"[[:^digit:]]", r"(?du)[\P{Digit}]"),
    (r"[[a]&&b", r"(?du)[\[a]&&b"),
    (r"[a&&b]", r"(?du)[a\&\&b]"),
    (r"[^]a]", r"(?du)[^\]a]"),
    (r"(?P<name>a)", r"(?du)(?<name>a)"),
]


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
def test_an_expression_is_spelt_as_java_wants_it(pattern: str, expected: str) -> None:
    assert re2.compile(pattern)
    assert java_pattern(pattern) == expected


def test_nothing_of_this_projects_own_is_left() -> None:
    for rule in load_pack().rules:
        if rule.predicate is not None:
            assert "kw_" not in spark_sql(rule.predicate).lower()


def test_a_key_cannot_leave_its_path_and_a_value_not_its_quotes() -> None:
    hostile = Text(find_field("""requestObject.spec.x'") OR 1 = 1 --"""), Operator.EQUALS, "' OR 1 = 1 --\\")
    sql = spark_sql(hostile)
    assert r"'\' or 1 = 1 --\\'" in sql
    assert sql.count("1 = 1") == len(re.findall(r"\[\"x\\'\) OR 1 = 1 --\"\]", sql)) + 1


TYPES = {
    "VARCHAR": "string", "JSON": "string", "VARCHAR[]": "array<string>", "BOOLEAN": "boolean", "INTEGER": "int",
    "BIGINT": "bigint", "TIMESTAMP": "timestamp_ntz",
}  # fmt: skip
COLUMNS = [BY_NAME[name] for name in sorted(LOOKED_AT)]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql", reason="needs the extra `spark`")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        session = (
            sql.SparkSession.builder.master("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
            .config("spark.sql.codegen.wholeStage", "false")
            .getOrCreate()
        )
        yield session
        session.stop()


def answers_of_spark(spark: Any, rules: Sequence[Predicate], several: Sequence[dict[str, Any]]) -> list[list[bool]]:
    schema = ", ".join(f"`{column.name}` {TYPES[column.type]}" for column in COLUMNS)
    values = [(number, *(row[column.name] for column in COLUMNS)) for number, row in enumerate(several)]
    spark.createDataFrame(values, f"`number` int, {schema}").createOrReplaceTempView("events")
    asked = ", ".join(f"coalesce({spark_sql(rule)}, false) AS c{number}" for number, rule in enumerate(rules))
    found = spark.sql(f"SELECT number, {asked} FROM events ORDER BY number").collect()  # noqa: S608 - what is tested
    return [list(row)[1:] for row in found]


def answers_of_engine(
    engine: Engine, file: Path, rules: Sequence[Predicate], several: Sequence[dict[str, Any]]
) -> list[list[bool]]:
    lines = (json.dumps({"number": number} | row, default=str) for number, row in enumerate(several))
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    types = {"number": "INTEGER"} | {
        column.name: "VARCHAR" if column.type == "JSON" else column.type for column in COLUMNS
    }
    bodies = ", ".join(f'"{column.name}"::JSON AS "{column.name}"' for column in COLUMNS if column.type == "JSON")
    asked = ", ".join(f"coalesce({lower(rule).sql('duckdb')}, false) AS c{number}" for number, rule in enumerate(rules))
    found = engine.rows(
        f"WITH events AS (SELECT * REPLACE ({bodies}) FROM read_json($file, columns = $types))"  # noqa: S608 - tested
        f" SELECT {asked} FROM events ORDER BY number",
        {"file": str(file), "types": types},
    )
    return [list(row.values()) for row in found]


@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(predicates, min_size=20, max_size=30), st.lists(rows, min_size=10, max_size=20))
def test_spark_gives_the_same_rows(
    spark: Any, engine: Engine, tmp_path: Path, rules: list[Predicate], several: list[dict[str, Any]]
) -> None:
    expected = answers_of_engine(engine, tmp_path / "events.ndjson", rules, several)
    assert answers_of_spark(spark, rules, several) == expected
