"""How the events of a generated log are wrapped."""

from __future__ import annotations

from enum import StrEnum


class Shape(StrEnum):
    """One event a line, one Azure record a line (storage account), or many records a line (event hub)."""

    PLAIN = "plain"
    AZURE = "azure"
    EVENTHUB = "eventhub"
