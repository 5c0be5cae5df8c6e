"""What becomes of an event when a policy is applied to a log."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """One letter for each event: the engine decides them in bulk (`policy/sql/acted.sql`)."""

    NOT_AN_EVENT = "-"
    DROP_BY_LEVEL = "N"
    DROP_BY_STAGE = "S"
    KEEP_AS_CUT = "C"
    KEEP = "K"
    KEEP_WITHOUT_MANAGED_FIELDS = "k"
    LOWER_TO_METADATA = "M"
    LOWER_TO_REQUEST = "R"
    LOWER_TO_REQUEST_WITHOUT_MANAGED_FIELDS = "r"
