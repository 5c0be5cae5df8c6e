"""Tests of questions in SQL: what they read, and that they do nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml

from kubewitness.model.event import BY_NAME
from kubewitness.query.engine import Engine
from kubewitness.query.questions import QuestionError, ask, parse_question

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = yaml.safe_load((Path(__file__).parent / "questions.yaml").read_text("utf-8"))


@pytest.fixture
def sealed(tmp_path: Path) -> Iterator[Engine]:
    """An engine with two events that is shut off."""
    engine = Engine(tmp_path, threads=2, memory_limit="100MB")
    engine.run("CREATE TABLE events AS SELECT * FROM (VALUES ('get', 200), ('list', 403)) AS t(verb, code)")
    engine.seal()
    yield engine
    engine.close()


def rows(engine: Engine, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    answer = ask(engine, parse_question(sql, parameters), parameters, seconds=30)
    return [row for batch in answer.batches for row in batch]


@pytest.mark.parametrize("case", TABLE["reads"], ids=lambda case: case["sql"])
def test_a_question_says_which_columns_it_reads(case: dict[str, Any]) -> None:
    expected = [*BY_NAME] if case["columns"] == "all" else case["columns"]
    assert [*parse_question(case["sql"]).columns] == expected


@pytest.mark.parametrize("case", TABLE["refused"], ids=lambda case: case["sql"])
def test_what_is_no_question_is_refused_with_a_hint(case: dict[str, Any]) -> None:
    with pytest.raises(QuestionError) as caught:
        parse_question(case["sql"])
    assert case["says"] in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_text('{file}')",
        "FROM '{file}'",
        "FROM glob('{folder}/*')",
        "COPY (SELECT 1) TO '{folder}/new.csv'",
        "ATTACH '{folder}/new.db'",
        "INSTALL httpfs",
        "FROM 'https://example.com/a.parquet'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET allowed_directories = ['/']",
        "SET memory_limit = '64GB'",
        "RESET memory_limit",
        "FROM secret_of_the_program",
    ],
)
def test_a_sealed_engine_does_not_do_what_no_question_may_ask_anyway(sealed: Engine, tmp_path: Path, sql: str) -> None:
    secret_of_the_program = duckdb.sql("SELECT 1")  # a name in scope must not become a table
    file = tmp_path / "file.txt"
    file.write_text("text")
    with pytest.raises(duckdb.Error):
        sealed.ask(sql.format(file=file, folder=tmp_path))
    assert not (tmp_path / "new.csv").exists()
    assert not (tmp_path / "new.db").exists()
    del secret_of_the_program


def test_a_sealed_engine_still_spills_to_its_folder(tmp_path: Path) -> None:
    engine = Engine(tmp_path, threads=2, memory_limit="60MB")
    engine.run("CREATE TABLE events AS SELECT repeat(md5(range::VARCHAR), 4) AS verb FROM range(600000)")
    engine.seal()
    assert rows(engine, "SELECT verb FROM events ORDER BY verb LIMIT 1")
    engine.close()


def test_parameters_are_values_and_never_sql(sealed: Engine) -> None:
    sql = "SELECT code FROM events WHERE verb = $verb"
    assert rows(sealed, sql, {"verb": "list", "other": 1}) == [(403,)]
    assert rows(sealed, sql, {"verb": "list' OR true --"}) == []


def test_a_question_that_takes_too_long_is_stopped(sealed: Engine) -> None:
    question = parse_question("SELECT count(*) FROM range(100000000000) AS t(n) WHERE n % 7 = 1")
    with pytest.raises(QuestionError, match="too long") as caught:
        [*ask(sealed, question, seconds=0.2).batches]
    assert "--seconds" in str(caught.value.hint)
    assert rows(sealed, "SELECT count(*) FROM events") == [(2,)]


def test_a_question_that_needs_too_much_memory_says_so(sealed: Engine) -> None:
    with pytest.raises(QuestionError, match="more memory than there is"):
        rows(sealed, "SELECT list(n || repeat('x', 1000)) FROM range(1000000) AS t(n)")


def test_an_error_of_running_is_said_without_the_engines_words(sealed: Engine) -> None:
    with pytest.raises(QuestionError, match="Could not convert string 'get' to INT32"):
        rows(sealed, "SELECT verb::INTEGER FROM events")


def test_times_with_a_zone_come_as_utc_and_keep_the_order(sealed: Engine) -> None:
    sql = "SELECT code AS a, '2026-11-17T08:00:00+02:00'::TIMESTAMPTZ AS a FROM events ORDER BY code DESC"
    answer = ask(sealed, parse_question(sql))
    assert answer.names == ("a", "a")
    assert [(code, str(at)) for batch in answer.batches for code, at in batch] == [
        (403, "2026-11-17 06:00:00"), (200, "2026-11-17 06:00:00"),
    ]  # fmt: skip
