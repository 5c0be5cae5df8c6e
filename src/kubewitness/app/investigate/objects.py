"""Use case: the life of an object, revision by revision."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kubewitness.alert.redact import Redactor, redact_body
from kubewitness.app.events import open_events
from kubewitness.app.investigate.requests import COLUMNS, pair_requests, requests_of
from kubewitness.app.investigate.selection import by_object
from kubewitness.investigate.object_names import ObjectName
from kubewitness.investigate.rebuilding import build_lives
from kubewitness.investigate.writes import Write
from kubewitness.query.fields import find_field
from kubewitness.query.predicate import And, Exists, Not, Operator, Or, Predicate, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubewitness.app.events import Events, Logs
    from kubewitness.investigate.lives import Life
    from kubewitness.investigate.requests import Request
    from kubewitness.model.ledger import Ledger

_SHOWN = (
    "resource", "subresource", "namespace", "name", "object_name", "object_uid", "api_group", "user_agent",
    "exec_command", "status_message", "authorized_by", "level", "truncated",
)  # fmt: skip
_BODIES = ("request_object", "response_object")
MOST_REQUESTS = 20_000
"""Requests on one object that are looked at."""

_REQUESTS = """
SELECT * FROM requests ORDER BY began_at NULLS LAST, request LIMIT $most
"""


@dataclass(frozen=True, slots=True)
class ObjectStory:
    """What the logs say of an object.

    Attributes:
        name: which object.
        lives: objects of that name, one after the other.
        requests: how many requests were on it.
        ledger: what became of every record.
        show: makes of a value of the object what may be shown; secrets are redacted.
        remarks: what was left out.
    """

    name: ObjectName
    lives: tuple[Life, ...]
    requests: int
    ledger: Ledger
    show: Callable[[Any], Any]
    remarks: tuple[str, ...] = ()


def object_story(logs: Logs, text: str, *, reveal: bool = False, with_noise: bool = False) -> ObjectStory:
    """Follow an object through its lives.

    Args:
        logs: what to read.
        text: `NAMESPACE/KIND/NAME` or `KIND/NAME`.
        reveal: whether to show secrets.
        with_noise: whether to tell of changes in what the server keeps for itself, such as managedFields.

    Raises:
        UsageError: the text names no object.
        UnreadableError: nothing of the logs could be read.
    """
    name = ObjectName.parse(text)
    where = Or((by_object(name), _deletions(name)))
    with open_events(logs, (*COLUMNS, *_SHOWN, *_BODIES), where) as events:
        pair_requests(events, (*_SHOWN, *_BODIES), where)
        writes = _writes(events, Redactor(reveal=reveal))
    mine = [write for write in writes if _is_on(write.request, name)]
    others = [write for write in writes if write.verb in {"delete", "deletecollection"}]
    is_secret = name.resource == "secrets"
    remarks = [f"only the first {MOST_REQUESTS:,} requests were looked at"] if len(writes) >= MOST_REQUESTS else []
    return ObjectStory(
        name=name,
        lives=tuple(life for place in _places(mine) for life in build_lives(place, others, with_noise=with_noise)),
        requests=len(mine),
        ledger=events.ledger,
        show=(lambda value: value) if reveal else (lambda value: redact_body(value, is_secret=is_secret)),
        remarks=tuple(remarks),
    )


def _deletions(name: ObjectName) -> Predicate:
    """What may be behind the end of an object: deletions in its namespace, or of cluster-wide objects, and of that."""
    namespace = find_field("namespace")
    place: Predicate = Not(Exists(namespace))
    if name.namespace:
        its_namespace = And((_is("resource", "namespaces"), _is("name", name.namespace)))
        place = Or((Text(namespace, Operator.EQUALS, name.namespace), its_namespace))
    its_own = And((_is("resource", name.resource), _is("verb", "deletecollection")))
    return Or((And((Or((_is("verb", "delete"), _is("verb", "deletecollection"))), place)), its_own))


def _is(column: str, value: str) -> Predicate:
    return Text(find_field(column), Operator.EQUALS, value)


def _is_on(request: Request, name: ObjectName) -> bool:
    details = request.details
    its = details.get("object_name") or details.get("name")
    if str(details.get("resource")).lower() != name.resource or str(its).lower() != name.name.lower():
        return False
    namespace, group = details.get("namespace"), details.get("api_group") or ""
    return (name.namespace is None or str(namespace).lower() == name.namespace.lower()) and (
        name.group is None or str(group).lower() == name.group.lower()
    )


def _places(writes: list[Write]) -> list[list[Write]]:
    """Objects of one name in several namespaces, clusters or groups are different ones."""
    found: dict[tuple[Any, ...], list[Write]] = {}
    for write in writes:
        details = write.request.details
        # Of a namespace some requests say that it is in itself.
        namespace = details.get("namespace") if details.get("resource") != "namespaces" else None
        key = (details.get("cluster"), namespace, details.get("api_group") or "")
        found.setdefault(key, []).append(write)
    return list(found.values())


def _writes(events: Events, redactor: Redactor) -> list[Write]:
    """Requests with their bodies, which are taken as they are: what changed must not be hidden by redaction."""
    bodies = {
        row["request"]: tuple(_parsed(row[name]) for name in _BODIES)
        for row in events.rows(f"SELECT request, {', '.join(_BODIES)} FROM requests")  # noqa: S608 - names of columns
    }
    kept = f"SELECT * EXCLUDE ({', '.join(_BODIES)}) FROM ({_REQUESTS})"  # noqa: S608 - constants
    return [
        Write(request, *bodies[request.key]) for request in requests_of(events, redactor, kept, {"most": MOST_REQUESTS})
    ]


def _parsed(text: str | None) -> Any:
    """A body; None where it was not recorded, also where something else stands in its place."""
    if text is None:
        return None
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict | list) else None
