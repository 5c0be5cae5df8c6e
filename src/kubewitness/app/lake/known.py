"""What of a landing is in the store already: the same record again, by the rules of docs/explanation/duplicates.md."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kubewitness.app.duplicates import DELAY, is_same
from kubewitness.app.lake.landing import SOURCE_LINE
from kubewitness.model.event import API
from kubewitness.store.files import select_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.app.lake.landing import Landing
    from kubewitness.store.files import DataFile
    from kubewitness.store.places import Place

_COMPARED = (*(column.name for column in API), "cluster", "logged_at")
_PERIODS = """
-- One row per cluster: when its new events happened.
SELECT cluster, min(happened_at), max(happened_at), bool_or(partial)
FROM staged
WHERE outcome IN (1, 2) AND rowid NOT IN (SELECT event FROM duplicates)
GROUP BY cluster
"""
_STORED = "read_parquet($paths, hive_partitioning = false, union_by_name = true)"
_MARKED = f"(SELECT * FROM {_STORED} UNION ALL BY NAME SELECT NULL::VARCHAR AS lowered_by WHERE FALSE)"  # noqa: S608 - files of older programs lack it
_LOWERED = frozenset({"level", "annotations", "request_object", "response_object"})
"""What a record may have lost since it was taken."""
_SAME_REQUEST = " AND ".join(
    f"staged.{name} IS NOT DISTINCT FROM stored.{name}" for name in ("stage", "verb", "request_uri", "username")
)
_WHOLE = f"""
-- One row per new event that is the same record as a stored one.
INSERT INTO duplicates
SELECT DISTINCT staged.rowid
FROM staged
JOIN (
    SELECT audit_id, stage, verb, request_uri, username, cluster, happened_at
    FROM {_STORED}
    WHERE NOT partial AND happened_at BETWEEN $first AND $last
) AS stored ON staged.audit_id = stored.audit_id
WHERE
    staged.outcome = 1 AND staged.happened_at = stored.happened_at AND {_SAME_REQUEST}
    AND staged.cluster IS NOT DISTINCT FROM stored.cluster AND staged.rowid NOT IN (SELECT event FROM duplicates)
"""  # noqa: S608 - constants of this module
_CUT = f"""
-- One row per new cut event and stored event of the same request and stage.
SELECT staged.rowid AS row, {", ".join(f"stored.{name}" for name in (*_COMPARED, "lowered_by"))}
FROM staged
JOIN {_MARKED} AS stored ON staged.audit_id = stored.audit_id
WHERE staged.outcome = 2 AND {_SAME_REQUEST} AND staged.rowid NOT IN (SELECT event FROM duplicates)
QUALIFY row_number() OVER (PARTITION BY staged.rowid ORDER BY stored.partial) <= 8
"""  # noqa: S608 - same
_AGAIN = f"""
-- One row per new event without an id that stands where a stored one stands: its source is read again.
INSERT INTO duplicates
SELECT DISTINCT origin.row
FROM (
    SELECT
        staged.*, staged.rowid AS row, pieces.source_key, {SOURCE_LINE} AS line
    FROM staged
    ASOF LEFT JOIN places ON staged.rowid >= places.first_row
    LEFT JOIN pieces ON pieces.id = coalesce(staged.source_id, places.source_id)
    WHERE outcome IN (1, 2) AND (audit_id IS NULL OR happened_at IS NULL)
) AS origin
JOIN (SELECT * FROM {_STORED} WHERE audit_id IS NULL OR happened_at IS NULL) AS stored
    ON origin.source_key = stored.source_key AND origin.line = stored.line
WHERE
    {_SAME_REQUEST.replace("staged.", "origin.")} AND origin.audit_id IS NOT DISTINCT FROM stored.audit_id
    AND origin.happened_at IS NOT DISTINCT FROM stored.happened_at
    AND origin.row NOT IN (SELECT event FROM duplicates)
"""  # noqa: S608 - same


def mark_known(landing: Landing, files: Sequence[DataFile], place: Place) -> int:
    """Add to the table `duplicates` the rows of a landing that are in the store already, and say how many.

    Args:
        landing: what has been read.
        files: data files to look at.
        place: of the store.
    """
    engine = landing.engine
    before = _count(landing)
    for cluster, first, last, has_partial in engine.run(_PERIODS):
        slack = DELAY if has_partial else timedelta(0)
        if first is not None:
            near = select_files(
                files, since=first - slack, until=last + slack + timedelta(microseconds=1), clusters={cluster}
            )
            if near:
                paths = [*place.paths(each.path for each in near).values()]
                engine.run(_WHOLE, {"paths": paths, "first": first, "last": last})
                if has_partial:
                    _mark_cut(landing, paths)
    if _has_nameless(landing):
        _mark_again(landing, files, place)
    return _count(landing) - before


def _mark_cut(landing: Landing, paths: list[str]) -> None:
    twins = landing.engine.rows(_CUT, {"paths": paths})
    cut = landing.evidence.events({twin["row"] for twin in twins}, _COMPARED)
    same = {twin["row"] for twin in twins if twin["row"] in cut and _is_known(cut[twin["row"]], twin)}
    if same:
        landing.engine.run("INSERT INTO duplicates SELECT unnest($rows)", {"rows": sorted(same)})


def _is_known(cut: dict[str, Any], twin: dict[str, Any]) -> bool:
    if twin["lowered_by"] is not None:
        cut = {name: value for name, value in cut.items() if name not in _LOWERED}
    return is_same(cut, _present(twin))


def _mark_again(landing: Landing, files: Sequence[DataFile], place: Place) -> None:
    keys = {piece.position.key for piece in landing.pieces}
    found = [each for each in files if any(_may_be_of(each, key) for key in keys)]
    if found:
        landing.engine.run(_AGAIN, {"paths": [*place.paths(each.path for each in found).values()]})


def _may_be_of(file: DataFile, key: str) -> bool:
    return bool(file.least.get("source_key", key) <= key <= file.greatest.get("source_key", key))


def _has_nameless(landing: Landing) -> bool:
    """Whether there are events of which no two can be told to be the same record by what they say."""
    rows: list[tuple[int]] = landing.engine.run(
        "SELECT 1 FROM staged WHERE outcome IN (1, 2) AND (audit_id IS NULL OR happened_at IS NULL) LIMIT 1"
    )
    return len(rows) > 0


def _present(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _count(landing: Landing) -> int:
    ((count,),) = landing.engine.run("SELECT count(*) FROM duplicates")
    return int(count)
