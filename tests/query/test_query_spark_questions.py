"""Questions in Spark's SQL: only events can be asked."""

from __future__ import annotations

import pytest

from kubewitness.query.questions import QuestionError
from kubewitness.query.spark_questions import parse_spark_question


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT verb, count(*) FROM events GROUP BY verb", {"verb"}),
        ("WITH e AS (SELECT actor, code FROM events) SELECT * FROM e", None),
        ("SELECT g FROM events LATERAL VIEW explode(groups) AS g", {"groups"}),
        ("SELECT a.verb FROM events a JOIN events b ON a.audit_id = b.audit_id", {"verb", "audit_id"}),
        ("SELECT 1", set()),
    ],
)
def test_a_question_names_its_columns(sql: str, columns: set[str] | None) -> None:
    found = set(parse_spark_question(sql).columns)
    assert found == columns if columns is not None else len(found) > 100


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELECT 1; SELECT 2",
        "DROP TABLE events",
        "INSERT INTO events SELECT * FROM events",
        "CREATE TABLE x AS SELECT * FROM events",
        "SELECT * FROM parquet.`/etc/passwd`",
        "SELECT * FROM text.`file:///etc/passwd`",
        "SELECT * FROM stored_events",
        "SELECT * FROM default.events",
        "SELECT * FROM read_files('/etc')",
        "SELECT java_method('java.lang.System', 'exit', 1)",
        "SELECT reflect('java.lang.Runtime', 'getRuntime')",
        "SELECT input_file_name() FROM events",
        "SELECT * FROM events WHERE verb IN (SELECT v FROM secrets_of_others)",
        "SET spark.sql.warehouse.dir = '/tmp'",
        "ADD JAR '/tmp/x.jar'",
        "SELECT (",
    ],
)
def test_nothing_but_events_can_be_asked(sql: str) -> None:
    with pytest.raises(QuestionError):
        parse_spark_question(sql)
