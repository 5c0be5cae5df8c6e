"""Actions: what somebody did, out of the requests of one session.

One command makes many requests. kubectl looks at an object before it writes it, lists before it deletes, asks what the
server offers before it does anything; a person who reads a timeline wants the command.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from kubewitness.investigate.kinds import CHANGES, NOISE, READS, ActionKind, Sort, is_kubectl, sort_of
from kubewitness.investigate.phrases import phrase
from kubewitness.words.objects import Object, distinct_objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from kubewitness.investigate.requests import Request

TOGETHER = timedelta(seconds=10)
"""Requests of one kind that follow each other within this are one action."""

_AROUND = timedelta(seconds=3)
"""How far apart what a program does before and after a request may be."""

_LOOK_AHEAD = 200
"""How many requests further on the one may be that this one was made for."""

_REFUSED = frozenset({401, 403})
_FOUND = 200
_FEWEST_PROBED = 3
_FEWEST_LISTED = 3


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody did, out of one or many requests of a session.

    Attributes:
        kind: what it was.
        text: a phrase that begins with a verb, without who did it: "kubectl apply of 14 objects, first ...".
        began_at: when its first request began (UTC, naive); None where no request has a time.
        ended_at: when its last request ended, or began where its end is not known.
        requests: its requests in order of time; what is about others comes along, such as reads before a write.
        objects: what it was about, as `resource/namespace/name`.
        session: number of its session; 0 for none.
    """

    kind: ActionKind
    text: str
    began_at: datetime | None
    ended_at: datetime | None
    requests: tuple[Request, ...]
    objects: tuple[str, ...]
    session: int

    @property
    def refused(self) -> int:
        """How many of its requests were refused (401, 403)."""
        return sum(request.code in _REFUSED for request in self.requests)

    @property
    def failed(self) -> int:
        """How many of its requests failed otherwise."""
        return sum(request.is_failed for request in self.requests) - self.refused

    @property
    def is_change(self) -> bool:
        """Whether something was changed."""
        return self.kind in CHANGES and self.refused + self.failed < len(self.requests)


@dataclass(slots=True)
class _Draft:
    """An action in the making: requests that were made for others are beside those it is about."""

    sort: Sort
    requests: list[Request]
    beside: list[Request]

    @property
    def began_at(self) -> datetime | None:
        return min((each.began_at for each in (*self.requests, *self.beside) if each.began_at), default=None)

    @property
    def last_at(self) -> datetime | None:
        return max((each.began_at for each in (*self.requests, *self.beside) if each.began_at), default=None)


def group_actions(requests: Sequence[Request]) -> tuple[Action, ...]:
    """Actions of one session, by when they began.

    Args:
        requests: of one session, in order of time.
    """
    drafts = _drafts(requests)
    drafts.sort(key=lambda draft: (draft.began_at is None, draft.began_at))
    return tuple(_action(draft) for draft in _merged(drafts))


def _action(draft: _Draft) -> Action:
    everything = sorted((*draft.requests, *draft.beside), key=lambda each: (each.began_at is None, each.began_at))
    about = [request.details for request in draft.requests]
    ends = [each.ended_at or each.began_at for each in everything if each.ended_at or each.began_at]
    return Action(
        kind=draft.sort.kind,
        text=phrase(draft.sort, draft.requests, draft.beside),
        began_at=draft.began_at,
        ended_at=max((each for each in ends if each), default=None),
        requests=tuple(everything),
        objects=tuple(each.path for each in distinct_objects(about)),
        session=draft.requests[0].session,
    )


def _drafts(requests: Sequence[Request]) -> list[_Draft]:
    sorts = [sort_of(request.details) for request in requests]
    mains = _mains(requests, sorts)
    drafts: list[_Draft] = []
    latest: dict[tuple[Sort, bool], _Draft] = {}
    of_request: dict[int, _Draft] = {}
    last: dict[tuple[Sort, bool], datetime] = {}
    for index, request in enumerate(requests):
        if index in mains:
            continue
        sort = sorts[index]
        # Reads that were refused are apart from those that were not: they say something else.
        key = sort, sort.kind in READS and request.code in _REFUSED
        draft = latest.get(key)
        if draft is None or not _goes_on(sort, last.get(key), request.began_at):
            draft = latest[key] = _Draft(sort, [], [])
            drafts.append(draft)
        draft.requests.append(request)
        of_request[index] = draft
        if request.began_at is not None:
            last[key] = request.began_at
    for index, main in mains.items():
        of_request[main].beside.append(requests[index])
    return drafts


def _goes_on(sort: Sort, last_at: datetime | None, began_at: datetime | None) -> bool:
    if sort.kind in NOISE or last_at is None or began_at is None:
        return True
    return began_at - last_at <= TOGETHER


def _mains(requests: Sequence[Request], sorts: Sequence[Sort]) -> dict[int, int]:
    """Of each read that a program makes for another request: that other one, which is not itself made for one.

    kubectl reads an object before it writes it, reads its log, or gets into it, and after it has deleted it; it lists
    what it deletes one by one, and lists the events of what it describes. So do others that list and delete.
    """
    keys = [Object.of(request.details) for request in requests]
    targets = {index for index, sort in enumerate(sorts) if _is_target(sort.kind)}
    by_object: dict[tuple[str, str | None, str | None], list[int]] = defaultdict(list)
    deletions: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for index in sorted(targets):
        key = keys[index]
        if key is None:
            continue
        by_object[key.resource, key.namespace, key.name].append(index)
        if sorts[index].kind is ActionKind.DELETE and key.name:
            deletions[key.resource, key.namespace].append(index)
            deletions[key.resource, None].append(index)
    mains: dict[int, int] = {}
    for index, sort in enumerate(sorts):
        key = keys[index]
        if key is None or sort.kind not in {*READS, ActionKind.WATCH}:
            continue
        near: list[int] = []
        if key.name and is_kubectl(requests[index].details):
            near = by_object[key.resource, key.namespace, key.name]
        elif sort.kind is ActionKind.LIST:
            near = deletions[key.resource, key.namespace]
        found = _nearest(requests, index, near, is_before_only=sort.kind is ActionKind.LIST)
        if found is not None:
            mains[index] = found
    mains |= _unchanged(requests, sorts, mains)
    return mains | _described(requests, sorts, mains)


def _is_target(kind: ActionKind) -> bool:
    return kind in CHANGES or kind in {ActionKind.EXEC, ActionKind.ATTACH, ActionKind.PORT_FORWARD, ActionKind.LOGS}


def _nearest(requests: Sequence[Request], index: int, candidates: Iterable[int], *, is_before_only: bool) -> int | None:
    """The first later request among the candidates that is near in time, else the last earlier one."""
    at = requests[index].began_at
    if at is None:
        return None
    before: int | None = None
    for other in candidates:
        other_at = requests[other].began_at
        if other_at is None or abs(other_at - at) > _AROUND or abs(other - index) > _LOOK_AHEAD:
            continue
        if other > index:
            return other
        before = other
    return None if is_before_only else before


def _unchanged(requests: Sequence[Request], sorts: Sequence[Sort], mains: dict[int, int]) -> dict[int, int]:
    """Of each read by kubectl amid the writes of an apply: the next write. Nothing had to be changed there."""
    applies = [index for index, sort in enumerate(sorts) if sort.kind is ActionKind.APPLY and not sort.group[0]]
    found: dict[int, int] = {}
    for before, after in pairwise(applies):
        start, end = requests[before].began_at, requests[after].began_at
        if sorts[before] != sorts[after] or start is None or end is None or end - start > _AROUND:
            continue
        for index in range(before + 1, after):
            is_read = sorts[index].kind is ActionKind.GET and bool(requests[index].details.get("name"))
            if (
                is_read
                and index not in mains
                and requests[index].code == _FOUND
                and is_kubectl(requests[index].details)
            ):
                found[index] = after
    return found


def _described(requests: Sequence[Request], sorts: Sequence[Sort], mains: dict[int, int]) -> dict[int, int]:
    """Of each read before the list of an object's events: that list, which then is about the object."""
    found: dict[int, int] = {}
    for index, sort in enumerate(sorts):
        if sort.kind is not ActionKind.DESCRIBE:
            continue
        for earlier in range(index - 1, max(index - 10, -1), -1):
            is_free = sorts[earlier].kind is ActionKind.GET and earlier not in mains and earlier not in found
            if is_free and _nearest(requests, earlier, [index], is_before_only=True) is not None:
                found[earlier] = index
                break
    return found


def _merged(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Reads of many kinds of objects in a row become one: what was refused, and what was listed."""
    merged: list[_Draft] = []
    run: list[_Draft] = []
    for draft in drafts:
        if run and not _joins(run[-1], draft):
            merged += _merge(run)
            run = []
        run.append(draft)
    return sorted(merged + _merge(run), key=lambda draft: (draft.began_at is None, draft.began_at))


def _joins(one: _Draft, other: _Draft) -> bool:
    if {one.sort.kind, other.sort.kind} - READS or not one.last_at or not other.began_at:
        return False
    if _is_refused(one) != _is_refused(other):
        return False
    # Who listed secrets must not be lost among other kinds.
    is_of_kind = _is_refused(one) or (
        one.sort.kind is other.sort.kind is ActionKind.LIST and ("secrets",) not in {one.sort.group, other.sort.group}
    )
    return is_of_kind and other.began_at - one.last_at <= (TOGETHER if _is_refused(one) else _AROUND)


def _is_refused(draft: _Draft) -> bool:
    return all(request.code in _REFUSED for request in draft.requests)


def _merge(run: Sequence[_Draft]) -> list[_Draft]:
    if not run:
        return []
    is_probe = _is_refused(run[0]) and run[0].sort.kind in READS
    fewest = _FEWEST_PROBED if is_probe else _FEWEST_LISTED
    if len(run) < fewest or run[0].sort.kind not in READS:
        return list(run)
    requests = sorted(
        (request for draft in run for request in draft.requests),
        key=lambda each: (each.began_at is None, each.began_at),
    )
    beside = [request for draft in run for request in draft.beside]
    kind = ActionKind.PROBE if is_probe else ActionKind.LIST
    return [replace(run[0], sort=Sort(kind), requests=requests, beside=beside)]
