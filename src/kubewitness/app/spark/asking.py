"""Use case: ask the events of a store in Spark's SQL."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubewitness.alert.redact import Redactor
from kubewitness.app.asking.sql import ANNOTATIONS, BODIES, maker_of
from kubewitness.app.lake.opening import open_snapshot
from kubewitness.app.spark.opening import EVENTS, open_spark
from kubewitness.model.event import BY_NAME
from kubewitness.model.ledger import Ledger
from kubewitness.query.predicate import And
from kubewitness.query.spark_questions import parse_spark_question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.app.events import Logs
    from kubewitness.query.predicate import Predicate

_ON_SECRETS = "`resource` <=> 'secrets'"
_REDACTED = """'{"redacted":true}'"""


@dataclass(frozen=True, slots=True)
class SparkAnswer:
    """The answer to a question.

    Attributes:
        names: of its columns.
        types: of its columns, as Spark spells them.
        rows: its rows, redacted, made of what JSON can say; to be read once, while the context lasts.
        ledger: of the events that were asked.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    rows: Iterator[list[Any]]
    ledger: Ledger


@contextmanager
def ask_on_spark(
    sql: str, logs: Logs, *, where: Predicate, reveal: bool = False, master: str | None = None
) -> Iterator[SparkAnswer]:
    """Ask a question in Spark's SQL of the view `events`; Spark carries out all of it.

    Args:
        sql: one query that reads.
        logs: a store, and what of it.
        where: only events of which this holds are in the view.
        reveal: whether to show secrets.
        master: URL of the cluster; None for what the environment says.

    Raises:
        QuestionError: the query cannot be asked.
        UsageError: PySpark or Java is missing, or the store has no such cluster.
        StoreError: the store cannot be read.
        SparkError: Spark cannot be reached, or refused; also while rows are read.
    """
    question = parse_spark_question(sql)
    snapshot = open_snapshot(logs.store or "", since=logs.since, until=logs.until, cluster=logs.cluster)
    with open_spark(snapshot, And((where, logs.period)), master) as events:
        columns = question.columns or ("happened_at",)  # a view needs a column
        listed = ", ".join(f"`{name}`" if reveal else _hidden(name) for name in columns)
        view = events.session.sql(f"SELECT {listed} FROM {EVENTS}")  # noqa: S608 - names of our own columns
        view.createOrReplaceTempView(EVENTS)
        answer = events.session.sql(question.sql)
        redactor = Redactor(reveal=reveal)
        makers = [maker_of(name, _kind(name, question.columns), question, redactor) for name in answer.columns]
        rows = (
            [make(_plain(value)) for make, value in zip(makers, row, strict=True)]
            for row in answer.toLocalIterator(prefetchPartitions=True)
        )
        types = tuple(str(kind) for _, kind in answer.dtypes)
        looked_at = Ledger.of(events=snapshot.events)
        yield SparkAnswer(tuple(answer.columns), types, rows, looked_at)


def _hidden(name: str) -> str:
    """A column without the values of secrets: a query that takes bodies apart could not be redacted afterwards."""
    if name in BODIES:
        return f"CASE WHEN {_ON_SECRETS} AND `{name}` IS NOT NULL THEN {_REDACTED} ELSE `{name}` END AS `{name}`"
    if name == ANNOTATIONS:
        return f"CASE WHEN NOT {_ON_SECRETS} THEN `{name}` END AS `{name}`"
    return f"`{name}`"


def _kind(name: str, columns: tuple[str, ...]) -> str:
    """The type of a column as the engine has it, where it is one of the events table."""
    return BY_NAME[name].type if name in columns else ""


def _plain(value: Any) -> Any:
    """A value without what is Spark's own."""
    if hasattr(value, "asDict"):
        return {key: _plain(each) for key, each in value.asDict().items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
