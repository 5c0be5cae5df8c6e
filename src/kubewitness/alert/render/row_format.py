"""Names of the formats of rows, apart from what writes them: help must come quickly."""

from __future__ import annotations

from enum import StrEnum


class RowFormat(StrEnum):
    """How to print rows."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
