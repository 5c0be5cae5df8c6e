"""Proof: every object of a real log is rebuilt, from what the server answered and from what was asked alone."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.alert.redact import Redactor
from kubewitness.app.events import Logs, open_events
from kubewitness.app.investigate.requests import COLUMNS, pair_requests, requests_of
from kubewitness.investigate.changes import is_noise, leaves
from kubewitness.investigate.rebuilding import build_lives
from kubewitness.investigate.writes import Evidence, Write
from kubewitness.query.filters import parse_filter

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = Path(__file__).parents[2] / "fixtures" / "cluster" / "cluster.ndjson.zst"
WRITES = "verb:(create OR update OR patch OR delete OR deletecollection) AND resource:*"
SHOWN = ("resource", "subresource", "namespace", "name", "object_name", "object_uid", "api_group")
BODIES = ("request_object", "response_object")
SERVERS = {
    ("metadata", name) for name in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
}
PARTS = {None: None, "status": "status", "approval": "status", "finalize": "spec"}

Key = tuple[Any, ...]


def _load(text: str | None) -> Any:
    return json.loads(text) if text else None


@pytest.fixture(scope="module")
def objects() -> dict[Key, list[Write]]:
    """Writes of each object of the log, by what names it, in order of time."""
    predicate = parse_filter(WRITES)
    found: dict[Key, list[Write]] = defaultdict(list)
    with open_events(Logs((str(LOG),)), (*COLUMNS, *SHOWN, *BODIES), predicate) as events:
        pair_requests(events, (*SHOWN, *BODIES), predicate)
        bodies = {
            row["request"]: (_load(row["request_object"]), _load(row["response_object"]))
            for row in events.rows("SELECT request, request_object, response_object FROM requests")
        }
        rows = "SELECT * EXCLUDE (request_object, response_object) FROM requests ORDER BY began_at, request"
        for request in requests_of(events, Redactor(reveal=True), rows):
            details = request.details
            name = details.get("object_name") or details.get("name")
            namespace = details.get("namespace") if details["resource"] != "namespaces" else None
            if name and details["verb"] != "deletecollection":
                key = details.get("api_group"), details["resource"], namespace, name
                found[key].append(Write(request, *bodies[request.key]))
    return found


def _changes(writes: list[Write]) -> list[Write]:
    return [write for write in writes if write.is_write and write.is_carried_out and write.verb != "delete"]


def _complete(objects: dict[Key, list[Write]]) -> Iterator[tuple[Key, list[Write], Write]]:
    """Objects of which every write is answered with the object, with the last such answer.

    A binding, and a scale, are answered with something else: it is enough that they are not the last.
    """
    for key, writes in objects.items():
        changes = _changes(writes)
        if all(write.answered is not None or write.subresource in {"binding", "scale"} for write in changes):
            answered = [write for write in changes if write.answered is not None]
            if answered and changes[-1].answered is not None:
                yield key, writes, max(answered, key=_version)


def _version(write: Write) -> int:
    assert write.answered is not None
    return int(write.answered["metadata"]["resourceVersion"])


def _last_state(writes: list[Write], *, with_answers: bool) -> Any:
    """State after the last write that is no deletion."""
    life = [life for life in build_lives(writes, with_answers=with_answers) if life.revisions][-1]
    kept = [
        revision
        for revision in life.revisions
        if revision.request is not None and revision.request.details["verb"] != "delete"
    ]
    return kept[-1].state


def test_the_final_state_of_every_object_is_what_the_server_answered_last(objects: dict[Key, list[Write]]) -> None:
    wrong = [key for key, writes, last in _complete(objects) if _last_state(writes, with_answers=True) != last.answered]
    assert sum(1 for _ in _complete(objects)) > 2800
    assert wrong == []


def _fields(state: Any) -> dict[Any, Any]:
    return {path: value for path, value in leaves(state) if not is_noise(path) and path[:2] not in SERVERS}


def _asked(writes: list[Write]) -> set[Any]:
    """Fields that some request set: what is in no request is the server's."""
    found = set()
    for write in _changes(writes):
        if isinstance(write.body, dict):
            part = PARTS.get(write.subresource)
            found |= {path for path, _ in leaves(write.body) if part is None or path[0] == part}
    return found


def test_hiding_the_answers_nearly_every_object_is_the_same_but_for_what_the_server_sets(
    objects: dict[Key, list[Write]],
) -> None:
    outcomes: Counter[str] = Counter()
    for _, writes, last in _complete(objects):
        if not any(write.verb == "create" or write.request.code == 201 for write in _changes(writes)):
            continue  # it was there before the log begins
        found = _fields(_last_state(writes, with_answers=False))
        truth = _fields(last.answered)
        wrong = [path for path, value in found.items() if value not in ({}, [], None, "") and truth.get(path) != value]
        missing = [path for path in truth.keys() - found.keys() if path in _asked(writes)]
        outcomes["different" if wrong or missing else "same"] += 1
    assert outcomes["same"] > 2800
    # A manifest that replaces an object gets the server's defaults once more, which nobody asked for then.
    assert outcomes["different"] <= 3


def test_without_any_answer_there_is_no_evidence_but_requests(objects: dict[Key, list[Write]]) -> None:
    evidence = {
        revision.evidence
        for writes in list(objects.values())[:200]
        for life in build_lives(writes, with_answers=False)
        for revision in life.revisions
    }
    assert evidence <= {Evidence.REQUEST, Evidence.NONE}
