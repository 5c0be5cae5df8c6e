"""Reading a store's data files as the table `events`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubewitness.model.event import FACTS
from kubewitness.query.engine import with_floors
from kubewitness.query.reading import ReadingQuery, events_query
from kubewitness.store.table import GIVEN, HAS_BODY, KIND, STORED, facts_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kubewitness.store.files import DataFile

_WORD = re.compile(r"\w+")
_ROW_BITS = 40
_ROW_MASK = (1 << _ROW_BITS) - 1
_READ = (
    f'SELECT *, (({{number}})::BIGINT << {_ROW_BITS}) | file_row_number AS "row"'  # noqa: S608 - a constant
    " FROM read_parquet({paths}, hive_partitioning = false, union_by_name = {unlike})"
)
_FEW_FILES = 16
"""So many files are read each by itself where single events are looked up: the engine passes over the rest of them."""


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
    rows: Iterable[int] | None = None,
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
        rows: numbers of the only events that `events` is to have; it is not read through for them.
    """
    ordered = sorted(files, key=lambda file: file.facts != facts_version())  # newer facts first
    places = None if rows is None else _by_file(rows)
    found: list[str] = []
    parameters: dict[str, Any] = {}
    for is_older in (False, True):
        numbered = [
            (number, paths[each.path])
            for number, each in enumerate(ordered)
            if (each.facts != facts_version()) is is_older and (places is None or number in places)
        ]
        if not numbered:
            continue
        name = "older" if is_older else "current"
        read, given = _placed(numbered, places, name) if places else _whole(numbered, name)
        parameters |= given
        found.append(_derived(read, [*(sql for _, sql in above), select]) if is_older else read)
    events = " UNION ALL BY NAME ".join(f"({sql})" for sql in found) or _empty()
    return ReadingQuery(with_floors((("events", events), *above), select), parameters)


def _whole(numbered: Sequence[tuple[int, str]], name: str) -> tuple[str, dict[str, Any]]:
    """Query for all events of files that follow each other, and its parameters."""
    read = _READ.format(
        number=f"file_index + {numbered[0][0]}", paths=f"${name}_paths", unlike=str(name == "older").lower()
    )
    return read, {f"{name}_paths": [path for _, path in numbered]}


def _placed(
    numbered: Sequence[tuple[int, str]], places: Mapping[int, Sequence[int]], name: str
) -> tuple[str, dict[str, Any]]:
    """Query for events at places in files, and its parameters."""
    unlike = str(name == "older").lower()
    if len(numbered) > _FEW_FILES:
        place_of_file = f"list_extract(${name}_numbers, file_index::BIGINT + 1)"
        read = _READ.format(number=place_of_file, paths=f"${name}_paths", unlike=unlike)
        rows = [row_of(number, place) for number, _ in numbered for place in places[number]]
        return f'SELECT * FROM ({read}) WHERE "row" IN (SELECT unnest(${name}_rows))', {  # noqa: S608 - our own columns
            f"{name}_paths": [path for _, path in numbered],
            f"{name}_numbers": [number for number, _ in numbered],
            f"{name}_rows": rows,
        }
    parts = []
    parameters: dict[str, Any] = {}
    for number, path in numbered:
        read = _READ.format(number=number, paths=f"$paths_{number}", unlike=unlike)
        parts.append(f"({read} WHERE file_row_number IN (SELECT unnest($places_{number})))")
        parameters |= {f"paths_{number}": [path], f"places_{number}": places[number]}
    return " UNION ALL BY NAME ".join(parts), parameters


def _by_file(rows: Iterable[int]) -> dict[int, list[int]]:
    """Places of rows, by the number of their file."""
    found: dict[int, list[int]] = {}
    for row in sorted(rows):
        number, place = place_of_row(row)
        found.setdefault(number, []).append(place)
    return found


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
