"""The lives of an object as machines read them. Names and order are a contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubewitness.investigate.actions import group_actions
from kubewitness.investigate.changes import is_noise, value_at, written
from kubewitness.investigate.lives import blame
from kubewitness.words.plain import Fields, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kubewitness.investigate.actions import Action
    from kubewitness.investigate.deletions import Deletion
    from kubewitness.investigate.lives import Life
    from kubewitness.investigate.requests import Request

    Show = Callable[[Any], Any]

_READS = frozenset({"get", "list", "watch"})


def life_fields(life: Life, show: Show) -> Fields:
    """One life: revisions with what changed, who touched it, its end, and who last set each field."""
    shown = _Shown(life, show)
    return {
        "uid": life.uid,
        "created": life.is_born,
        "revisions": [shown.revision(place) for place in range(len(life.revisions))],
        "touches": [
            {"at": rfc3339(action.began_at), "actor": actor, "text": action.text, "requests": len(action.requests)}
            for actor, action in touches_of(life)
        ],
        "reads": len(reads_of(life)),
        "deletion": _deletion_fields(life.deletion) if life.deletion else None,
        "blame": [
            {"field": written(each.path), "revision": each.revision.number, **_who(each.revision.by)}
            for each in blame(life)
            if not is_noise(each.path)
        ],
    }


def line_fields(name: str, lives: Sequence[Life], show: Show) -> Iterator[Fields]:
    """What happened to an object, one thing each: `what` is revision, touch or deletion; the lives by their numbers."""
    for number, life in enumerate(lives, 1):
        head = {"object": name, "life": number, "uid": life.uid}
        whole = life_fields(life, show)
        found = [{**head, "what": "revision", **each} for each in whole["revisions"]]
        found += [{**head, "what": "touch", **each} for each in whole["touches"]]
        yield from sorted(found, key=lambda each: (each["at"] is not None, each["at"] or ""))
        if whole["deletion"]:
            yield {**head, "what": "deletion", **whole["deletion"]}


def reads_of(life: Life) -> list[Request]:
    """Plain reads among what touched an object."""
    return [
        request
        for request in life.touches
        if request.details.get("verb") in _READS and not request.details.get("subresource")
    ]


def touches_of(life: Life) -> list[tuple[str | None, Action]]:
    """What was done with an object without changing it, but for reads: each with who did it, by time."""
    reads = {request.key for request in reads_of(life)}
    by_actor: dict[str | None, list[Request]] = {}
    for request in life.touches:
        if request.key not in reads:
            by_actor.setdefault(request.details.get("actor"), []).append(request)
    found = [(actor, action) for actor, requests in by_actor.items() for action in group_actions(_in_order(requests))]
    return sorted(found, key=lambda pair: (pair[1].began_at is None, pair[1].began_at))


def _in_order(requests: Sequence[Request]) -> list[Request]:
    return sorted(requests, key=lambda request: (request.began_at is None, request.began_at))


class _Shown:
    """States of a life as they may be shown, each made once."""

    def __init__(self, life: Life, show: Show) -> None:
        self._life = life
        self._show = show

    def revision(self, place: int) -> Fields:
        revision = self._life.revisions[place]
        before = next((each.state for each in reversed(self._life.revisions[:place]) if each.state is not None), None)
        old, new = self._show(before), self._show(revision.state)
        return {
            "revision": revision.number,
            "at": rfc3339(revision.at),
            **_who(revision.by),
            "verb": revision.by.details.get("verb") if revision.by else None,
            "subresource": revision.by.details.get("subresource") if revision.by else None,
            "evidence": revision.evidence.value,
            "certain": revision.is_certain,
            "resource_version": revision.resource_version,
            "notes": list(revision.notes),
            "changes": [
                {
                    "field": change.where,
                    "part": change.part.value,
                    "kind": change.kind.value,
                    "before": value_at(old, change.path),
                    "after": value_at(new, change.path),
                }
                for change in revision.changes
            ],
            "records": [
                {"source": origin.source, "line": origin.line}
                for origin in (revision.request.origins if revision.request else ())
            ],
        }


def _who(request: Request | None) -> Fields:
    details = request.details if request else {}
    return {
        "actor": details.get("actor"),
        "username": details.get("username"),
        "program": details.get("user_agent_family"),
        "source_ip": details.get("source_ip"),
        "audit_id": details.get("audit_id"),
    }


def _deletion_fields(deletion: Deletion) -> Fields:
    return {
        "kind": deletion.kind.value,
        "asked_at": rfc3339(deletion.asked_at),
        "gone_at": rfc3339(deletion.gone_at),
        **_who(deletion.request),
        "how": deletion.how,
        "cause": deletion.cause,
        "sure": deletion.is_sure,
    }
