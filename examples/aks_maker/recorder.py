"""Writes requests down as kube-apiserver and the AKS storage export do."""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from aks_maker.policy import Target, recording_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MIDNIGHT = datetime(2026, 11, 17, tzinfo=UTC)
SUBSCRIPTION = "4B1D7C52-93AE-4E0F-8C66-0F7A25D3E918"
RESOURCE_ID = (
    f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/RG-SHOP-PROD"
    "/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/AKS-SHOP-PROD"
)
LOG_LIMIT = 16_384  # characters of properties.log that the storage export keeps
APISERVERS = (
    ("kube-apiserver-6c9d7f5b88-4xk2p", "9f3a71c0d45be826a1c7903e5d6f48b2e0137ca94d85f6b21c0e9a7d3b584f16"),
    ("kube-apiserver-6c9d7f5b88-t8w5n", "27be04d91a6c83f5d0917b4e62a8cf3159e0d4b7a36c2f81905be7d41c6fa038"),
)


def clock(hour: int, minute: int, second: float = 0.0) -> float:
    """Seconds since midnight UTC of the example's day."""
    return hour * 3600 + minute * 60 + second


def moment(at: float) -> datetime:
    """The time `at` seconds after midnight."""
    return MIDNIGHT + timedelta(microseconds=round(at * 1_000_000))


def micro(at: float) -> str:
    """RFC 3339 with six decimals, as audit events have it."""
    return moment(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def second(at: float) -> str:
    """RFC 3339 without decimals, as object metadata has it."""
    return moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def uid_of(*names: str) -> str:
    """A uid that is the same whenever the same object is meant."""
    digest = hashlib.sha256("/".join(names).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, from where, with what.

    Attributes:
        username: as the server knows them.
        groups: their groups.
        address: source address.
        agent: user agent.
        allowed_by: reason of the authorizer when a request is allowed.
        uid: uid, for service accounts.
        extra: user.extra, such as the id of the token.
        remarks: annotations that every request of theirs carries.
    """

    username: str
    groups: tuple[str, ...]
    address: str
    agent: str
    allowed_by: str
    uid: str | None = None
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)

    def using(self, **changes: Any) -> Actor:
        """The same actor with other properties, such as another address."""
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that says no.

    Attributes:
        code: HTTP status code.
        reason: machine-readable reason.
        message: message for people.
        forbidden_because: reason of the authorizer when it was the one that refused; None otherwise.
    """

    code: int
    reason: str
    message: str
    forbidden_because: str | None = None


class Line(NamedTuple):
    """One line of the export, sorted by when it was received."""

    received: float
    number: int
    text: str


class Recorder:
    """Collects the lines of the log, in any order of time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[Line] = []
        self._version = 48_211_907

    def new_id(self) -> str:
        """A random id, such as an auditID or the id of a token."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def new_version(self) -> str:
        """The next resourceVersion."""
        self._version += self.random.randrange(1, 23)
        return str(self._version)

    def request(
        self,
        at: float,
        actor: Actor,
        verb: str,
        target: Target | str,
        *,
        query: str = "",
        code: int = 200,
        body: Any = None,
        answer: Any = None,
        failure: Failure | None = None,
        lasts_s: float | None = None,
        acting_as: Mapping[str, Any] | None = None,
        allowed_by: str | None = None,
        remarks: Mapping[str, str] | None = None,
        identity: tuple[str, str] | None = None,
    ) -> str:
        """Record one request, in every stage that AKS keeps.

        Args:
            at: seconds since midnight UTC; a full second is moved by a fraction.
            actor: who asks.
            verb: request verb.
            target: a resource, or the path of a non-resource request.
            query: query of the URI, without `?`.
            code: HTTP status code of a success.
            body: request body.
            answer: response body.
            failure: the refusal; then `code` and `answer` are taken from it.
            lasts_s: seconds that a long-running request (watch, exec, log, proxy) stays open.
            acting_as: impersonated user.
            allowed_by: reason of the authorizer, where it is not the actor's usual one.
            remarks: further annotations.
            identity: uid and resourceVersion of the object, where the server knew them.

        Returns:
            The auditID, also when the policy records nothing.
        """
        audit_id = self.new_id()
        took = self.random.uniform(0.002, 0.014)
        level, has_received = recording_of(actor.username, actor.groups, verb, target)
        if level is None:
            return audit_id
        at = self._unround(at)
        path = target if isinstance(target, str) else target.path_of(verb)
        event: dict[str, Any] = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": level}
        event |= {"auditID": audit_id, "stage": "", "requestURI": path + ("?" + query if query else "")}
        event |= {"verb": verb, "user": _user(actor)}
        if acting_as:
            event["impersonatedUser"] = dict(acting_as)
        event |= {"sourceIPs": [actor.address], "userAgent": actor.agent}
        if not isinstance(target, str):
            event["objectRef"] = _object_ref(target, identity)
        received = {"requestReceivedTimestamp": micro(at)}
        if has_received:
            self._write(at, {**event, "stage": "RequestReceived"}, received, {})
        notes = {
            **actor.remarks,
            **(remarks or {}),
            "authorization.k8s.io/decision": "allow",
            "authorization.k8s.io/reason": actor.allowed_by if allowed_by is None else allowed_by,
        }
        status: dict[str, Any] = {"metadata": {}, "code": code}
        if failure:
            status = _failed(failure, target)
            answer = {"kind": "Status", "apiVersion": "v1", **status}
            if failure.forbidden_because is not None:
                notes["authorization.k8s.io/decision"] = "forbid"
                notes["authorization.k8s.io/reason"] = failure.forbidden_because
        event["responseStatus"] = status
        if lasts_s is not None:
            self._write(at + took, {**event, "stage": "ResponseStarted"}, received, notes)
            took += lasts_s
            notes["apiserver.latency.k8s.io/total"] = f"{took:.9f}s"
        bodies: dict[str, Any] = {}
        if level in {"Request", "RequestResponse"} and body is not None:
            bodies["requestObject"] = body
        if level == "RequestResponse" and answer is not None:
            bodies["responseObject"] = answer
        self._write(at + took, {**event, "stage": "ResponseComplete", **bodies}, received, notes)
        return audit_id

    def _unround(self, at: float) -> float:
        """What is told in full seconds did not happen on the full second."""
        return at + self.random.uniform(0.01, 0.4) if at == int(at) else at

    def denied(self, at: float, actor: Actor, verb: str, target: Target, *, because: str = "", **more: Any) -> str:
        """Record a request that the authorizer refused; returns the auditID."""
        what = f"{target.resource}.{target.group}" if target.group else target.resource
        what = f'{what} "{target.name}"' if target.name else what
        where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        resource = target.kind_of_resource
        message = (
            f'{what} is forbidden: User "{actor.username}" cannot {verb} resource "{resource}" '
            f'in API group "{target.group}" {where}' + (f": {because}" if because else "")
        )
        failure = Failure(403, "Forbidden", message, forbidden_because=because)
        return self.request(at, actor, verb, target, failure=failure, **more)

    def _write(self, at: float, event: dict[str, Any], received: dict[str, str], notes: Mapping[str, str]) -> None:
        event = {**event, **received, "stageTimestamp": micro(at)}
        if notes:
            event["annotations"] = dict(sorted(notes.items()))
        log = (go_json(event) + "\n")[:LOG_LIMIT]
        pod, container = self.random.choice(APISERVERS)
        properties = json.dumps(
            {"pod": pod, "containerID": container, "log": log, "stream": "stdout"},
            ensure_ascii=False,
            separators=(",", ":"),
        ).replace("/", "\\/")
        nanoseconds = f"{self.random.randrange(1000):03d}"
        logged = micro(at + self.random.uniform(0.0001, 0.0009)).replace("Z", nanoseconds + "Z")
        text = (
            '{ "category": "kube-audit", '
            '"operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read", '
            f'"properties": {properties}, "resourceId": "{RESOURCE_ID}", '
            f'"serviceBuild": "na", "time": "{logged}"}}'
        )
        self.lines.append(Line(at + self.random.uniform(7.0, 7.4), len(self.lines), text))


def go_json(value: Any) -> str:
    """JSON as Go writes it: compact, with `<`, `>` and `&` escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _user(actor: Actor) -> dict[str, Any]:
    user: dict[str, Any] = {"username": actor.username}
    if actor.uid:
        user["uid"] = actor.uid
    user["groups"] = list(actor.groups)
    if actor.extra:
        user["extra"] = {key: list(actor.extra[key]) for key in sorted(actor.extra)}
    return user


def _object_ref(target: Target, identity: tuple[str, str] | None) -> dict[str, str]:
    uid, version = identity or ("", "")
    fields = {
        "resource": target.resource,
        "namespace": target.name if target.resource == "namespaces" else target.namespace,
        "name": target.name,
        "uid": uid,
        "apiGroup": target.group,
        "apiVersion": target.version,
        "resourceVersion": version,
        "subresource": target.subresource,
    }
    return {key: value for key, value in fields.items() if value}


def _failed(failure: Failure, target: Target | str) -> dict[str, Any]:
    details: dict[str, str] = {}
    if not isinstance(target, str):
        pairs = {"name": target.name, "group": target.group, "kind": target.resource}
        details = {key: value for key, value in pairs.items() if value}
    return {
        "metadata": {},
        "status": "Failure",
        "message": failure.message,
        "reason": failure.reason,
        "details": details,
        "code": failure.code,
    }
