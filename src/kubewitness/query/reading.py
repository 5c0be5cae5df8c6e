"""Queries that read files of lines into the events table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubewitness.decode.engine_shapes import decoded_sql, shape_query
from kubewitness.facts import floors
from kubewitness.query.engine import DEFAULT_LINE_BYTES, with_floors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.decode.engine_shapes import EngineShape

_LINES = """
-- One row per line that is not blank, in the order of the files; all null for a line that is no JSON object.
SELECT * FROM read_json(
    $paths, columns = $columns, format = 'newline_delimited', compression = 'none', ignore_errors = true,
    hive_partitioning = false, maximum_object_size = $line_bytes
)
"""


@dataclass(frozen=True, slots=True)
class ReadingQuery:
    """A query over `events` that reads files.

    Attributes:
        sql: text.
        parameters: its named parameters.
    """

    sql: str
    parameters: dict[str, Any]


def reading_query(
    select: str,
    *,
    shape: EngineShape,
    paths: Sequence[str],
    cluster: str | None = None,
    line_bytes: int = DEFAULT_LINE_BYTES,
    heads_only: bool = False,
    above: Sequence[tuple[str, str]] = (),
) -> ReadingQuery:
    """The query `select` over the rows of plain files of one shape.

    Args:
        select: reads from `events`, or from a floor of `above`.
        shape: of every line; lines of another shape come as rows with `fits` false.
        paths: plain files.
        cluster: name of the cluster for records that do not say.
        line_bytes: longest line.
        heads_only: leave the columns of bodies null; only saves work where the engine cannot see for itself.
        above: further named queries between `events` and `select`.
    """
    query = shape_query(shape, heads_only=heads_only)
    named = (("lines", _LINES), ("records", query.records), ("decoded", decoded_sql()), *floors(), *above)
    parameters = {
        "paths": list(paths),
        "columns": query.columns,
        "cluster": cluster,
        "line_bytes": max(line_bytes, DEFAULT_LINE_BYTES),
        **query.parameters,
    }
    return ReadingQuery(with_floors(named, select), parameters)
