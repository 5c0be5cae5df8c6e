"""How much of a request is recorded, and when. Source: audit.k8s.io/v1, Level and Stage."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """How much of a request is recorded; in rising order."""

    NONE = "None"
    METADATA = "Metadata"
    REQUEST = "Request"
    REQUEST_RESPONSE = "RequestResponse"

    @property
    def rank(self) -> int:
        """0 for None to 3 for RequestResponse."""
        return _LEVELS[self]


class Stage(StrEnum):
    """The stage of a request that an event was written at."""

    REQUEST_RECEIVED = "RequestReceived"
    RESPONSE_STARTED = "ResponseStarted"
    RESPONSE_COMPLETE = "ResponseComplete"
    PANIC = "Panic"


_LEVELS = {level: rank for rank, level in enumerate(Level)}
