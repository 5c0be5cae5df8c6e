"""What records say beyond their columns: found by length first, so that hardly any has to be looked at again.

Where a record has the length that an API server would write (said_bytes.py), it says the same: a field that is not
known makes it longer. All others are parsed again and compared.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from kubewitness.app.parts import read_rows
from kubewitness.decode import read_canonical
from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.sources import index_lines
from kubewitness.store.original import WRITTEN, parse_record, rebuild, remainder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.app.lake.landing import Landing
    from kubewitness.app.parts import Span

_PAGE_ROWS = 20_000

_CREATE_LENGTHS = """
-- One row per row whose record is a line: how long it is, without the newline.
CREATE OR REPLACE TABLE lengths (row BIGINT, bytes BIGINT)
"""
_ADD_LENGTHS = """
INSERT INTO lengths SELECT $first + unnest(range($records)), unnest(string_split($bytes, ',')::BIGINT[])
"""
_UNSURE = """
-- One row per event that may say more than its columns, and how long its record is if it does not.
SELECT staged.rowid AS row, said_bytes
FROM staged LEFT JOIN lengths ON lengths.row = staged.rowid
WHERE
    outcome IN (1, 2) AND staged.rowid >= $first AND staged.rowid < $end
    AND (partial OR coalesce(lengths.bytes, event_bytes) IS DISTINCT FROM said_bytes + escape_bytes)
ORDER BY row
"""
_VALUES = f"""
SELECT rowid AS row, {", ".join(f'"{name}"' for name in WRITTEN)} FROM staged WHERE rowid IN (SELECT unnest($rows))
"""  # noqa: S608 - names of columns


def note_remainders(landing: Landing) -> None:
    """Fill the table `notes` with what the records of a landing say beyond their columns."""
    engine, reading = landing.engine, landing.reading
    engine.run(_CREATE_LENGTHS)
    if not reading.spans:
        return  # every record was rejected
    ends = [span.first_row for span in reading.spans[1:]]
    ((last,),) = engine.run("SELECT coalesce(max(rowid) + 1, 0) FROM staged")
    for span, end in zip(reading.spans, [*ends, last], strict=True):
        if span.part.shape is EngineShape.TABLE:
            continue  # a row of a table has no record of its own: its columns are all there is
        if span.part.shape is EngineShape.PLAIN:
            _store_lengths(landing, span)
        unsure = engine.run(_UNSURE, {"first": span.first_row, "end": end})
        for at in range(0, len(unsure), _PAGE_ROWS):
            _note(landing, span, dict(unsure[at : at + _PAGE_ROWS]))


def _store_lengths(landing: Landing, span: Span) -> None:
    lines = span.lines if span.lines.is_exact else index_lines(span.part.path)
    if not lines.is_exact:
        return
    first, records = span.part.first_record, span.lines.records
    if records:
        ends = lines.bounds(first, first + records)
        lengths = ",".join([str(end - start - 1) for start, end in pairwise(ends)])
        landing.engine.run(_ADD_LENGTHS, {"first": span.first_row, "records": records, "bytes": lengths})


def _note(landing: Landing, span: Span, unsure: dict[int, int]) -> None:
    """Look at records again, given how long each is if it says no more than its columns."""
    records: dict[int, Any] = {}
    raw: dict[int, bytes] = {}
    for row, text, is_partial in _texts(span, [*unsure]):
        value = None if is_partial else parse_record(text)
        if value is None:
            raw[row] = text
        elif len(msgspec.json.encode(value)) != unsure[row]:
            records[row] = value
    notes: list[tuple[int, str | None, bytes | None]] = [(row, None, text) for row, text in raw.items()]
    left: list[int] = []
    for values in landing.engine.rows(_VALUES, {"rows": [*records]}):
        patch = remainder(records[values["row"]], rebuild(values))
        if patch is None:
            left.append(values["row"])
        elif patch:
            notes.append((values["row"], json.dumps(patch, ensure_ascii=False, separators=(",", ":")), None))
    notes += [(row, None, text) for row, text, _ in _texts(span, sorted(left))]
    if notes:
        landing.engine.run(
            "INSERT INTO notes SELECT unnest($rows), unnest($patches::VARCHAR[]), unnest($texts::BLOB[])",
            {
                "rows": [row for row, _, _ in notes],
                "patches": [patch for _, patch, _ in notes],
                "texts": [text for _, _, text in notes],
            },
        )


def _texts(span: Span, rows: list[int]) -> Iterator[tuple[int, bytes, bool]]:
    """Yield (row, text of its record, whether it was cut) of rows of a span."""
    for row, text in read_rows([(span, rows)]):
        match span.part.shape:
            case EngineShape.CANONICAL:
                canonical = read_canonical(text)
                yield row, canonical.original or canonical.text, canonical.partial
            case EngineShape.AZURE:
                log = json.loads(text)["properties"]["log"]
                yield row, log.encode() if isinstance(log, str) else json.dumps(log).encode(), False
            case _:
                yield row, text, False
