"""The table of a store: its columns, their types, and what a data file is called."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

from kubewitness.decode.engine_shapes import KIND_COLUMNS, decoded_sql
from kubewitness.facts import floors, macros
from kubewitness.model.event import COLUMNS, FACTS, Column, Group

FORMAT = 1
"""Version of the layout; a store with a higher one was made by a newer program."""

PARTITIONS = ("day", "cluster")
"""Columns of which each data file holds one value."""

OWN = (
    Column("day", "DATE", None, Group.PROVENANCE, "Day on which it happened (UTC)"),
    Column("source_key", "VARCHAR", None, Group.PROVENANCE, "Which source it is from, whatever its name is by now"),
    Column("partial", "BOOLEAN", None, Group.PROVENANCE, "Whether it was salvaged from a cut record"),
    Column("older_timestamp", "TIMESTAMP", None, Group.EVENT, "Time as `timestamp`, which older servers write"),
    Column(
        "remainder", "JSON", None, Group.PROVENANCE,
        "What the record says beyond the columns, as a merge patch (RFC 7396) on what they say",
    ),
    Column(
        "kind", "BIGINT", None, Group.PROVENANCE,
        "The same for events that differ only in what is their own: times, names, URIs, messages, bodies",
    ),
    Column("has_body", "BOOLEAN", None, Group.PROVENANCE, "Whether the record has a body, of request or answer"),
    Column("raw", "BLOB", None, Group.PROVENANCE, "The record as it was written, where no patch can say it"),
    Column(
        "lowered_by", "VARCHAR", None, Group.PROVENANCE,
        "SHA-256 of the audit policy by which the record was lowered since it was taken; null when it is as it was",
    ),
)  # fmt: skip
"""Columns of a store beside those of the events table."""

STORED = (*COLUMNS, *OWN)
LISTED = ", ".join(f'"{column.name}"' for column in STORED)
"""All columns of a store, as SQL."""
BY_STORED_NAME = {column.name: column for column in STORED}

_MADE = {*FACTS, *(column for column in OWN if column.name in {"kind", "has_body"})}
GIVEN = tuple(column for column in STORED if column not in _MADE)
"""Columns that are no facts: what facts can be derived from again, and where it is from."""

SORTED_BY = ("resource", "subresource", "verb", "actor", "kind", "happened_at")
"""Order of the rows of a data file: who asks for one kind of thing reads few of its row groups."""

STATISTICS = (
    "happened_at", "verb", "resource", "subresource", "namespace", "actor", "username", "level", "stage", "code",
    "source_key",
)  # fmt: skip
"""Columns of which the log of the table knows least and greatest value in each data file."""

HAS_BODY = "request_object IS NOT NULL OR response_object IS NOT NULL"
"""Column `has_body`, as SQL over what the log said."""

_NAMES_DRY_RUN = "contains(request_uri, 'dryRun=All')"
_LISTS = {column.name for column in STORED if column.is_list}
KIND = "(hash({}) >> 1)::BIGINT".format(
    ", ".join(
        (
            *(f"{name}::VARCHAR" if name in _LISTS else name for name in sorted(KIND_COLUMNS)),
            "truncated",
            "coalesce(contains(status_message, 'cannot impersonate'), FALSE)",
            _NAMES_DRY_RUN,
            f"CASE WHEN {_NAMES_DRY_RUN} THEN regexp_matches(request_uri, '^[^?]*\\?(?:[^&]*&)*dryRun=All(?:&|$)') END",
            "CASE WHEN starts_with(verb, 'delete') THEN request_object ->> '$.dryRun' END",
            "request_uri IS NULL",
            "request_object IS NULL",
            HAS_BODY,
        )
    )
)
"""Column `kind`, as SQL over what the log said. The hash may differ between files of different versions of the engine:
then a kind is two."""

_DELTA_TYPES = {
    "VARCHAR": "string",
    "JSON": "string",
    "BIGINT": "long",
    "INTEGER": "integer",
    "BOOLEAN": "boolean",
    "TIMESTAMP": "timestamp_ntz",
    "DATE": "date",
    "BLOB": "binary",
}


def schema_json() -> str:
    """The columns as a Delta schema."""
    fields = [
        {"name": column.name, "type": _delta_type(column.type), "nullable": True, "metadata": {"comment": column.about}}
        for column in STORED
    ]
    return json.dumps({"type": "struct", "fields": fields})


def _delta_type(type_: str) -> Any:
    if type_.endswith("[]"):
        return {"type": "array", "elementType": _delta_type(type_[:-2]), "containsNull": True}
    return _DELTA_TYPES[type_]


@cache
def facts_version() -> str:
    """What tells facts of this program from those of another: a hash of how they are made."""
    made = "\n".join(
        (macros(), decoded_sql(), *(sql for _, sql in floors()), *(column.name for column in STORED), KIND)
    )
    return hashlib.sha256(made.encode()).hexdigest()[:8]


def file_name(day: str | None, unique: str) -> str:
    """Path of a data file inside the store; it tells which facts are in it."""
    return f"day={day or 'unknown'}/{facts_version()}-{unique}.parquet"


def facts_of_file(path: str) -> str:
    """The version of the facts in a data file of this path."""
    return path.rpartition("/")[2].partition("-")[0]
