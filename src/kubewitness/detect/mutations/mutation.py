"""What mutations are called, and what each does to an event."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubewitness.detect.cases import Event


class Mutation(StrEnum):
    """Names of mutations, as `exempt` gives them."""

    ACTOR = "actor"
    PATCH_MERGE = "patch-merge"
    PATCH_JSON = "patch-json"
    PATCH_APPLY = "patch-apply"
    TEMPLATE = "template"
    SPARSE = "sparse"
    VERSION = "version"
    ENVELOPE = "envelope"


EXEMPTIONS: dict[str, tuple[Mutation, ...]] = {
    **{each.value: (each,) for each in Mutation},
    "patch": (Mutation.PATCH_MERGE, Mutation.PATCH_JSON, Mutation.PATCH_APPLY),
}
"""What can be exempted, and which mutations it covers."""


Change: TypeAlias = "Callable[[Event], Event | None]"
"""Changes an event in place or gives another one; None when it makes no sense for this event."""


def object_of(event: Event) -> dict[str, Any]:
    """The reference to the object, as it stands in the event; empty where there is none."""
    reference = event.get("objectRef")
    return reference if isinstance(reference, dict) else {}
