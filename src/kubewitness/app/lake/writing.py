"""Writing data files: events of a query, with their facts, one file for each day and cluster."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from kubewitness.model.errors import StoreError
from kubewitness.query.engine import EngineError, quoted
from kubewitness.query.reading import events_query
from kubewitness.store.files import DataFile
from kubewitness.store.table import LISTED, PARTITIONS, SORTED_BY, STATISTICS, file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from kubewitness.query.engine import Engine
    from kubewitness.query.reading import ReadingQuery
    from kubewitness.store.places import Place

_ROW_GROUP_ROWS = 32_768
_FEW_PARTITIONS = 8
_LEVEL = 1
_OPTIONS = (
    f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {_LEVEL}, ROW_GROUP_SIZE {_ROW_GROUP_ROWS}, RETURN_STATS"
)
_PARTITIONED = f"{_OPTIONS}, PARTITION_BY ({', '.join(PARTITIONS)}), WRITE_PARTITION_COLUMNS"
_OF_A_PARTITION = " WHERE day IS NOT DISTINCT FROM $day AND cluster IS NOT DISTINCT FROM $cluster"
_ACTOR = "coalesce(nullif(impersonated_username, ''), nullif(username, ''))"
_HAPPENED = "coalesce(request_received_at, older_timestamp, stage_at, logged_at)"

ORDER = ", ".join({"actor": _ACTOR, "happened_at": _HAPPENED}.get(name, name) for name in SORTED_BY)
"""What events are sorted by, as SQL over columns that facts are made of, and `kind`."""


def write_files(
    engine: Engine,
    decoded: str,
    partitions: Iterable[tuple[date | None, str | None]],
    *,
    place: Place,
    folder: Path,
) -> list[DataFile]:
    """Write events, with their facts, into data files of a store; they do not count before they are committed.

    Args:
        engine: with the macros.
        decoded: query for what facts are made of, and where it is from; sorted.
        partitions: days and clusters that occur.
        place: of the store.
        folder: for temporary files, where the place needs them.

    Raises:
        StoreError: they cannot be written; none is left.
    """
    partitions = list(partitions)
    query = events_query(decoded, f"SELECT {LISTED} FROM events")  # noqa: S608 - our own columns
    with _writing(place, folder) as writer:
        if len(partitions) <= _FEW_PARTITIONS:
            for day, cluster in partitions:
                writer.write(engine, query + _OF_A_PARTITION, {"day": day, "cluster": cluster})
        else:
            writer.write(engine, query, None, is_partitioned=True)
    return writer.files


def rewrite_files(engine: Engine, query: ReadingQuery, *, place: Place, folder: Path) -> list[DataFile]:
    """Write events of one day and cluster, which have their facts, into a data file, as `write_files` does.

    Args:
        engine: with the macros.
        query: for the columns of a store, sorted.
        place: of the store.
        folder: for temporary files, where the place needs them.

    Raises:
        StoreError: they cannot be written; none is left.
    """
    with _writing(place, folder) as writer:
        writer.write(engine, query.sql, query.parameters)
    return writer.files


@contextmanager
def _writing(place: Place, folder: Path) -> Iterator[_Writer]:
    """A writer, whose files are deleted when not all can be written."""
    with place.staging(folder) as staging:
        writer = _Writer(place, staging)
        try:
            yield writer
        except (EngineError, OSError) as error:
            drop_files(writer.files, place)
            hint = "make room: the same command goes on where it was" if "space" in str(error) else None
            raise StoreError(f"cannot be written: {error}", where=place.location, hint=hint) from error
        except BaseException:
            drop_files(writer.files, place)
            raise


class _Writer:
    def __init__(self, place: Place, staging: Path) -> None:
        self._place = place
        self._staging = staging
        self.files: list[DataFile] = []

    def write(
        self, engine: Engine, sql: str, parameters: Mapping[str, Any] | None, *, is_partitioned: bool = False
    ) -> None:
        path = self._staging / uuid4().hex
        options = _PARTITIONED if is_partitioned else _OPTIONS
        target = quoted(str(path if is_partitioned else path.with_suffix(".parquet")))
        for row in engine.rows(f"COPY ({sql}) TO {target} ({options})", parameters):
            if row["count"]:
                self.files.append(_keep(row, self._place))


def drop_files(files: Iterable[DataFile], place: Place) -> None:
    """Delete files that were never committed."""
    for each in files:
        with suppress(OSError):
            place.delete(each.path)


def _keep(row: Mapping[str, Any], place: Place) -> DataFile:
    statistics = {name.strip('"'): values for name, values in row["column_statistics"].items()}
    day = statistics["day"].get("min")
    path = file_name(day, uuid4().hex)
    size = os.stat(row["filename"]).st_size  # noqa: PTH116 - paths are text here
    place.keep(row["filename"], path)
    return DataFile(
        path,
        size,
        row["count"],
        date.fromisoformat(day) if day else None,
        statistics["cluster"].get("min"),
        {name: value for name in STATISTICS if (value := _exact(name, statistics[name], "min")) is not None},
        {name: value for name in STATISTICS if (value := _exact(name, statistics[name], "max")) is not None},
        {name: int(statistics[name]["null_count"]) for name in STATISTICS},
    )


def _exact(name: str, values: Mapping[str, str], side: str) -> Any:
    """The least or greatest value of a column; None where only a part of it is known."""
    if side not in values or values.get(f"{side}_is_exact", "true") != "true":
        return None
    value = values[side]
    match name:
        case "happened_at":
            return datetime.fromisoformat(value)
        case "code":
            return int(value)
        case _:
            return value
