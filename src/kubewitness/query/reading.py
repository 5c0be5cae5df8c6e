"""Queries that read files of lines into the events table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubewitness.decode.engine_shapes import Depth, decoded_sql, shape_query, sketched_sql
from kubewitness.facts import floors
from kubewitness.query.engine import DEFAULT_LINE_BYTES, quoted, with_floors
from kubewitness.query.pruning import columns_of, needed, pruned

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.decode.engine_shapes import EngineShape

OUTCOME = """\
CASE WHEN NOT fits OR fits IS NULL THEN 0 WHEN other_category IS NOT NULL THEN 3 WHEN partial THEN 2 ELSE 1 END"""
"""What a record is: 0 the engine could not place it, 1 an event, 2 a partial one, 3 a log of another category."""

_PARAMETER = re.compile(r"\$([a-z]\w*)")
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


def written_out(query: ReadingQuery) -> str:
    """The query with its parameters, which are lists of texts, as literals: a view can have none."""
    literals = {name: f"[{', '.join(map(quoted, values))}]" for name, values in query.parameters.items()}
    return _PARAMETER.sub(lambda found: literals.get(found[1], found[0]), query.sql)


def reading_query(
    select: str,
    *,
    shape: EngineShape,
    paths: Sequence[str],
    cluster: str | None = None,
    line_bytes: int = DEFAULT_LINE_BYTES,
    depth: Depth = Depth.WHOLE,
    above: Sequence[tuple[str, str]] = (),
) -> ReadingQuery:
    """The query `select` over the rows of plain files of one shape.

    Args:
        select: reads from `events`, or from a floor of `above`. Columns that it does not name are not made, unless it
            says `*`.
        shape: of every line; lines of another shape come as rows with `fits` false.
        paths: plain files.
        cluster: name of the cluster for records that do not say.
        line_bytes: longest line.
        depth: how much to read. Heads leave the columns of bodies null, which only saves work where the engine cannot
            see for itself. Of a sketch there is no `events`: `select` reads from `sketched`.
        above: further named queries between `events` and `select`, each of one row for one that it reads.
    """
    query = shape_query(shape, depth)
    asked = [*(sql for _, sql in above), select]
    upper = (("sketched", sketched_sql()),) if depth is Depth.SKETCH else (("decoded", decoded_sql()), *floors())
    below = pruned((("records", query.records), *upper), asked)
    named = (("lines", _LINES), *below, *above)
    parameters = {
        "paths": list(paths),
        "columns": query.columns,
        "cluster": cluster,
        "line_bytes": max(line_bytes, DEFAULT_LINE_BYTES),
        **query.parameters,
    }
    sql = with_floors(named, select)
    used = set(_PARAMETER.findall(sql))
    return ReadingQuery(sql, {name: value for name, value in parameters.items() if name in used})


def events_query(decoded: str, select: str, *, above: Sequence[tuple[str, str]] = ()) -> str:
    """The query `select` over the events that have been decoded already.

    Args:
        decoded: query for the columns of `decoded` that are needed, and any others.
        select: as for `reading_query`.
        above: as for `reading_query`.
    """
    below = pruned(floors(), [*(sql for _, sql in above), select])
    return with_floors((("decoded", decoded), *below, *above), select)


def decoded_columns(asked: Iterable[str]) -> tuple[str, ...]:
    """Columns of `decoded` that are needed for SQL that reads from `events`, or from what is above it."""
    words = needed(floors(), asked)
    return tuple(name for name in columns_of(decoded_sql()) if name in words)
