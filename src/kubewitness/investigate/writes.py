"""What one request did to an object: the state after it, as far as the log tells, and how that is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kubewitness.investigate.kinds import field_manager, is_dry_run
from kubewitness.investigate.object_names import plural_of
from kubewitness.investigate.patches.applied import apply_manifest
from kubewitness.investigate.patches.json_patch import PatchError, apply_json_patch
from kubewitness.investigate.patches.merge_patch import apply_merge_patch
from kubewitness.investigate.patches.strategic import apply_strategic_patch, has_directives

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubewitness.investigate.requests import Request

State = dict[str, Any]


class Evidence(StrEnum):
    """How the state after a request is known, best first."""

    RESPONSE = "response"
    READ = "read"
    REQUEST = "request"
    NONE = "none"

    @property
    def about(self) -> str:
        """In a few words."""
        return _ABOUT[self]


_ABOUT = {
    Evidence.RESPONSE: "as the server answered",
    Evidence.READ: "as it was read later",
    Evidence.REQUEST: "rebuilt from what was asked",
    Evidence.NONE: "not recorded",
}

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# Through these the server takes and gives the whole object.
_WHOLE_SUBRESOURCES = frozenset({"status", "ephemeralcontainers", "approval", "finalize", "resize"})
# What of the object a subresource writes.
_PARTS = {"status": "status", "approval": "status", "finalize": "spec"}
# Kept by the server, whatever an update says.
_SERVERS_OWN = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink")
_NOT_WRITES_OF_OBJECT = frozenset({"exec", "attach", "portforward", "proxy", "log", "token", "eviction"})
_STRATEGIC_GROUPS = frozenset(
    {
        *("", "apps", "batch", "policy", "autoscaling", "extensions", "events.k8s.io", "storage.k8s.io"),
        *("networking.k8s.io", "rbac.authorization.k8s.io", "scheduling.k8s.io", "node.k8s.io", "discovery.k8s.io"),
        *("coordination.k8s.io", "certificates.k8s.io", "admissionregistration.k8s.io", "apiregistration.k8s.io"),
        *("flowcontrol.apiserver.k8s.io", "resource.k8s.io"),
    }
)


class PatchKind(StrEnum):
    """The kinds of patches. The log does not say which one it is: no event has the content type."""

    JSON = "json"
    MERGE = "merge"
    STRATEGIC = "strategic"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class Write:
    """A request on an object, with its bodies.

    Attributes:
        request: the request.
        body: what was asked; None where it was not recorded.
        answer: what the server answered; None where it was not recorded.
    """

    request: Request
    body: Any = None
    answer: Any = None

    @property
    def verb(self) -> str:
        """Its verb."""
        return str(self.request.details.get("verb") or "")

    @property
    def subresource(self) -> str | None:
        """Its subresource."""
        return self.request.details.get("subresource")

    @property
    def manager(self) -> str | None:
        """Who writes, as the request says."""
        return field_manager(str(self.request.details.get("request_uri") or ""))

    @property
    def is_carried_out(self) -> bool:
        """Whether it changed something, as far as the log tells: it did not fail and was no dry run."""
        return not self.request.is_failed and not is_dry_run(self.request.details) and not self._is_dry_delete

    @property
    def _is_dry_delete(self) -> bool:
        dry_run = self.body.get("dryRun") if isinstance(self.body, dict) and self.verb == "delete" else None
        return isinstance(dry_run, list) and "All" in dry_run

    @property
    def is_write(self) -> bool:
        """Whether it writes the object, or part of it."""
        return self.verb in WRITES and self.subresource not in _NOT_WRITES_OF_OBJECT

    @property
    def answered(self) -> State | None:
        """The whole object out of the answer; None where it is not there."""
        if self.subresource is not None and self.subresource not in _WHOLE_SUBRESOURCES:
            return None
        return whole(self.answer, self.request.details)

    @property
    def patch_kind(self) -> PatchKind:
        """Which kind of patch it is, by what it looks like."""
        if isinstance(self.body, list):
            return PatchKind.JSON
        if isinstance(self.body, dict) and self.manager and "apiVersion" in self.body and "kind" in self.body:
            return PatchKind.APPLY
        if has_directives(self.body):
            return PatchKind.STRATEGIC
        group = str(self.request.details.get("api_group") or "")
        return PatchKind.STRATEGIC if group in _STRATEGIC_GROUPS else PatchKind.MERGE


def whole(body: Any, details: Mapping[str, Any]) -> State | None:
    """A body that is the object of the request itself, and neither a status, a list nor an options object."""
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        return None
    kind = body.get("kind")
    if isinstance(kind, str) and plural_of(kind) != str(details.get("resource") or "").lower():
        return None
    name = details.get("object_name") or details.get("name")
    its = body["metadata"].get("name")
    return body if name is None or its is None or its == name else None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a write made of an object.

    Attributes:
        state: the object after it; None where that is not known.
        evidence: how it is known.
        notes: what is uncertain about it.
    """

    state: State | None
    evidence: Evidence
    notes: tuple[str, ...] = ()


class Rebuilder:
    """Follows one object from write to write.

    Args:
        with_answers: whether to take what the server answered; without, states are rebuilt from requests alone.
    """

    def __init__(self, *, with_answers: bool = True) -> None:
        self._with_answers = with_answers
        self._manifests: dict[str, Any] = {}

    def effect(self, write: Write, state: State | None) -> Effect:
        """What a write that was carried out made of the object.

        Args:
            write: the write; a deletion is one only where the object is still there after it.
            state: the object before; None where it is not known, or was not there.
        """
        answered = write.answered if self._with_answers else None
        if answered is None:
            return self._rebuilt(write, state)
        if write.verb == "patch" and write.patch_kind is PatchKind.APPLY:
            self._manifests[_applier(write)] = write.body
        part = _PARTS.get(write.subresource or "")
        if part and state is not None and not state.keys() - {part} <= answered.keys():
            answered = _of_a_part(state, answered, part)
        return Effect(answered, Evidence.RESPONSE)

    def _rebuilt(self, write: Write, state: State | None) -> Effect:
        match write.subresource, write.verb:
            case "scale", _:
                return _scaled(write, state)
            case "binding", _:
                return _bound(write, state)
            case _, "patch":
                return self._patched(write, state)
            case _, ("create" | "update"):
                return _put(write, state)
            case _:
                return Effect(state, Evidence.NONE if state is None else Evidence.REQUEST)

    def _patched(self, write: Write, state: State | None) -> Effect:
        if write.body is None:
            return Effect(None, Evidence.NONE)
        kind = write.patch_kind
        notes: tuple[str, ...] = ()
        part = _PARTS.get(write.subresource or "")
        if kind is PatchKind.APPLY:
            key = _applier(write)
            before = self._manifests.get(key)
            others = [manifest for name, manifest in self._manifests.items() if name != key]
            self._manifests[key] = write.body
            after = apply_manifest(state, write.body, before, others)
            if before is None and state is not None:
                notes = ("what the same manager applied before is not in the log: fields that it gave up may be gone",)
        elif state is None:
            return Effect(None, Evidence.NONE, ("the patch is recorded, but not what it was applied to",))
        else:
            try:
                after = _apply(kind, state, write.body)
            except PatchError as error:
                return Effect(None, Evidence.NONE, (f"the patch does not fit the state before: {error}",))
            if kind is PatchKind.STRATEGIC and not has_directives(write.body) and _has_lists(write.body):
                notes = ("the log does not say of which kind the patch was: taken for a strategic merge",)
        if not isinstance(after, dict):
            return Effect(None, Evidence.NONE, ("the patch leaves no object",))
        if part and state is not None:
            after = _with_part(state, after, part)
        elif not part and state is not None and "status" in state and kind is PatchKind.APPLY:
            after = {**after, "status": state["status"]}
        return Effect(after, Evidence.REQUEST, notes)


def _applier(write: Write) -> str:
    return f"{write.manager} {write.subresource or ''}"


def _apply(kind: PatchKind, state: State, body: Any) -> Any:
    match kind:
        case PatchKind.JSON:
            return apply_json_patch(state, body)
        case PatchKind.STRATEGIC:
            return apply_strategic_patch(state, body)
        case _:
            return apply_merge_patch(state, body)


def _has_lists(body: Any) -> bool:
    if isinstance(body, dict):
        return any(_has_lists(value) for value in body.values())
    return isinstance(body, list)


def _with_part(state: State, after: State, part: str) -> State:
    kept = {key: value for key, value in state.items() if key != part}
    return {**kept, part: after[part]} if part in after else kept


def _of_a_part(state: State, answered: State, part: str) -> State:
    """The object after a write of a part, whose answer has not all of it: such a write takes nothing else away."""
    before = state.get("metadata")
    kept = {key: value for key, value in before.items() if key != "resourceVersion"} if isinstance(before, dict) else {}
    return {**_with_part(state, answered, part), "metadata": {**kept, **answered["metadata"]}}


def _put(write: Write, state: State | None) -> Effect:
    body = whole(write.body, write.request.details)
    if body is None:
        return Effect(None, Evidence.NONE)
    part = _PARTS.get(write.subresource or "")
    if part:
        if state is None:
            return Effect(None, Evidence.NONE, (f"only the {part} that was asked for is recorded",))
        return Effect(_with_marks(_with_part(state, body, part), body, write.request.details), Evidence.REQUEST)
    if write.verb == "create" or state is None:
        missing = "the defaults that the server sets are missing"
        named = {**body, "metadata": {**body["metadata"], **_names(write)}}
        return Effect(named, Evidence.REQUEST, (missing,) if write.verb == "create" else ())
    metadata = dict(body["metadata"])
    old = state.get("metadata") if isinstance(state.get("metadata"), dict) else {}
    metadata.update({key: old[key] for key in _SERVERS_OWN if isinstance(old, dict) and key in old})
    after = {**body, "metadata": metadata}
    if "status" in state:
        after["status"] = state["status"]
    return Effect(after, Evidence.REQUEST)


def _with_marks(after: State, body: State, details: Mapping[str, Any]) -> State:
    """An update of the status of a type of the API itself takes annotations and most labels along."""
    if str(details.get("api_group") or "") not in _STRATEGIC_GROUPS or not isinstance(after.get("metadata"), dict):
        return after
    taken = ["annotations"] if details.get("resource") == "deployments" else ["annotations", "labels"]
    asked = {key: body["metadata"][key] for key in taken if key in body["metadata"]}
    return {**after, "metadata": {**after["metadata"], **asked}}


def _names(write: Write) -> dict[str, Any]:
    details = write.request.details
    name = details.get("object_name") or details.get("name")
    namespace = details.get("namespace") if details.get("resource") != "namespaces" else None
    found = {"name": name, "namespace": namespace}
    return {key: value for key, value in found.items() if value}


def _scaled(write: Write, state: State | None) -> Effect:
    for body in (write.answer, write.body):
        spec = body.get("spec") if isinstance(body, dict) else None
        replicas = spec.get("replicas") if isinstance(spec, dict) else None
        if isinstance(replicas, int):
            if state is None:
                return Effect(None, Evidence.NONE, (f"scaled to {replicas}, the rest is not recorded",))
            spec_before = state.get("spec") if isinstance(state.get("spec"), dict) else {}
            return Effect({**state, "spec": {**(spec_before or {}), "replicas": replicas}}, Evidence.REQUEST)
    return Effect(None, Evidence.NONE, ("scaled, but the number is not recorded",))


def _bound(write: Write, state: State | None) -> Effect:
    target = write.body.get("target") if isinstance(write.body, dict) else None
    node = target.get("name") if isinstance(target, dict) else None
    if state is None or not isinstance(node, str):
        return Effect(None, Evidence.NONE, ("put on a node, which is not recorded",) if not node else ())
    spec = state.get("spec") if isinstance(state.get("spec"), dict) else {}
    return Effect({**state, "spec": {**(spec or {}), "nodeName": node}}, Evidence.REQUEST)
