"""Where the rows of a reading stand in their sources, as a table of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubewitness.app.readings import Reading
    from kubewitness.query.engine import Engine

_CREATE = """
-- One row per stretch of rows whose lines follow each other: what to add to a row to get its line.
CREATE OR REPLACE TABLE places (first_row BIGINT, source_id INTEGER, to_line BIGINT)
"""

LINE = "CASE WHEN staged.source_id IS NULL THEN staged.rowid + places.to_line ELSE staged.record_line END"
"""Line of a row of `staged`, which is joined to the last of the `places` that begins at or before it."""


def store_places(engine: Engine, reading: Reading) -> None:
    """Fill the table `places` with where the rows of a reading are from."""
    engine.run(_CREATE)
    places = [place for span in reading.spans for place in span.places()]
    engine.run(
        "INSERT INTO places SELECT unnest($rows), unnest($ids), unnest($lines)",
        {
            "rows": [row for row, _, _ in places],
            "ids": [source_id for _, source_id, _ in places],
            "lines": [to_line for _, _, to_line in places],
        },
    )
