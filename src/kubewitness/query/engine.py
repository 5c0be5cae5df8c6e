"""The engine: DuckDB, the only place that imports it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import duckdb

from kubewitness.model.errors import KubewitnessError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

DEFAULT_LINE_BYTES = 16 << 20
"""Longest line that is read without asking for larger buffers."""

_MEMORY_LIMIT = "900MB"


# Queries that no input can make right: never to be taken for a refusal of the input.
_MISTAKES = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)


class EngineError(KubewitnessError):
    """The engine could not carry out a query; nothing of it took effect."""


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
                "temp_directory": str(folder),
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        self._connection.execute("SET enable_progress_bar = false")
        # A time with a zone is cast to one without in this zone: otherwise it would be that of the machine.
        self._connection.execute("SET TimeZone = 'UTC'")
        # Every file is read once: caching its bytes would only take memory from the query.
        self._connection.execute("SET enable_external_file_cache = false")
        # `x IN (...)` as a join splits the chain of projections and has facts computed several times over.
        self._connection.execute("SET disabled_optimizers = 'in_clause'")

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run statements and return the rows of the last one.

        Raises:
            EngineError: the engine refused; the statement had no effect.
        """
        try:
            return self._connection.execute(sql, dict(parameters) if parameters else None).fetchall()
        except _MISTAKES:
            raise
        except duckdb.Error as error:
            raise EngineError(str(error).splitlines()[0]) from error

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query and return its rows by column name.

        Raises:
            EngineError: the engine refused.
        """
        try:
            cursor = self._connection.execute(sql, dict(parameters) if parameters else None)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except _MISTAKES:
            raise
        except duckdb.Error as error:
            raise EngineError(str(error).splitlines()[0]) from error

    def close(self) -> None:
        """Give back memory and temporary files."""
        self._connection.close()


def with_floors(floors: Sequence[tuple[str, str]], query: str) -> str:
    """A query over named queries, each of which may read from those before it."""
    named = ",\n".join(f"{name} AS (\n{sql.strip()}\n)" for name, sql in floors)
    return f"WITH {named}\n{query}"
