"""Reading a store's data files as the table `events`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubewitness.model.event import FACTS
from kubewitness.query.engine import with_floors
from kubewitness.query.reading import ReadingQuery, events_query
from kubewitness.store.table import GIVEN, HAS_BODY, KIND, STORED, facts_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kubewitness.store.files import DataFile

_WORD = re.compile(r"\w+")
_ROW_BITS = 40
_ROW_MASK = (1 << _ROW_BITS) - 1
_READ = (
    f'SELECT *, ((file_index + {{first}})::BIGINT << {_ROW_BITS}) | file_row_number AS "row"'  # noqa: S608 - a constant
    " FROM read_parquet({paths}, hive_partitioning = false, union_by_name = {unlike})"
)


def row_of(file: int, place: int) -> int:
    """The number `row` of an event, by the place of its file and its own place in it."""
    return file << _ROW_BITS | place


def place_of_row(row: int) -> tuple[int, int]:
    """What `row_of` was made of."""
    return row >> _ROW_BITS, row & _ROW_MASK


def stored_query(
    select: str,
    files: Sequence[DataFile],
    paths: Mapping[str, str],
    *,
    above: Sequence[tuple[str, str]] = (),
) -> ReadingQuery:
    """The query `select` over the events of data files.

    Facts of files that another version of the program has written are derived again from what the log said.

    The engine must have the macros of `kubewitness.facts`.

    Args:
        select: reads from `events`, or from a floor of `above`; columns are those of `table.STORED`, and `row`, a
            number of its own for each event.
        files: data files.
        paths: where the engine finds each, by its path in the store.
        above: further named queries between `events` and `select`.
    """
    current = [paths[each.path] for each in files if each.facts == facts_version()]
    older = [paths[each.path] for each in files if each.facts != facts_version()]
    parameters: dict[str, Any] = {}
    found = []
    if current:
        parameters["current_paths"] = current
        found.append(_READ.format(paths="$current_paths", first=0, unlike="false"))
    if older:
        parameters["older_paths"] = older
        found.append(
            _derived(
                _READ.format(paths="$older_paths", first=len(current), unlike="true"),
                [*(sql for _, sql in above), select],
            )
        )
    events = " UNION ALL BY NAME ".join(f"({sql})" for sql in found) or _empty()
    return ReadingQuery(with_floors((("events", events), *above), select), parameters)


def _derived(read: str, asked: Sequence[str]) -> str:
    """Events with those facts made anew that are asked for; a column that the files lack is null."""
    text = " ".join(asked).lower().replace("count(*)", "")
    words = set(_WORD.findall(text))
    given = ", ".join(f'"{column.name}"' for column in GIVEN)
    # A row of nulls that is never read gives each column its name and type.
    rows = f"({_empty()}) UNION ALL BY NAME ({read})"
    decoded = f'SELECT {given}, {HAS_BODY} AS has_body, {KIND} AS kind, "row" FROM ({rows})'  # noqa: S608 - our own columns
    facts = [column for column in FACTS if column.name in words or "*" in text]
    listed = ", ".join(f'"{column.name}"' for column in (*GIVEN, *facts))
    return events_query(decoded, f'SELECT {listed}, has_body, kind, "row" FROM events')  # noqa: S608 - same


def _empty() -> str:
    columns = ", ".join(f'NULL::{column.type} AS "{column.name}"' for column in STORED)
    return f'SELECT {columns}, NULL::BIGINT AS "row" WHERE FALSE'
