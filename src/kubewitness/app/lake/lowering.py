"""Records of a store as a policy would have had them written: which go, and which lose a level or managedFields.

The engine decides, as it does for a log (`policy/bulk.py`), and takes bodies away. Records of which more has to be
changed than that are written back, edited as `policy apply` edits them, and taken apart again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from kubewitness.app.policies.lines import EDITS
from kubewitness.model.recording import Level
from kubewitness.policy.action import Action
from kubewitness.policy.bulk import acted_floors
from kubewitness.policy.edit import GATED, MANAGED_FIELDS, Edit, Subject, edited, edited_body, without_gated
from kubewitness.query.reading import ReadingQuery, events_query
from kubewitness.store.original import WRITTEN, parse_record, rebuild, remainder, written_back
from kubewitness.store.relation import stored_query
from kubewitness.store.table import GIVEN, HAS_BODY, KIND, LISTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubewitness.policy.model import Policy
    from kubewitness.query.engine import Engine
    from kubewitness.store.files import DataFile

_PAGE_ROWS = 2_000
_SLICE_BYTES = 48 << 20
_CHANGED = ("level", "annotations", "request_object", "response_object", "remainder", "raw")
"""Columns that an edit changes, beside facts."""

_HAS_MANAGED = f"coalesce(contains({{}}, '{MANAGED_FIELDS.decode()}'), FALSE)"
_GIVEN = ", ".join(f'"{column.name}"' for column in GIVEN)
_WHOLE = ("stored", f'SELECT {_GIVEN}, "row", TRUE AS fits, NULL::VARCHAR AS other_category FROM events')  # noqa: S608 - our own columns


_CREATE_CHANGES = f"""
-- One row per event that goes or may change: `is_dear` where more changes than the level and whole bodies.
CREATE TABLE changes AS
SELECT
    "row",
    action AS policy_action,
    action NOT IN ('N', 'S') AND (
        remainder IS NOT NULL OR raw IS NOT NULL OR level IS NULL OR action = 'k'
        OR action = 'r' AND {_HAS_MANAGED.format("request_object")}
        OR action = 'M' AND coalesce(contains(annotations, '{GATED}'), FALSE)
    ) AS is_dear
FROM ({{acted}})
WHERE
    ({{old}}) AND (
        action IN ('N', 'S', 'M', 'R', 'r')
        OR action = 'k' AND (
            {_HAS_MANAGED.format("request_object")} OR {_HAS_MANAGED.format("response_object")}
        )
    )
"""  # noqa: S608 - constants
_DEAR = f"""
-- One row per event to be edited.
SELECT changes."row", policy_action, {", ".join((*WRITTEN, "remainder", "raw"))}
FROM events JOIN changes ON changes."row" = events."row"
WHERE is_dear
"""  # noqa: S608 - our own columns
_CREATE_EDITS = """
-- One row per event that was edited: the columns that changed with it.
CREATE TABLE edits ("row" BIGINT, level VARCHAR, annotations JSON, request_object JSON, response_object JSON,
    remainder JSON, raw BLOB)
"""
_SLICES = f"""
-- One row per slice of the file: its last row. What is edited in a slice fits into memory.
SELECT max("row")
FROM (
    SELECT "row", sum(bytes) OVER (ORDER BY "row") // {_SLICE_BYTES} AS slice
    FROM (
        SELECT
            "row",
            coalesce(strlen(request_object), 0) + coalesce(strlen(response_object), 0) + coalesce(octet_length(raw), 0)
                AS bytes
        FROM edits
    )
)
GROUP BY slice ORDER BY 1
"""  # noqa: S608 - a constant
_COUNTS = """
SELECT
    count(*) FILTER (policy_action IN ('N', 'S')),
    count(*) FILTER (policy_action IN ('M', 'R', 'r')),
    count(*) FILTER (policy_action = 'k')
FROM changes
"""
_CHEAP = {
    "level": "CASE policy_action WHEN 'M' THEN 'Metadata' ELSE 'Request' END",
    "request_object": "CASE WHEN policy_action <> 'M' THEN events.request_object END",
    "response_object": "NULL",
    "lowered_by": "$policy_sha256",
}
_EDITED = {
    **{name: f"CASE WHEN is_dear THEN edits.{name} ELSE {_CHEAP.get(name, f'events.{name}')} END" for name in _CHANGED},
    "lowered_by": "$policy_sha256",
}


@dataclass(frozen=True, slots=True)
class Lowered:
    """What a policy does to events of a store.

    Attributes:
        gone: events that it does not record.
        lowered: events that lose a level, and with it what it held.
        trimmed: events that lose managedFields only.
    """

    gone: int = 0
    lowered: int = 0
    trimmed: int = 0

    def __bool__(self) -> bool:
        return bool(self.gone or self.lowered or self.trimmed)

    def __add__(self, other: Lowered) -> Lowered:
        return Lowered(self.gone + other.gone, self.lowered + other.lowered, self.trimmed + other.trimmed)


def find_lowered(engine: Engine, file: DataFile, path: str, policy: Policy, old: str) -> Lowered:
    """Decide about events of a data file, and keep in the tables `changes` and `edits` what becomes of them.

    Args:
        engine: with the macros, and new: the tables are made.
        file: of the store.
        path: where the engine finds it.
        policy: what decides.
        old: which events it decides about, as SQL.
    """
    floors = (_WHOLE, *acted_floors(policy, "stored"))
    acted = stored_query("SELECT * FROM acted", [file], {file.path: path}, above=floors)
    engine.run(_CREATE_CHANGES.format(acted=acted.sql, old=old), acted.parameters)
    engine.run(_CREATE_EDITS)
    dear = stored_query(_DEAR, [file], {file.path: path})
    rows = engine.each_row(dear.sql, dear.parameters)
    while page := list(islice(rows, _PAGE_ROWS)):
        _edit(engine, page)
    ((gone, lowered, trimmed),) = engine.run(_COUNTS)
    return Lowered(gone, lowered, trimmed)


def lowered_queries(engine: Engine, file: DataFile, path: str, sha256: str) -> list[ReadingQuery]:
    """Queries for the events of a data file, in the columns of a store, after what the tables say that becomes of them.

    Together they give all of them, each those of a slice, in the order of the file: what is lowered together stands
    together.

    Args:
        engine: with the tables `changes` and `edits`.
        file: of the store.
        path: where the engine finds it.
        sha256: of the policy.
    """
    listed = ", ".join(
        f'CASE WHEN policy_action IS NULL THEN events."{name}" ELSE {_EDITED[name]} END AS "{name}"'
        if name in _EDITED
        else f'events."{name}"'
        for name in (column.name for column in GIVEN)
    )
    select = (
        f'SELECT {listed} FROM events LEFT JOIN changes ON changes."row" = events."row"'  # noqa: S608 - our own columns
        ' LEFT JOIN (SELECT * FROM edits WHERE "row" > $first AND "row" <= $last) AS edits'
        ' ON edits."row" = events."row"'
        ' WHERE events."row" > $first AND events."row" <= $last'
        " AND (policy_action IS NULL OR policy_action NOT IN ('N', 'S'))"
    )
    query = stored_query(select, [file], {file.path: path})
    decoded = f"SELECT *, {HAS_BODY} AS has_body, {KIND} AS kind FROM ({query.sql})"  # noqa: S608 - same
    whole = events_query(decoded, f"SELECT {LISTED} FROM events")  # noqa: S608 - same
    ends = [end for (end,) in engine.run(_SLICES)][:-1]
    return [
        ReadingQuery(whole, {**query.parameters, "policy_sha256": sha256, "first": first, "last": last})
        for first, last in pairwise([-1, *ends, file.events])
    ]


def is_lowered_copy(event: bytes, record: Any) -> bool:
    """Whether a record, parsed, is what some policy leaves of an event."""
    edits = {Edit(level, managed) for level, managed in EDITS.values()}
    return any(parse_record(edited(event, edit)) == record for edit in edits)


def _edit(engine: Engine, rows: list[dict[str, Any]]) -> None:
    """Edit a page of events; one that says what it said before is no change."""
    found: dict[str, list[Any]] = {name: [] for name in ("row", *_CHANGED)}
    same = []
    for row in rows:
        after = _edited(row)
        if all(after[name] == row[name] for name in _CHANGED):
            same.append(row["row"])
            continue
        found["row"].append(row["row"])
        for name in _CHANGED:
            found[name].append(after[name])
    engine.run('DELETE FROM changes WHERE "row" IN (SELECT unnest($rows::BIGINT[]))', {"rows": same})
    types = {"row": "BIGINT[]", "raw": "BLOB[]"}
    listed = ", ".join(f"unnest(${name}::{types.get(name, 'VARCHAR[]')})" for name in found)
    engine.run(f"INSERT INTO edits SELECT {listed}", found)


def _edited(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an event that an edit changes, after it."""
    level, managed = EDITS[Action(row["policy_action"])]
    edit = Edit(level, managed)
    record = edited(written_back(row), edit)
    subject = Subject(row["verb"] or "", row["resource"] or "")
    after = {name: row[name] for name in _CHANGED}
    if level is not None and row["level"] is not None:
        after["level"] = level.value
    if level is Level.METADATA:
        after["annotations"] = _text(row["annotations"], without_gated)
        after["request_object"] = after["response_object"] = None
    else:
        after["request_object"] = _text(
            row["request_object"], lambda body: edited_body(body, edit, subject, is_request=True)
        )
        after["response_object"] = (
            None if level is not None else _text(row["response_object"], lambda body: edited_body(body, edit, subject))
        )
    if row["raw"] is not None:
        return {**after, "raw": record}
    patch = remainder(parse_record(record), rebuild({**row, **after}))
    after["remainder"] = json.dumps(patch, ensure_ascii=False, separators=(",", ":")) if patch else None
    return {**after, "raw": record if patch is None else None}


def _text(value: str | None, change: Any) -> str | None:
    if value is None:
        return None
    after = change(value.encode("utf-8", "surrogatepass"))
    return None if after is None else bytes(after).decode("utf-8", "surrogatepass")
