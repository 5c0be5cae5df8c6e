"""Which columns events have, by the level and the stage at which they are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.facts import BODY_FACTS
from kubewitness.model.recording import Level, Stage

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

# Columns that are not there before the server has answered.
_ANSWERED = frozenset(
    "code status status_reason status_message annotations authentication_metadata succeeded carried_out allowed"
    " authorized_by authorized_binding authorized_role impersonated_username impersonated_uid impersonated_groups"
    " impersonated_extra impersonated".split()
)
RESPONSE_ONLY = frozenset({"response_object"})
"""Columns that only the level RequestResponse has."""
# Facts that a request without bodies shows as well, as far as it goes.
_WITHOUT_BODIES = frozenset({"object_name", "dry_run", "truncated"})
BODIES = (BODY_FACTS - _WITHOUT_BODIES) | {"request_object", "response_object"}
"""Columns that the level Metadata does not have."""
NOT_YET = _ANSWERED | BODIES
"""Columns that the stage RequestReceived does not have."""


def stage_alike(stage: Stage, columns: AbstractSet[str]) -> Stage:
    """The stage that shows a predicate over these columns what this one does: ResponseComplete, where they agree."""
    if "stage" in columns or (stage is Stage.REQUEST_RECEIVED and columns & NOT_YET):
        return stage
    return Stage.RESPONSE_COMPLETE


def levels_apart(columns: AbstractSet[str]) -> tuple[Level, ...]:
    """The levels, lowest first, without those that show a predicate over these columns no more than the one before."""
    if "level" in columns:
        return (Level.METADATA, Level.REQUEST, Level.REQUEST_RESPONSE)
    request = (Level.REQUEST,) if columns & (BODIES - RESPONSE_ONLY) else ()
    response = (Level.REQUEST_RESPONSE,) if columns & RESPONSE_ONLY else ()
    return (Level.METADATA, *request, *response)
