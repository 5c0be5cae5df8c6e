"""Landing: what pieces say, in a table of the engine, from which it is written into data files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from kubewitness.app.duplicates import find_cut_duplicates
from kubewitness.app.evidence import Evidence
from kubewitness.app.lake.said_bytes import ESCAPE_BYTES, SAID_BYTES
from kubewitness.app.places import LINE, store_places
from kubewitness.app.reading import Target, read_sources
from kubewitness.app.readings import Reading
from kubewitness.detect.duplicates import CREATE_DUPLICATES, RECORD_KEY, REQUEST_HASH, TIME_KEY
from kubewitness.model.ledger import Ledger, Origin, Rejection
from kubewitness.query.reading import OUTCOME
from kubewitness.store.table import GIVEN, HAS_BODY, KIND

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from kubewitness.app.lake.pieces import Piece
    from kubewitness.query.engine import Engine

_OF_THE_STORE = frozenset({"day", "source", "line", "source_key", "remainder", "raw", "lowered_by"})
READ = tuple(column for column in GIVEN if column.name not in _OF_THE_STORE)
"""Columns that come out of reading."""

_CREATE_STAGED = """
-- One row per record of the pieces, in their order.
CREATE OR REPLACE TABLE staged (
    source_id INTEGER, record_line BIGINT, outcome TINYINT, happened_at TIMESTAMP, record_key UBIGINT, time_key UBIGINT,
    event_bytes BIGINT, said_bytes BIGINT, escape_bytes BIGINT, {columns}
)
"""
_CREATE_PIECES = """
-- One row per piece: what its lines and bytes are in the source that it is from.
CREATE OR REPLACE TABLE pieces (id INTEGER, name VARCHAR, source_key VARCHAR, first_line BIGINT)
"""
SOURCE_LINE = f"pieces.first_line - 1 + {LINE}"
"""Line of a row of `staged` in the source that its piece is from; see `LINE`."""
_CREATE_ORIGINS = f"""
-- One row per event that counts: where it is from.
CREATE OR REPLACE TABLE origins AS
SELECT
    staged.rowid AS row,
    staged.happened_at::DATE AS day,
    pieces.name AS source,
    {SOURCE_LINE} AS line,
    pieces.source_key AS source_key
FROM (
    SELECT rowid, source_id, record_line, happened_at
    FROM staged
    WHERE outcome IN (1, 2) AND rowid NOT IN (SELECT event FROM duplicates)
) AS staged
ASOF LEFT JOIN places ON staged.rowid >= places.first_row
LEFT JOIN pieces ON pieces.id = coalesce(staged.source_id, places.source_id)
"""  # noqa: S608 - constants
_PARTITIONS = """
SELECT DISTINCT happened_at::DATE, cluster
FROM staged
WHERE outcome IN (1, 2) AND rowid NOT IN (SELECT event FROM duplicates)
"""
_CREATE_NOTES = """
-- One row per row whose record says more than its columns.
CREATE OR REPLACE TABLE notes (row BIGINT, remainder JSON, raw BLOB)
"""
_FEW_PLACES = 20
_LEDGER = """
SELECT
    count(*) FILTER (outcome = 1 AND NOT is_duplicate),
    count(*) FILTER (outcome = 2 AND NOT is_duplicate),
    count(*) FILTER (outcome IN (1, 2) AND is_duplicate),
    count(*) FILTER (outcome = 3)
FROM (SELECT outcome, rowid IN (SELECT event FROM duplicates) AS is_duplicate FROM staged)
"""


@dataclass(frozen=True, slots=True)
class Landing:
    """Pieces of one cluster that have been read.

    Attributes:
        engine: has the tables `staged`, `duplicates` (rows of it that do not count), `places`, `pieces` and `notes`.
        pieces: what was read.
        reading: how.
        evidence: to read records again.
    """

    engine: Engine
    pieces: Sequence[Piece]
    reading: Reading
    evidence: Evidence

    def partitions(self) -> list[tuple[date | None, str | None]]:
        """Days and clusters of the rows that count."""
        return self.engine.run(_PARTITIONS)

    def rows(self) -> range:
        """All rows, those that do not count too."""
        ((end,),) = self.engine.run("SELECT coalesce(max(rowid) + 1, 0) FROM staged")
        return range(end)

    def ledger(self) -> Ledger:
        """What became of every record."""
        ((events, partial, duplicates, other),) = self.engine.run(_LEDGER)
        ledger = self.reading.ledger(events=events, partial=partial, duplicates=duplicates, other=other)
        return replace(
            ledger,
            rejections=tuple(Rejection(each.reason, self._origin(each.origin)) for each in ledger.rejections),
            unreadable=tuple(Rejection(each.reason, self._origin(each.origin)) for each in ledger.unreadable),
        )

    def _origin(self, origin: Origin) -> Origin:
        """Where it stands in the source, out of where it stands in a piece."""
        for piece in self.pieces:
            if str(piece.path) == origin.source:
                line = None if origin.line is None else origin.line + piece.first_line - 1
                return Origin(piece.source.name, line)
        return origin


def land(engine: Engine, pieces: Sequence[Piece], folder: Path) -> Landing:
    """Read pieces of one cluster into the engine, and mark what is there twice.

    Args:
        engine: with the macros.
        pieces: of one cluster.
        folder: for temporary files.
    """
    columns = ", ".join(f'"{column.name}" {column.type}' for column in READ)
    engine.run(_CREATE_STAGED.format(columns=columns))
    reading = Reading()
    listed = ", ".join(f'"{column.name}"' for column in READ)
    select = (
        f"SELECT source_id, record_line, {OUTCOME} AS outcome, happened_at, {RECORD_KEY} AS record_key,"  # noqa: S608 - our own columns
        f" {TIME_KEY} AS time_key, event_bytes, {SAID_BYTES} AS said_bytes, {ESCAPE_BYTES} AS escape_bytes, {listed}"
        " FROM asked"
    )
    asked = f"SELECT *, {REQUEST_HASH} AS request_hash FROM events"  # noqa: S608 - same
    target = Target("staged", select, (("asked", asked),), as_written=True)
    paths = [str(piece.path) for piece in pieces]
    indexes = {str(piece.path): piece.index for piece in pieces if piece.index}
    read_sources(engine, paths, target, folder, reading, cluster=pieces[0].position.cluster, indexes=indexes)
    landing = Landing(engine, pieces, reading, Evidence(engine, reading, folder))
    engine.run(CREATE_DUPLICATES)
    find_cut_duplicates(engine, landing.evidence)
    _store_pieces(landing)
    store_places(engine, reading)
    engine.run(_CREATE_NOTES)
    return landing


def _store_pieces(landing: Landing) -> None:
    landing.engine.run(_CREATE_PIECES)
    by_path = {str(piece.path): piece for piece in landing.pieces}
    found = [by_path[source.path] for source in landing.reading.sources]
    landing.engine.run(
        "INSERT INTO pieces SELECT unnest($ids), unnest($names), unnest($keys), unnest($lines)",
        {
            "ids": [*range(len(found))],
            "names": [piece.source.name for piece in found],
            "keys": [piece.position.key for piece in found],
            "lines": [piece.first_line for piece in found],
        },
    )


def landed_query(landing: Landing, order: str, some: range | None = None) -> str:
    """Query for the events of a landing that count, in the columns that facts are made of.

    Args:
        landing: as far as duplicates are known.
        order: SQL to sort them by.
        some: the only rows that are wanted.
    """
    columns = ", ".join(f'staged."{column.name}"' for column in READ)
    has_notes = bool(landing.engine.run("SELECT 1 FROM notes LIMIT 1"))
    notes = " LEFT JOIN notes ON notes.row = staged.rowid" if has_notes else ""
    said = "notes.remainder, notes.raw" if has_notes else "NULL::JSON AS remainder, NULL::BLOB AS raw"
    wanted = f" WHERE staged.rowid >= {some.start} AND staged.rowid < {some.stop}" if some else ""
    origins, rows = _origins(landing)
    return (
        f"SELECT *, {HAS_BODY} AS has_body, {KIND} AS kind, NULL::VARCHAR AS lowered_by"  # noqa: S608 - our own columns
        f" FROM (SELECT {columns}, {origins}, {said}"
        f" FROM {rows}{notes}{wanted}) ORDER BY {order}"
    )


def _origins(landing: Landing) -> tuple[str, str]:
    """SQL for where a row is from, and for the rows that count.

    Where all rows follow each other in few sources it is a sum; else a table says it, and joins are dear for wide rows.
    """
    engine = landing.engine
    places = engine.run(
        "SELECT first_row, to_line + pieces.first_line - 1, pieces.name, pieces.source_key"
        " FROM places JOIN pieces ON pieces.id = places.source_id ORDER BY first_row"
    )
    is_simple = 0 < len(places) <= _FEW_PLACES and not engine.run(
        "SELECT 1 FROM staged WHERE source_id IS NOT NULL AND outcome IN (1, 2) LIMIT 1"
    )
    if not is_simple or engine.run("SELECT 1 FROM duplicates LIMIT 1"):
        engine.run(_CREATE_ORIGINS)
        origins = "origins.day, origins.source, origins.line, origins.source_key"
        return origins, "staged JOIN origins ON origins.row = staged.rowid"
    starts = [first for first, *_ in places[1:]]
    line, source, key = (
        "CASE {} ELSE {} END".format(
            " ".join(f"WHEN staged.rowid < {start} THEN {value}" for start, value in zip(starts, values, strict=False)),
            values[-1],
        )
        if starts
        else values[0]
        for values in (
            [f"staged.rowid + {int(to_line)}" for _, to_line, _, _ in places],
            [_quoted(name) for _, _, name, _ in places],
            [_quoted(key) for _, _, _, key in places],
        )
    )
    origins = f"staged.happened_at::DATE AS day, {source} AS source, {line} AS line, {key} AS source_key"
    return origins, "(SELECT rowid, * FROM staged WHERE outcome IN (1, 2)) AS staged"


def _quoted(text: str) -> str:
    return exp.Literal.string(text).sql("duckdb")
