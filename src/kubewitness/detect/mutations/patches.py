"""Creations as patches of each kind: the object is there already, or is made by applying it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubewitness.detect.mutations.mutation import Mutation, object_of
from kubewitness.detect.mutations.patch_bodies import (
    NEW_NAME,
    answer_to,
    json_patch,
    json_patch_of_fields,
    merge_patch,
    whole_object,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubewitness.detect.cases import Event
    from kubewitness.detect.mutations.mutation import Change

# What can be created but not changed: requests for an answer, in the dress of an object.
_ANSWERS = re.compile(r"(?:reviews?|^bindings)$")
# Parameters that say how it is written: a patch has its own.
_OF_THE_WRITE = ("fieldManager=", "fieldValidation=")
_CREATED = 201
_FIRST_ERROR = 400


@dataclass(frozen=True, slots=True)
class Patch:
    """A kind of patch.

    Attributes:
        body: makes what is sent of the whole object.
        query: parameters of its request.
        code: of the answer when it made the object.
    """

    body: Callable[[Mapping[str, Any]], Any]
    query: str
    code: int


def patcher(change: Patch, *, with_response: bool) -> Change:
    """What turns a creation with a body into this patch; a refused one has no object as its answer."""

    def patch(event: Event) -> Event | None:
        body = event.get("requestObject", event.get("responseObject"))
        failed = (_code(event) or 0) >= _FIRST_ERROR
        if not _is_creation(event) or not isinstance(body, dict) or (failed and with_response):
            return None
        whole = whole_object(event, body)
        event = _as_patch(event, change, whole["metadata"]["name"])
        event["requestObject"] = change.body(whole)
        event.pop("responseObject", None)
        if with_response:
            event["responseObject"] = answer_to(whole)
        if "level" in event:
            event["level"] = "RequestResponse" if with_response else "Request"
        return event

    return patch


def bare_patcher(change: Patch) -> Change:
    """What turns a creation that is logged without bodies into this patch."""

    def patch(event: Event) -> Event | None:
        if not _is_creation(event) or event.keys() & {"requestObject", "responseObject"}:
            return None
        return _as_patch(event, change, object_of(event).get("name") or NEW_NAME)

    return patch


def _is_creation(event: Event) -> bool:
    reference = object_of(event)
    resource = reference.get("resource")
    return (
        event.get("verb") == "create"
        and isinstance(resource, str)
        and not reference.get("subresource")
        and not _ANSWERS.search(resource)
    )


def _as_patch(event: Event, change: Patch, name: str) -> Event:
    event["verb"] = "patch"
    event["objectRef"]["name"] = name
    if isinstance(uri := event.get("requestURI"), str):
        path, _, query = uri.partition("?")
        kept = [each for each in query.split("&") if each and not each.startswith(_OF_THE_WRITE)]
        event["requestURI"] = f"{path}/{name}?" + "&".join([*kept, change.query])
    status = event.get("responseStatus")
    if isinstance(status, dict):
        if status.get("code") == _CREATED:
            status["code"] = change.code
        if isinstance(message := status.get("message"), str):
            status["message"] = message.replace("cannot create resource", "cannot patch resource")
    return event


def _code(event: Event) -> int | None:
    status = event.get("responseStatus")
    code = status.get("code") if isinstance(status, dict) else None
    return code if isinstance(code, int) else None


PATCHES: tuple[tuple[Mutation, str, Patch], ...] = (
    (Mutation.PATCH_MERGE, "as a merge patch", Patch(merge_patch, "fieldManager=kubectl-patch", 200)),
    (Mutation.PATCH_JSON, "as a JSON Patch", Patch(json_patch, "fieldManager=kubectl-patch", 200)),
    (Mutation.PATCH_JSON, "as a JSON Patch of fields", Patch(json_patch_of_fields, "fieldManager=kubectl-patch", 200)),
    (
        Mutation.PATCH_APPLY,
        "as a server-side apply",
        Patch(dict, "fieldManager=kubectl&fieldValidation=Strict&force=true", 201),
    ),
)
"""How a creation can be a patch: under which mutation, in words, and the patch."""
