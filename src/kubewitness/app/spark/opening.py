"""Events of a store as a view of Spark: the data files of one snapshot, whatever is written meanwhile."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from kubewitness.model.errors import UsageError
from kubewitness.query.spark import spark_sql
from kubewitness.query.spark_session import settings_of, spark_session
from kubewitness.store.places import is_remote
from kubewitness.store.relation import row_of
from kubewitness.store.table import STORED, facts_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kubewitness.app.lake.opening import Snapshot
    from kubewitness.query.predicate import Predicate

_TYPES = {
    "VARCHAR": "string",
    "JSON": "string",
    "BOOLEAN": "boolean",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "TIMESTAMP": "timestamp_ntz",
    "DATE": "date",
    "BLOB": "binary",
}
_PATTERN = re.compile(r"[\[\]{}*?\\]")  # what Spark would take for one
_ESCAPED = r"\\\g<0>"

EVENTS = "events"
"""View of the events that were asked for: columns of `store.table.STORED`, and `file_path` and `file_row`."""


@dataclass(frozen=True, slots=True)
class SparkEvents:
    """Events of a store in a session of Spark.

    Attributes:
        session: of Spark; it has the view `EVENTS`.
        numbers: of the files that it reads, by their paths in the store.
    """

    session: Any
    numbers: Mapping[str, int]

    def rows(self, sql: str, settings: Mapping[str, str] | None = None) -> list[Any]:
        """All rows of a query, which is asked with these settings (see `query.spark_session`)."""
        with settings_of(self.session, settings or {}):
            return list(self.session.sql(sql).collect())

    @contextmanager
    def kept(self, name: str, sql: str) -> Iterator[None]:
        """The rows of a query as a view, kept as long as the context lasts, on disk where memory does not suffice."""
        frame = self.session.sql(sql).persist()
        frame.createOrReplaceTempView(name)
        try:
            yield
        finally:
            frame.unpersist()

    def give(self, name: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Make a view of rows that Spark does not have; columns are names and types of Spark's, between commas."""
        self.session.createDataFrame(rows, columns).createOrReplaceTempView(name)

    def place(self, file_path: str, file_row: int) -> int:
        """The number that the engine gives an event (see `store.relation`), by where Spark found it."""
        # Inside of a store, a path is a day and a name.
        return row_of(self.numbers["/".join(unquote(file_path).split("/")[-2:])], file_row)


@contextmanager
def open_spark(snapshot: Snapshot, where: Predicate, master: str | None) -> Iterator[SparkEvents]:
    """Open a store on Spark.

    Args:
        snapshot: of the store.
        where: only events of which this holds are in the view.
        master: URL of the cluster; None for what the environment says.

    Raises:
        UsageError: PySpark or Java is missing, or facts of the store are of another version.
        SparkError: Spark cannot be reached, or refused.
    """
    if not snapshot.has_facts:
        raise UsageError(
            f"the store has files whose facts are not of this version ({facts_version()})",
            where=snapshot.location,
            hint="kubewitness store compact writes them anew; the engine `duckdb` derives them while it reads",
        )
    with spark_session(master) as session:
        schema = ", ".join(f"`{column.name}` {spark_type(column.type)}" for column in STORED)
        reader = session.read.schema(schema).option("recursiveFileLookup", "true")
        paths = _addresses(snapshot)
        if paths:
            frame = reader.parquet(*paths).select(
                *(f"`{column.name}`" for column in STORED),
                "_metadata.file_path",
                "_metadata.row_index",
            )
        else:
            frame = session.createDataFrame([], f"{schema}, file_path string, row_index bigint")
        frame = frame.withColumnRenamed("row_index", "file_row")
        frame.createOrReplaceTempView("stored_events")
        asked = f"SELECT * FROM stored_events WHERE {spark_sql(where)}"  # noqa: S608 - of a predicate
        session.sql(asked).createOrReplaceTempView(EVENTS)
        yield SparkEvents(session, {each.path: number for number, each in enumerate(snapshot.files)})


def spark_type(kind: str) -> str:
    """Spark's name of a type of the engine."""
    return f"array<{spark_type(kind[:-2])}>" if kind.endswith("[]") else _TYPES[kind]


def _addresses(snapshot: Snapshot) -> list[str]:
    """The data files as Spark names them."""
    if not is_remote(snapshot.location):
        return [
            f"file://{_PATTERN.sub(_ESCAPED, path)}"
            for path in snapshot.place.paths(each.path for each in snapshot.files).values()
        ]
    location = snapshot.location.rstrip("/")
    if location.startswith("s3://"):
        location = f"s3a{location.removeprefix('s3')}"
    return [f"{location}/{_PATTERN.sub(_ESCAPED, each.path)}" for each in snapshot.files]
