"""Lives of an object out of the requests on it, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.investigate.changes import changes_between
from kubewitness.investigate.deletions import Deletion, DeletionKind, describe, is_held, is_marked
from kubewitness.investigate.lives import Life, Revision
from kubewitness.investigate.writes import Evidence, Rebuilder, State, Write, whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_CREATED = 201


def build_lives(
    writes: Sequence[Write], others: Sequence[Write] = (), *, with_answers: bool = True, with_noise: bool = False
) -> list[Life]:
    """The lives of one object.

    Args:
        writes: requests on it, in order of time; reads as well.
        others: deletions of collections and of other objects that may be behind its end, in order of time.
        with_answers: whether to take what the server answered; without, all is rebuilt from requests.
        with_noise: whether to tell of changes in what the server keeps for itself, such as managedFields.
    """
    ordered = _in_order([*writes, *(each for each in others if _is_about(each, writes))], with_answers=with_answers)
    builder = _Builder(others, ordered, with_answers=with_answers, with_noise=with_noise)
    for write in ordered:
        builder.take(write)
    return builder.lives


def _is_about(write: Write, writes: Sequence[Write]) -> bool:
    """Whether the deletion of a collection is one of the object's kind and place."""
    if write.verb != "deletecollection" or not writes:
        return False
    mine, its = writes[0].request.details, write.request.details
    same_place = its.get("namespace") in {None, mine.get("namespace")}
    return its.get("resource") == mine.get("resource") and same_place and write.is_carried_out


def _when(write: Write) -> tuple[bool, datetime | None, int]:
    at = write.request.ended_at or write.request.began_at
    return at is None, at, write.request.key


def _version(state: State | None) -> str | None:
    metadata = state.get("metadata") if state else None
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else None


def _number(version: str | None) -> int | None:
    return int(version) if version and version.isascii() and version.isdigit() else None


def _known(life: Life) -> int | None:
    """The server's number of the last revision."""
    return _number(life.revisions[-1].resource_version) if life.revisions else None


def _in_order(writes: list[Write], *, with_answers: bool) -> list[Write]:
    """By time; those whose answers have a number of the server, by that number among their places."""
    ordered = sorted(writes, key=_when)
    if not with_answers:
        return ordered
    numbers = [
        _number(_version(write.answered)) if write.is_write and write.is_carried_out else None for write in ordered
    ]
    places = [place for place, number in enumerate(numbers) if number is not None]
    by_number = sorted(places, key=lambda place: (numbers[place] or 0, place))
    result = list(ordered)
    for place, source in zip(places, by_number, strict=True):
        result[place] = ordered[source]
    return result


class _Builder:
    def __init__(
        self, others: Sequence[Write], writes: Sequence[Write], *, with_answers: bool, with_noise: bool
    ) -> None:
        self.lives: list[Life] = []
        self._others = others
        self._with_answers = with_answers
        self._with_noise = with_noise
        self._rebuilder = Rebuilder(with_answers=with_answers)
        self._explained = {_version(write.answered) for write in writes if write.is_write}
        self._state: State | None = None
        self._is_certain = True
        self._asked: Write | None = None

    def take(self, write: Write) -> None:
        """Go on by one request."""
        if not write.is_carried_out or not (write.is_write or write.subresource == "eviction"):
            self._touch(write)
        elif write.verb == "deletecollection" and not write.request.details.get("name"):
            self._take_collection(write)
        elif write.subresource == "eviction":
            self._life(write).touches.append(write.request)
            self._ask(write)
        elif write.verb == "delete":
            self._take_delete(write, write.answered if self._with_answers else None)
        else:
            self._take_write(write)

    def _life(self, write: Write) -> Life:
        """The life that a request belongs to: a new one where its uid is another, or the last one is over."""
        uid = self._uid(write)
        life = self.lives[-1] if self.lives else None
        if life is not None and life.is_over and not (uid and uid == life.uid):
            life = None if write.is_write and write.verb != "delete" else life
        elif life is not None and uid and life.uid and uid != life.uid:
            self._replace(life, write)
            life = None
        if life is None:
            life = self._begin()
        if life.uid is None:
            life.uid = uid
        return life

    def _begin(self) -> Life:
        life = Life()
        self.lives.append(life)
        self._state, self._is_certain, self._asked = None, True, None
        self._rebuilder = Rebuilder(with_answers=self._with_answers)
        return life

    @staticmethod
    def _uid(write: Write) -> str | None:
        answered = write.answered
        uid = answered["metadata"].get("uid") if answered is not None else None
        return uid if isinstance(uid, str) else write.request.details.get("object_uid")

    @staticmethod
    def _replace(life: Life, write: Write) -> None:
        """Another object has the name now, so the one before is gone, though the log does not have its end."""
        if not life.is_over:
            asked = life.deletion
            life.deletion = Deletion(
                asked.kind if asked else DeletionKind.REPLACED,
                asked.asked_at if asked else None,
                write.request.began_at,
                asked.request if asked else None,
                asked.how if asked else "",
                "before another object was made under its name",
            )

    def _touch(self, write: Write) -> None:
        seen = whole(write.answer, write.request.details) if write.verb == "get" and not write.subresource else None
        life = self._life(write)
        life.touches.append(write.request)
        if seen is None or not self._with_answers:
            return
        version, known = (
            _number(_version(seen)),
            _number(life.revisions[-1].resource_version if life.revisions else None),
        )
        is_new = _version(seen) not in self._explained and version is not None and (known is None or version > known)
        if is_new and not life.is_over:
            self._add(life, write, write.request.began_at, Evidence.READ, seen, notes=_notes_of_read(life))

    def _take_write(self, write: Write) -> None:
        is_birth = (write.verb == "create" and write.subresource is None) or write.request.code == _CREATED
        is_birth = is_birth and write.subresource is None
        if is_birth and self.lives and self.lives[-1].revisions and not self.lives[-1].is_over:
            self._replace(self.lives[-1], write)
        life = self._life(write)
        if is_birth and life.revisions:
            life = self._begin()
            life.uid = self._uid(write)
        life.is_born = life.is_born or is_birth
        self._notice_gap(life, write)
        effect = self._rebuilder.effect(write, self._state)
        version = _version(effect.state) if effect.evidence is Evidence.RESPONSE else None
        at = write.request.ended_at or write.request.began_at
        if version and life.revisions and version == life.revisions[-1].resource_version:
            life.touches.append(write.request)
        else:
            self._add(life, write, at, effect.evidence, effect.state, notes=effect.notes)
        if is_marked(effect.state) and effect.state is not None and not is_held(effect.state, write.request.details):
            self._end(life, write, at)

    def _notice_gap(self, life: Life, write: Write) -> None:
        """Add a revision that is not known where a write begins from a later one than the last that is."""
        body = write.body if isinstance(write.body, dict) and write.verb == "update" else None
        base = _number(_version(body))
        known = _number(life.revisions[-1].resource_version) if life.revisions else None
        if (
            not self._with_answers
            or base is None
            or known is None
            or base <= known
            or _version(body) in self._explained
        ):
            return
        notes = ("changed by a request that the log does not have",)
        self._add(life, None, write.request.began_at, Evidence.NONE, None, notes=notes, version=_version(body))

    def _take_delete(self, write: Write, answered: State | None) -> None:
        life = self._life(write)
        details = write.request.details
        at = write.request.ended_at or write.request.began_at
        if answered is not None and is_marked(answered) and is_held(answered, details):
            version = _version(answered)
            if not (life.revisions and version == life.revisions[-1].resource_version):
                self._add(life, write, at, Evidence.RESPONSE, answered)
            self._ask(write)
            return
        is_graceful = answered is None and details.get("resource") == "pods" and not _is_at_once(write)
        if answered is None and (is_graceful or (self._state is not None and is_held(self._state, details))):
            self._ask(write)
            return
        if answered is not None and not life.revisions:
            self._add(life, None, at, Evidence.RESPONSE, answered, notes=("as it was when it was deleted",))
        self._end(life, write, at)

    def _take_collection(self, write: Write) -> None:
        life = self.lives[-1] if self.lives else None
        if life is None or life.is_over or not life.revisions:
            return
        items = write.answer.get("items") if isinstance(write.answer, dict) else None
        if not isinstance(items, list):
            if life.deletion is None:
                life.deletion = Deletion(
                    DeletionKind.COLLECTION, write.request.began_at, None, write.request,
                    cause="if it was there and selected, which the log does not say", is_sure=False,
                )  # fmt: skip
            return
        name = self._name()
        for item in items:
            metadata = item.get("metadata") if isinstance(item, dict) else None
            if isinstance(metadata, dict) and metadata.get("name") == name:
                self._take_collected(life, write, item)

    def _take_collected(self, life: Life, write: Write, item: State) -> None:
        at = write.request.ended_at or write.request.began_at
        if is_marked(item) and is_held(item, write.request.details):
            self._add(life, write, at, Evidence.RESPONSE, item)
            self._ask(write)
        else:
            self._end(life, write, at)

    def _name(self) -> str | None:
        metadata = self._state.get("metadata") if self._state else None
        return metadata.get("name") if isinstance(metadata, dict) else None

    def _ask(self, write: Write) -> None:
        """Somebody asked for the deletion; the object is still there."""
        if self._asked is None:
            self._asked = write
            life = self.lives[-1]
            life.deletion = describe(write, None, self._state, self._others)

    def _end(self, life: Life, write: Write, at: datetime | None) -> None:
        life.deletion = describe(self._asked or write, at, self._state, self._others)

    def _add(
        self,
        life: Life,
        write: Write | None,
        at: datetime | None,
        evidence: Evidence,
        state: State | None,
        *,
        notes: tuple[str, ...] = (),
        version: str | None = None,
    ) -> None:
        is_known = evidence in {Evidence.RESPONSE, Evidence.READ}
        if evidence is Evidence.NONE:
            self._is_certain = False
        elif is_known or (write is not None and write.verb in {"create", "update"} and not write.subresource):
            self._is_certain = True
        before = life.state
        life.revisions.append(
            Revision(
                number=len(life.revisions) + 1,
                at=at,
                request=write.request if write else None,
                evidence=evidence,
                state=state,
                changes=changes_between(before, state, with_noise=self._with_noise) if state is not None else (),
                notes=notes,
                is_certain=self._is_certain,
                resource_version=(_version(state) if is_known else version),
            )
        )
        if state is not None:
            self._state = state


def _notes_of_read(life: Life) -> tuple[str, ...]:
    if not life.revisions:
        return ()
    if life.revisions[-1].evidence is Evidence.NONE:
        return ("what the changes before it that are not recorded have made, and perhaps others",)
    if life.revisions[-1].evidence is Evidence.REQUEST:
        return ("what the server made of what was asked before it",)
    return ("changed before by a request that the log does not have",)


def _is_at_once(write: Write) -> bool:
    """Whether a pod goes at once: its node says that it has stopped, or somebody did not want to wait."""
    body = write.body if isinstance(write.body, dict) else {}
    is_node = str(write.request.details.get("actor") or "").startswith("system:node:")
    return (
        is_node
        or body.get("gracePeriodSeconds") == 0
        or "gracePeriodSeconds=0" in str(write.request.details.get("request_uri") or "")
    )
