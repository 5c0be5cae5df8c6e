"""Questions in SQL: what people, or hunts, ask of the table `events`, taken apart before anything runs.

A question is one query that reads. The engine's own parser takes it apart, so what is judged here is what runs there:
another parser could understand a text in another way, and what it writes anew could mean something else. That no file
and no network is reached does not rest on this: the engine is sealed before a question runs (`Engine.seal`).
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import duckdb

from kubewitness.facts import macros
from kubewitness.model.errors import KubewitnessError
from kubewitness.model.event import BY_NAME, COLUMNS
from kubewitness.query.engine import harden
from kubewitness.query.filters import SHORT_NAMES

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from kubewitness.query.engine import Answer, Engine

TABLE = "events"
"""The one table that a question can name."""

_READING = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series", "json_each", "json_tree"})
# Of the engine and the machine, not of events.
_REFUSED_FUNCTIONS = re.compile(
    r"(duckdb_|pragma_|pg_|read_|parquet_|current_|set|nextval|currval|has_|inet_|col_description|obj_description"
    r"|shobj_description|getenv|getvariable|query|sleep|write_|which_|glob|sniff_|txid_|in_search_path|json_execute_"
    r"|json_serialize_|json_deserialize_|version$|stats$|enable_|disable_|force_|error$|parse_duckdb_|try_|icu_)"
)
_ALLOWED_FUNCTIONS = frozenset({"current_date", "current_time", "current_timestamp", "current_localtimestamp"})
_UNKNOWN = re.compile(r'(?:Referenced column "|column named "|does not have a column named ")([^"]+)"')
_UNKNOWN_TABLE = re.compile(r"Table with name (\S+) does not exist")
_ZONED = "TIMESTAMP WITH TIME ZONE"
_EXAMPLE = "kubewitness sql 'SELECT verb, count(*) FROM events GROUP BY verb' audit.log"


class QuestionError(KubewitnessError):
    """A question cannot be asked: it is not well formed, does more than read, or names what is not there."""


@dataclass(frozen=True, slots=True)
class Question:
    """A query over `events` that only reads.

    Attributes:
        sql: text, as it was written.
        columns: names of columns of the events table that it reads, in the order of the table.
        parameters: names of parameters that it has.
    """

    sql: str
    columns: tuple[str, ...]
    parameters: frozenset[str] = frozenset()


def parse_question(sql: str, parameters: Mapping[str, Any] | None = None) -> Question:
    """The question that a text asks, when it is one that can be asked of `events`.

    Args:
        sql: one SELECT, FROM, WITH, DESCRIBE or SUMMARIZE.
        parameters: values of its parameters (`$name`): their types may matter.

    Raises:
        QuestionError: it cannot be asked; says why.
    """
    text = sql.strip().rstrip(";").strip()
    if not text:
        raise QuestionError("the query is empty", where="query", hint=_EXAMPLE)
    node = _tree(text)
    named = set(_named_queries(node))
    for item in _nodes(node):
        _demand_reading(item, named)
    columns = frozenset(_columns(node, named))
    asked = {item["identifier"] for item in _nodes(node) if item.get("type") == "VALUE_PARAMETER"}
    missing = asked - set(parameters or {})
    if missing:
        raise QuestionError(
            f"the query has a parameter `${min(missing)}` without a value", where="query", hint="write the value itself"
        )
    _bind(text, {name: value for name, value in (parameters or {}).items() if name in asked})
    return Question(text, tuple(name for name in BY_NAME if name in columns), frozenset(asked))


def ask(
    engine: Engine, question: Question, parameters: Mapping[str, Any] | None = None, *, seconds: float | None = None
) -> Answer:
    """Ask a question of an engine that has a table or view `events` with its columns, and is sealed.

    Raises:
        QuestionError: it could not be answered, or took longer than so many seconds; also while rows are read.
    """
    given = {name: value for name, value in (parameters or {}).items() if name in question.parameters}
    try:
        answer = engine.ask(question.sql, given, seconds=seconds)
        if any(_ZONED in kind for kind in answer.types):
            answer.batches.close()
            names, answer = answer.names, engine.ask(_without_zones(question.sql, answer), given, seconds=seconds)
            answer = replace(answer, names=names)
    except duckdb.Error as error:
        raise question_error(error) from error
    return replace(answer, batches=_explaining(answer.batches))


def stream(
    engine: Engine,
    question: Question,
    parameters: Mapping[str, Any] | None,
    requested_schema: object | None,
    *,
    keep: object,
) -> object:
    """The answer as a capsule with an Arrow C stream; see the Arrow PyCapsule interface.

    Args:
        engine: as for `ask`.
        question: what to ask.
        parameters: values of its parameters.
        requested_schema: a capsule with a schema; None for that of the answer.
        keep: what must live as long as the engine is read from.

    Raises:
        QuestionError: it could not be answered.
    """
    given = {name: value for name, value in (parameters or {}).items() if name in question.parameters}
    try:
        return engine.stream(question.sql, given, requested_schema, keep=keep)
    except duckdb.Error as error:
        raise question_error(error) from error


def _without_zones(sql: str, answer: Answer) -> str:
    """The question with times in UTC: Python is given times with a zone only with a library for zones."""
    numbered = [f"c{index}" for index in range(len(answer.names))]
    cast = [f"{name}::TIMESTAMP" if kind == _ZONED else name for name, kind in zip(numbered, answer.types, strict=True)]
    return f"SELECT {', '.join(cast)} FROM ({sql}\n) AS asked({', '.join(numbered)})"  # noqa: S608 - names made here


def _explaining(batches: Generator[list[tuple[Any, ...]]]) -> Generator[list[tuple[Any, ...]]]:
    try:
        yield from batches
    except duckdb.Error as error:
        raise question_error(error) from error
    finally:
        batches.close()


def question_error(error: duckdb.Error) -> QuestionError:
    """What the engine says of a question, for people."""
    message = str(error).strip().splitlines()[0]
    kind, _, text = message.partition(": ")
    text = text if kind.endswith("Error") else message
    if isinstance(error, duckdb.InterruptException):
        return QuestionError("the query took too long", where="query", hint="ask for less, or give it more --seconds")
    if isinstance(error, duckdb.OutOfMemoryException):
        return QuestionError("the query needs more memory than there is", where="query", hint="ask for less at once")
    if found := _UNKNOWN.search(message):
        return QuestionError(f"no event has a column `{found[1]}`", where="query", hint=_column_hint(found[1]))
    hint = "see docs/reference/sql.md"
    if isinstance(error, duckdb.ParserException):
        hint = f"write for instance: {_EXAMPLE}"
    elif _UNKNOWN_TABLE.search(message):
        hint = f"the only table is `{TABLE}`"
    return QuestionError(text, where="query", hint=hint)


def _column_hint(name: str) -> str:
    by_api = {column.api.lower(): column.name for column in COLUMNS if column.api}
    leaves = {api.rpartition(".")[2]: column for api, column in by_api.items()}
    short = {short: columns[0] for short, columns in SHORT_NAMES.items()}
    known = short | leaves | by_api | {column.name: column.name for column in COLUMNS}
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{known[close[0]]}`?"
    return "`DESCRIBE events` lists the columns; text stands in single quotes"


def _tree(text: str) -> dict[str, Any]:
    """What the engine's parser makes of a text: one statement."""
    try:
        statements = duckdb.extract_statements(text)
        ((serialized,),) = _engine().execute("SELECT json_serialize_sql($sql)", {"sql": text}).fetchall()
    except duckdb.Error as error:
        raise question_error(error) from error
    answer = json.loads(serialized)
    if len(statements) != 1 or (not answer["error"] and len(answer["statements"]) != 1):
        raise QuestionError("one query at a time", where="query", hint=_EXAMPLE)
    if answer["error"]:
        if answer.get("error_type") == "not implemented":
            raise QuestionError(
                "only queries that read can be asked",
                where="query",
                hint="one SELECT, FROM, WITH, DESCRIBE or SUMMARIZE; a PIVOT must list its values: ON verb IN ('get')",
            )
        raise QuestionError(str(answer["error_message"]), where="query", hint=_EXAMPLE)
    tree: dict[str, Any] = answer["statements"][0]["node"]
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of the tree, itself too."""
    pending = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)


def _named_queries(tree: dict[str, Any]) -> Iterator[str]:
    """Names that WITH gives to queries."""
    for item in _nodes(tree):
        if isinstance(item.get("value"), dict) and "query_node" in item["value"]:
            yield str(item["key"]).lower()


def _demand_reading(item: dict[str, Any], named: set[str]) -> None:
    kind = str(item.get("type", ""))
    if kind.endswith("_NODE") and kind not in _READING:
        raise QuestionError("a query may only read", where="query", hint="one SELECT, FROM, WITH, DESCRIBE, SUMMARIZE")
    if kind == "BASE_TABLE":
        name = ".".join(part for part in (item["catalog_name"], item["schema_name"], item["table_name"]) if part)
        if name.lower() not in {TABLE, *named}:
            raise QuestionError(f"there is no table `{name}`", where="query", hint=f"the only table is `{TABLE}`")
    if kind == "SHOW_REF" and item.get("table_name") and item["table_name"].strip('"').lower() != TABLE:
        raise QuestionError("there is nothing to show", where="query", hint=f"`DESCRIBE {TABLE}` lists the columns")
    if kind == "TABLE_FUNCTION":
        name = item["function"].get("function_name", "").lower()
        if name not in _TABLE_FUNCTIONS:
            raise QuestionError(
                f"`{name}` cannot be read from", where="query", hint=f"the only table is `{TABLE}`; lists by unnest()"
            )
    if "function_name" in item:
        name = item["function_name"].lower()
        if _REFUSED_FUNCTIONS.match(name) and name not in _ALLOWED_FUNCTIONS:
            raise QuestionError(
                f"the function `{name}` cannot be used here", where="query", hint="it is not about events"
            )


def _columns(tree: dict[str, Any], named: set[str]) -> Iterator[str]:
    """Names of columns that may be read: never too few."""
    own = TABLE not in named  # otherwise `events` may be a query of its own
    aliases = {TABLE} | {
        str(item["alias"]).lower() for item in _nodes(tree) if item.get("type") == "BASE_TABLE" and item["alias"]
    }
    existing = {
        id(item["subquery"]["node"]) for item in _nodes(tree) if item.get("subquery_type") == "EXISTS"
    }  # nobody looks at what these select
    for item in _nodes(tree):
        match item.get("type"):
            case "COLUMN_REF":
                names = [str(name).lower() for name in item["column_names"]]
                yield from (name for name in names if name in BY_NAME)
                if len(names) == 1 and names[0] in aliases:
                    yield from BY_NAME
            case "JOIN":
                yield from (str(name).lower() for name in item.get("using_columns", ()))
                if item.get("ref_type") == "NATURAL":
                    yield from BY_NAME
            case "BASE_TABLE" if item.get("column_name_alias"):
                yield from BY_NAME
            case "SELECT_NODE" if id(item) not in existing and (not own or _reads_table(item.get("from_table"))):
                for star in _stars(item):
                    left_out = {str(name).lower() for name in _excluded(star)}
                    yield from (name for name in BY_NAME if name not in left_out)
            case "PIVOT" if _reads_table(item.get("source")):
                yield from BY_NAME


def _reads_table(source: Any) -> bool:
    """Whether the rows of the table itself, and not of a query over it, are what a query selects from."""
    if not isinstance(source, dict):
        return False
    match source.get("type"):
        case "BASE_TABLE":
            return str(source["table_name"]).lower() == TABLE
        case "JOIN":
            return _reads_table(source["left"]) or _reads_table(source["right"])
        case _:
            return False


def _stars(select: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every `*` of one SELECT, but not of the queries inside it."""
    # ORDER BY ALL is a `*` too, but of what is selected.
    pending: list[Any] = [value for key, value in select.items() if key not in {"from_table", "cte_map", "modifiers"}]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            if item.get("type") == "STAR":
                yield item
            elif item.get("type") != "SELECT_NODE":
                pending.extend(item.values())


def _excluded(star: dict[str, Any]) -> list[str]:
    if star.get("columns"):
        return []
    return [name for name in star.get("exclude_list", ()) if isinstance(name, str)]


def _bind(sql: str, parameters: dict[str, Any]) -> None:
    """Have the engine understand a question, without running it."""
    try:
        _engine().execute(f"EXPLAIN {sql}", parameters or None)
    except duckdb.Error as error:
        raise question_error(error) from error


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """An engine with an empty table `events`, sealed."""
    connection = duckdb.connect(
        ":memory:",
        config={"threads": 1, "autoinstall_known_extensions": "false", "autoload_known_extensions": "false"},
    )
    listed = ", ".join(f'"{column.name}" {column.type}' for column in COLUMNS)
    connection.execute(f"CREATE TABLE {TABLE} ({listed})")
    connection.execute(macros())  # what --explain of a filter prints may be asked
    harden(connection, ())
    return connection
