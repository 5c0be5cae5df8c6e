"""The engine: DuckDB, the only place that imports it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, Any

import duckdb

from kubewitness.model.errors import KubewitnessError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from pathlib import Path

DEFAULT_LINE_BYTES = 16 << 20
"""Longest line that is read without asking for larger buffers."""

_MEMORY_LIMIT = "900MB"
_ROWS_AT_ONCE = 10_000
_BATCH_ROWS = 2048


# Queries that no input can make right: never to be taken for a refusal of the input.
_MISTAKES = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)


class EngineError(KubewitnessError):
    """The engine could not carry out a query; nothing of it took effect."""


class MemoryShortError(EngineError):
    """It needed more memory than it may use; it may do with less at a time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives.

    Attributes:
        names: of its columns; two may be the same.
        types: of its columns, as the engine spells them.
        batches: its rows, some at a time; to be read once, and to the end or closed.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    batches: Generator[list[tuple[Any, ...]]]


class Engine:
    """One connection to an engine of its own, in memory, that spills to `folder` when memory runs short.

    Nothing is fetched from or sent to a network: extensions are neither installed nor loaded.
    """

    def __init__(self, folder: Path, *, threads: int | None = None, memory_limit: str = _MEMORY_LIMIT) -> None:
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "threads": threads or os.cpu_count() or 1,
                "memory_limit": memory_limit,
                # A sealed engine still reaches this folder, so nothing else is in it.
                "temp_directory": str(folder / "spilled"),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        self._connection.execute("SET enable_progress_bar = false")
        # A time with a zone is cast to one without in this zone: otherwise it would be that of the machine.
        self._connection.execute("SET TimeZone = 'UTC'")
        # Every file is read once: caching its bytes would only take memory from the query.
        self._connection.execute("SET enable_external_file_cache = false")
        # `x IN (...)` as a join splits the chain of projections and has facts computed several times over. To look for
        # expressions that are the same takes half of the time of planning, and finds none that are worth it: what is
        # used twice has a name, and what it finds inside a CASE it has computed for everybody.
        self._connection.execute("SET disabled_optimizers = 'in_clause,common_subexpressions'")

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run statements and return the rows of the last one.

        Raises:
            EngineError: the engine refused; the statement had no effect.
        """
        with _refusals():
            return self._connection.execute(sql, dict(parameters) if parameters else None).fetchall()

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query and return its rows by column name.

        Raises:
            EngineError: the engine refused.
        """
        with _refusals():
            cursor = self._connection.execute(sql, dict(parameters) if parameters else None)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def each_row(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Run one query and yield its rows by column name, without holding all of them.

        Raises:
            EngineError: the engine refused.
        """
        try:
            cursor = self._connection.cursor().execute(sql, dict(parameters) if parameters else None)
            names = [column[0] for column in cursor.description or ()]
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                for row in rows:
                    yield dict(zip(names, row, strict=True))
        except _MISTAKES:
            raise
        except duckdb.Error as error:
            raise EngineError(str(error).splitlines()[0]) from error

    @contextmanager
    def unoptimized(self) -> Generator[None]:
        """Run queries as they are written meanwhile: where the data are few, planning is most of the work."""
        self._connection.execute("PRAGMA disable_optimizer")
        try:
            yield
        finally:
            self._connection.execute("PRAGMA enable_optimizer")

    def seal(self, folders: Sequence[str] = ()) -> None:
        """From here on, reach no file and no network, and let no setting be changed; there is no way back.

        Args:
            folders: whose files can be read nevertheless.
        """
        harden(self._connection, folders)

    def ask(self, sql: str, parameters: Mapping[str, Any] | None = None, *, seconds: float | None = None) -> Answer:
        """Run one query that somebody else wrote; its rows are made while they are read.

        Args:
            sql: the query; the engine should be sealed.
            parameters: values of its parameters.
            seconds: how long it may take, reading included.

        Raises:
            duckdb.Error: the engine refused; `kubewitness.query.questions` says it for people.
        """
        timer = Timer(seconds, self._connection.interrupt) if seconds is not None else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            cursor = self._connection.execute(sql, dict(parameters) if parameters else None)
        except duckdb.Error:
            if timer:
                timer.cancel()
            raise
        described = cursor.description or ()
        names, types = tuple(str(item[0]) for item in described), tuple(str(item[1]) for item in described)
        return Answer(names, types, _batches(cursor, timer))

    def stream(
        self, sql: str, parameters: Mapping[str, Any] | None, requested_schema: object | None, *, keep: object
    ) -> object:
        """The rows of a query as a capsule with an Arrow C stream, which is read at once.

        Args:
            sql: the query; the engine should be sealed.
            parameters: values of its parameters.
            requested_schema: a capsule with a schema, or None.
            keep: what must live until the rows are there.

        Raises:
            duckdb.Error: the engine refused.
        """
        rows = self._connection.sql(sql, params=dict(parameters) if parameters else None)
        try:
            return rows.materialize().__arrow_c_stream__(requested_schema)
        finally:
            del keep

    def close(self) -> None:
        """Give back memory and temporary files."""
        self._connection.close()


@contextmanager
def _refusals() -> Iterator[None]:
    """Say what the engine refused; an interrupt is one, whatever the engine makes of it."""
    try:
        yield
    except _MISTAKES:
        raise
    except duckdb.OutOfMemoryException as error:
        raise MemoryShortError(str(error).splitlines()[0]) from error
    except duckdb.Error as error:
        raise EngineError(str(error).splitlines()[0]) from error
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise


def harden(connection: duckdb.DuckDBPyConnection, folders: Sequence[str]) -> None:
    """Shut a connection off from files, networks, variables of Python and changes of settings."""
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET allowed_directories = $folders", {"folders": list(folders)})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _batches(cursor: duckdb.DuckDBPyConnection, timer: Timer | None) -> Generator[list[tuple[Any, ...]]]:
    try:
        while rows := cursor.fetchmany(_BATCH_ROWS):
            yield rows
    finally:
        if timer:
            timer.cancel()


def quoted(text: str) -> str:
    """The literal of a text."""
    return f"""'{text.replace("'", "''")}'"""


def with_floors(floors: Sequence[tuple[str, str]], query: str) -> str:
    """A query over named queries, each of which may read from those before it."""
    named = ",\n".join(f"{name} AS (\n{sql.strip()}\n)" for name, sql in floors)
    return f"WITH {named}\n{query}"
