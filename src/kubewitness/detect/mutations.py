"""Mutations: the same act, done or logged in another way. What a rule detects it must detect in these clothes too.

Each is named; a rule whose matching cases need not match under one says so, with the reason:

    exempt: {patch: "roles are only made anew here; changes are what role-widened is for"}

A mutation yields the variants of a case to which it applies, and none where it makes no sense: only creations become
patches, only pods become templates, only versioned groups change their version. Bodies are what a real kube-apiserver
writes: the raw patch as request, the whole object as response where the level is RequestResponse.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kubewitness.detect.cases import Case, Event


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


@dataclass(frozen=True, slots=True)
class Variant:
    """A case, changed.

    Attributes:
        mutation: how.
        about: what exactly was done, for people.
        events: the changed events.
        plain: whether they are to be read as plain events, not in an envelope.
    """

    mutation: Mutation
    about: str
    events: tuple[Event, ...]
    plain: bool = False


def variants(case: Case) -> Iterator[Variant]:
    """Every variant of a case. The case itself is run in an AKS envelope, so `envelope` takes it out."""
    yield from _changed(case, Mutation.ACTOR, "done by an Entra user", _Renamer(case).rename)
    for mutation, about, change in _PATCHES:
        for with_response in (False, True):
            shown = "at level RequestResponse" if with_response else "at level Request"
            yield from _changed(case, mutation, f"{about}, {shown}", _patcher(change, with_response=with_response))
        yield from _changed(case, mutation, f"{about}, without bodies", _bare_patcher(change))
    for kind in (_DEPLOYMENT, _CRON_JOB):
        yield from _changed(case, Mutation.TEMPLATE, f"as the template of a {kind.kind}", _templater(kind))
    yield from _changed(case, Mutation.SPARSE, "without stage, annotations and userAgent", _sparse)
    yield from _changed(case, Mutation.VERSION, "in another version of the API group", _other_version)
    yield Variant(Mutation.ENVELOPE, "without the AKS envelope", case.events, plain=True)


def _changed(case: Case, mutation: Mutation, about: str, change: Callable[[Event], Event | None]) -> Iterator[Variant]:
    """The variant in which every event that can be changed is; none when none can."""
    # A copy by way of JSON: events are JSON, and `deepcopy` takes four times as long.
    changed = [change(event) for event in json.loads(json.dumps(case.events))]
    if any(changed):
        events = tuple(new or old for new, old in zip(changed, case.events, strict=True))
        yield Variant(mutation, about, events)


def _object(event: Event) -> dict[str, Any]:
    reference = event.get("objectRef")
    return reference if isinstance(reference, dict) else {}


def _code(event: Event) -> int | None:
    status = event.get("responseStatus")
    code = status.get("code") if isinstance(status, dict) else None
    return code if isinstance(code, int) else None


# actor ---------------------------------------------------------------------------------------------------------------

_PEOPLE = ("jane.doe", "john.roe", "mary.major", "richard.miles")
_OWN_GROUPS = ("system:serviceaccounts", "system:nodes", "system:masters")
_REASON_SUBJECT = re.compile(r' to (?:User|ServiceAccount|Group) "[^"]*"$')


class _Renamer:
    """Gives everybody in a case the name of an Entra user, and different people different names."""

    def __init__(self, case: Case) -> None:
        names = list(dict.fromkeys(filter(None, map(_username, case.events))))
        self._names = {
            name: f"{_PEOPLE[number % len(_PEOPLE)]}{number // len(_PEOPLE) or ''}@fabrikam.example"
            for number, name in enumerate(names)
        }

    def rename(self, event: Event) -> Event | None:
        if not (old := _username(event)):
            return None
        new = self._names[old]
        user = event["user"]
        user["username"] = new
        user.pop("uid", None)
        if isinstance(groups := user.get("groups"), list):
            kept = [group for group in groups if not str(group).startswith(_OWN_GROUPS)]
            user["groups"] = [str(uuid5(NAMESPACE_URL, "group")), *kept]
        if "extra" in user:
            user["extra"] = {"oid": [str(uuid5(NAMESPACE_URL, new))]}
        status = event.get("responseStatus")
        if isinstance(status, dict) and isinstance(message := status.get("message"), str):
            status["message"] = message.replace(f'User "{old}"', f'User "{new}"')
        annotations = event.get("annotations")
        reason = "authorization.k8s.io/reason"
        if isinstance(annotations, dict) and isinstance(text := annotations.get(reason), str):
            annotations[reason] = _REASON_SUBJECT.sub(f' to User "{new}"', text)
        for body in ("requestObject", "responseObject"):
            if body in event:
                event[body] = self._in_body(event[body], old, new)
        return event

    def _in_body(self, value: Any, old: str, new: str) -> Any:
        """The body with the user's name changed where it means the user: in subjects and reviews."""
        match value:
            case {"kind": "User", "name": str(name)} if name == old:
                return {**value, "name": new}
            case dict():
                return {
                    key: new if key in {"user", "username"} and item == old else self._in_body(item, old, new)
                    for key, item in value.items()
                }
            case list():
                return [self._in_body(item, old, new) for item in value]
            case _:
                return value


def _username(event: Event) -> str | None:
    user = event.get("user")
    name = user.get("username") if isinstance(user, dict) else None
    return name if isinstance(name, str) and name else None


# patch ---------------------------------------------------------------------------------------------------------------

# What can be created but not changed: requests for an answer, in the dress of an object.
_ANSWERS = re.compile(r"(?:reviews?|^bindings)$")
# What the server fills in, or the path says.
_NOT_IN_A_DELTA = frozenset({"apiVersion", "kind", "status"})
_NOT_IN_METADATA = frozenset(
    "name namespace generateName uid resourceVersion creationTimestamp managedFields generation selfLink".split()
)


@dataclass(frozen=True, slots=True)
class _Patch:
    body: Callable[[Mapping[str, Any]], Any]
    query: str
    code: int


def _patcher(change: _Patch, *, with_response: bool) -> Callable[[Event], Event | None]:
    def patch(event: Event) -> Event | None:
        body = event.get("requestObject", event.get("responseObject"))
        failed = (_code(event) or 0) >= _FIRST_ERROR
        if not _is_creation(event) or not isinstance(body, dict) or (failed and with_response):
            return None
        whole = _whole(event, body)
        event = _as_patch(event, change, whole["metadata"]["name"])
        event["requestObject"] = change.body(whole)
        event.pop("responseObject", None)
        if with_response:
            event["responseObject"] = _answer(whole)
        if "level" in event:
            event["level"] = "RequestResponse" if with_response else "Request"
        return event

    return patch


def _bare_patcher(change: _Patch) -> Callable[[Event], Event | None]:
    def patch(event: Event) -> Event | None:
        if not _is_creation(event) or event.keys() & {"requestObject", "responseObject"}:
            return None
        return _as_patch(event, change, _object(event).get("name") or _NEW_NAME)

    return patch


_FIRST_ERROR = 400
_NEW_NAME = "new-x7k2p"


def _is_creation(event: Event) -> bool:
    reference = _object(event)
    resource = reference.get("resource")
    return (
        event.get("verb") == "create"
        and isinstance(resource, str)
        and not reference.get("subresource")
        and not _ANSWERS.search(resource)
    )


_ABOUT_FIELDS = ("fieldManager=", "fieldValidation=")


def _as_patch(event: Event, change: _Patch, name: str) -> Event:
    event["verb"] = "patch"
    event["objectRef"]["name"] = name
    if isinstance(uri := event.get("requestURI"), str):
        path, _, query = uri.partition("?")
        kept = [
            each for each in query.split("&") if each and not each.startswith(("fieldManager=", "fieldValidation="))
        ]
        event["requestURI"] = f"{path}/{name}?" + "&".join([*kept, change.query])
    status = event.get("responseStatus")
    if isinstance(status, dict):
        if status.get("code") == _CREATED:
            status["code"] = change.code
        if isinstance(message := status.get("message"), str):
            status["message"] = message.replace("cannot create resource", "cannot patch resource")
    return event


_CREATED = 201


def _whole(event: Event, body: Mapping[str, Any]) -> dict[str, Any]:
    """The object as somebody who applies it writes it: with a name, without what the server fills in."""
    reference = _object(event)
    given = body.get("metadata")
    metadata = dict(given) if isinstance(given, dict) else {}
    generated = f"{metadata['generateName']}x7k2p" if metadata.get("generateName") else _NEW_NAME
    name = reference.get("name") or metadata.get("name") or generated
    kept = {key: value for key, value in metadata.items() if key not in _NOT_IN_METADATA}
    own = {"name": name, **({"namespace": reference["namespace"]} if reference.get("namespace") else {})}
    group, version = reference.get("apiGroup"), reference.get("apiVersion") or "v1"
    version = f"{group}/{version}" if group else version
    rest = {key: value for key, value in body.items() if key not in {"metadata", "apiVersion", "status"}}
    return {"apiVersion": body.get("apiVersion") or version, **rest, "metadata": {**own, **kept}}


def _answer(whole: Mapping[str, Any]) -> dict[str, Any]:
    filled = {
        "uid": str(uuid5(NAMESPACE_URL, str(whole["metadata"]["name"]))),
        "resourceVersion": "48211",
        "creationTimestamp": "2026-11-20T07:12:44Z",
    }
    return {**whole, "metadata": {**whole["metadata"], **filled}}


def _delta(whole: Mapping[str, Any]) -> dict[str, Any]:
    """A strategic or JSON merge patch that sets all of the object that can be set."""
    delta = {key: value for key, value in whole.items() if key not in _NOT_IN_A_DELTA and key != "metadata"}
    metadata = {key: value for key, value in whole["metadata"].items() if key not in _NOT_IN_METADATA}
    return {"metadata": metadata, **delta} if metadata else delta


def _operations(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A JSON Patch that adds the object's fields and the items of its lists one by one."""
    delta = _delta(whole)
    return list(_add("", delta)) if delta else []


def _add(path: str, value: Any) -> Iterator[dict[str, Any]]:
    match value:
        case dict() if value:
            for key, item in value.items():
                yield from _add(f"{path}/{_escaped(key)}", item)
        case list() if value:
            for item in value:
                yield {"op": "add", "path": f"{path}/-", "value": item}
        case _:
            yield {"op": "add", "path": path, "value": value}


def _deep_operations(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A JSON Patch that replaces fields where they stand, also inside named items such as containers."""
    delta = _delta(whole)
    return list(_replace("", delta)) if delta else []


def _replace(path: str, value: Any) -> Iterator[dict[str, Any]]:
    match value:
        case dict() if value:
            for key, item in value.items():
                yield from _replace(f"{path}/{_escaped(key)}", item)
        case [{"name": str()}, *_] if all(isinstance(item, dict) and "kind" not in item for item in value):
            for index, item in enumerate(value):
                yield from _replace(f"{path}/{index}", {key: of for key, of in item.items() if key != "name"})
        case _:
            yield {"op": "replace", "path": path, "value": value}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


_PATCHES = (
    (Mutation.PATCH_MERGE, "as a merge patch", _Patch(_delta, "fieldManager=kubectl-patch", 200)),
    (Mutation.PATCH_JSON, "as a JSON Patch", _Patch(_operations, "fieldManager=kubectl-patch", 200)),
    (Mutation.PATCH_JSON, "as a JSON Patch of fields", _Patch(_deep_operations, "fieldManager=kubectl-patch", 200)),
    (
        Mutation.PATCH_APPLY,
        "as a server-side apply",
        _Patch(dict, "fieldManager=kubectl&fieldValidation=Strict&force=true", 201),
    ),
)


# template ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Workload:
    kind: str
    group: str
    resource: str
    path: tuple[str, ...]
    spec: Mapping[str, Any]


_DEPLOYMENT = _Workload(
    "Deployment", "apps", "deployments", ("template",), {"replicas": 1, "selector": {"matchLabels": {"app": "new"}}}
)
_CRON_JOB = _Workload("CronJob", "batch", "cronjobs", ("jobTemplate", "spec", "template"), {"schedule": "*/5 * * * *"})
_WRITES = ("create", "update", "patch")


def _templater(workload: _Workload) -> Callable[[Event], Event | None]:
    def write(event: Event) -> Event | None:
        reference = _object(event)
        if (
            reference.get("resource") != "pods"
            or reference.get("subresource")
            or reference.get("apiGroup")
            or event.get("verb") not in _WRITES
        ):
            return None
        reference |= {"resource": workload.resource, "apiGroup": workload.group, "apiVersion": "v1"}
        if isinstance(uri := event.get("requestURI"), str):
            in_group = re.sub(r"^/api/v1/", f"/apis/{workload.group}/v1/", uri)
            event["requestURI"] = re.sub(r"/pods(?=[/?]|$)", f"/{workload.resource}", in_group, count=1)
        for body in ("requestObject", "responseObject"):
            if body in event:
                event[body] = _in_template(event[body], workload)
        return event

    return write


def _in_template(body: Any, workload: _Workload) -> Any:
    match body:
        case list():
            prefix = "/spec/" + "/".join(workload.path)
            return [_moved(operation, prefix) for operation in body]
        case {"kind": "Status"}:
            return body
        case dict():
            given = body.get("metadata")
            metadata = dict(given) if isinstance(given, dict) else {}
            of_pods = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
            inner: Any = {
                **({"metadata": of_pods} if of_pods else {}),
                **({"spec": body["spec"]} if "spec" in body else {}),
            }
            for key in reversed(workload.path):
                inner = {key: inner}
            is_whole = "kind" in body or "containers" in (body.get("spec") or {})
            own = {key: value for key, value in metadata.items() if key != "ownerReferences"}
            head = {"kind": workload.kind, "apiVersion": f"{workload.group}/v1"} if is_whole else {}
            return {
                **head,
                **({"metadata": own} if own else {}),
                "spec": {**(workload.spec if is_whole else {}), **inner},
            }
        case _:
            return body


def _moved(operation: Any, prefix: str) -> Any:
    path = operation.get("path") if isinstance(operation, dict) else None
    if not isinstance(path, str) or not path.startswith(("/spec", "/metadata/labels", "/metadata/annotations")):
        return operation
    return {**operation, "path": prefix + path}


# sparse and version --------------------------------------------------------------------------------------------------

_OFTEN_MISSING = ("stage", "annotations", "userAgent")
_GROUP_PATH = re.compile(r"^(/apis/[^/?]+/)([^/?]+)(?=[/?]|$)")
_STABLE = "v1"


def _sparse(event: Event) -> Event | None:
    if not event.keys() & set(_OFTEN_MISSING):
        return None
    return {key: value for key, value in event.items() if key not in _OFTEN_MISSING}


def _other_version(event: Event) -> Event | None:
    reference = _object(event)
    uri = event.get("requestURI")
    in_uri = _GROUP_PATH.match(uri) if isinstance(uri, str) else None
    if not reference.get("apiGroup"):
        return None
    old = str(reference.get("apiVersion") or (in_uri[2] if in_uri else _STABLE))
    new = _STABLE if old != _STABLE else "v1beta1"
    reference["apiVersion"] = new
    if in_uri and isinstance(uri, str):
        event["requestURI"] = _GROUP_PATH.sub(rf"\g<1>{new}", uri)
    group = reference["apiGroup"]
    for name in ("requestObject", "responseObject"):
        body = event.get(name)
        if isinstance(body, dict) and body.get("apiVersion") == f"{group}/{old}":
            body["apiVersion"] = f"{group}/{new}"
    return event
