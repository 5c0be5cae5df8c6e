"""Use case: ask events in SQL."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from kubewitness.alert.redact import Redactor
from kubewitness.app.events import open_events
from kubewitness.query.predicate import ALWAYS
from kubewitness.query.questions import TABLE, parse_question
from kubewitness.query.questions import ask as ask_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kubewitness.app.events import Events, Logs
    from kubewitness.query.predicate import Predicate
    from kubewitness.query.questions import Question

DEFAULT_SECONDS = 600.0
"""How long a question may take when nothing else is said."""

BODIES = ("request_object", "response_object")
ANNOTATIONS = "object_annotations"
"""One of them may be a copy of the body."""
_TELLING = frozenset(
    "request_uri request_path exec_command pod_commands status_message user_agent annotations user_extra"
    " impersonated_extra authentication_metadata request_object response_object config_data object_annotations"
    " patch_operations webhook_urls".split()
)
"""Columns whose text can hold a secret that is none by its shape."""

# What a request on secrets says without its values: a query that takes bodies apart could not be redacted afterwards.
_WITHOUT_VALUES = """
CASE WHEN "resource" IS DISTINCT FROM 'secrets' OR "{name}" IS NULL THEN "{name}" ELSE json_object(
    'apiVersion', "{name}" -> '$.apiVersion', 'kind', "{name}" -> '$.kind', 'type', "{name}" -> '$.type',
    'metadata', json_object(
        'name', "{name}" -> '$.metadata.name', 'namespace', "{name}" -> '$.metadata.namespace',
        'uid', "{name}" -> '$.metadata.uid', 'labels', "{name}" -> '$.metadata.labels'
    ),
    'redacted', true
)::JSON END"""


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer to a question.

    Attributes:
        names: of its columns.
        types: of its columns, as the engine spells them.
        rows: its rows, redacted, made of what JSON can say; to be read once, while the context lasts.
        events: what was asked.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: Iterator[list[Any]]
    events: Events


@contextmanager
def ask(
    sql: str,
    logs: Logs,
    *,
    where: Predicate = ALWAYS,
    parameters: Mapping[str, Any] | None = None,
    seconds: float | None = DEFAULT_SECONDS,
    reveal: bool = False,
) -> Iterator[Asked]:
    """Ask a question in SQL of the table `events`; it reaches no file, no network and no other table.

    Args:
        sql: one query that reads; its columns are those of docs/reference/columns.md.
        logs: which events.
        where: only events of which this holds are in the table.
        parameters: values of the query's parameters (`$name`).
        seconds: how long the query may take; None for as long as it takes. Reading the logs is not counted.
        reveal: whether to show secrets.

    Raises:
        QuestionError: the query cannot be asked, or took too long; also while rows are read.
        UnreadableError: nothing of the logs could be read.
    """
    question = parse_question(sql, parameters)
    hidden = () if reveal else tuple(name for name in (*BODIES, ANNOTATIONS) if name in question.columns)
    needed = {*question.columns, *(("resource",) if hidden else ())}
    with open_events(logs, sorted(needed), where, is_asked_once=True) as events:
        _show(events, question, hidden)
        events.seal()
        answer = ask_engine(events.engine, question, parameters, seconds=seconds)
        redactor = Redactor(reveal=reveal)
        makers = [
            maker_of(name, kind, question, redactor) for name, kind in zip(answer.names, answer.types, strict=True)
        ]
        rows = (
            [make(value) for make, value in zip(makers, row, strict=True)] for batch in answer.batches for row in batch
        )
        try:
            yield Asked(answer.names, answer.types, rows, events)
        finally:
            answer.batches.close()


def _show(events: Events, question: Question, hidden: tuple[str, ...]) -> None:
    """Put a view with the columns of the question in front of the table; its name is found first."""
    listed = ", ".join(_hidden(name) if name in hidden else f'"{name}"' for name in question.columns)
    listed = listed or '"row"'  # a view needs a column
    events.engine.run(f"CREATE TEMP VIEW {TABLE} AS SELECT {listed} FROM memory.main.{TABLE}")  # noqa: S608 - names


def _hidden(name: str) -> str:
    if name == ANNOTATIONS:
        return f"CASE WHEN \"resource\" IS DISTINCT FROM 'secrets' THEN {name} END AS {name}"
    return f'{_WITHOUT_VALUES.format(name=name)} AS "{name}"'


def maker_of(name: str, kind: str, question: Question, redactor: Redactor) -> Callable[[Any], Any]:
    """What a value of a column of the answer becomes, redacted."""
    parse = _parsed if kind == "JSON" else json_value
    if redactor.reveal:
        return parse
    if name in question.columns:
        return lambda value: redactor.details({name: parse(value)})[name]
    if _TELLING & set(question.columns):
        return lambda value: redactor.anything(parse(value))
    return lambda value: redactor.details({"": parse(value)})[""]


def _parsed(value: str | None) -> Any:
    try:
        return None if value is None else json.loads(value)
    except ValueError:
        return value


def json_value(value: Any) -> Any:
    """A value of the engine as JSON can say it; times are UTC and end in Z."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124 - that is NaN
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime():
            return f"{value.isoformat(timespec='microseconds')}Z"
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case dict():
            return {str(key): json_value(each) for key, each in value.items()}
        case list() | tuple():
            return [json_value(each) for each in value]
        case bytes():
            return value.hex()
        case UUID():
            return str(value)
        case _:
            return str(value)
