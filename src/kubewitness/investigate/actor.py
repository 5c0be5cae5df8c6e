"""What is known of one actor: who they are, from where, with what, what they did, and what of it is new."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from kubewitness.investigate.sessions import Session
    from kubewitness.model.alert import Alert
    from kubewitness.model.ledger import Ledger

FEWEST_BEFORE = 20
"""So many requests must have been before something can be called new."""

LEARNED_SHARE = 0.25
"""This share of an actor's requests shows what is usual for it, where no baseline does."""


class Aspect(StrEnum):
    """What of an actor is counted, by the name of its column."""

    NETWORK = "source_network"
    AGENT = "user_agent_family"
    GROUP = "groups"
    NAMESPACE = "namespace"

    @property
    def about(self) -> str:
        """In a word, for people."""
        return {"source_network": "network", "user_agent_family": "program", "groups": "group"}.get(self, self.value)


@dataclass(frozen=True, slots=True)
class Seen:
    """A value and the requests that had it.

    Attributes:
        value: the value.
        count: number of requests.
        first_at: time of the first one (UTC, naive).
        last_at: time of the last one.
        details: a few values that belong to it, such as addresses of a network.
    """

    value: str
    count: int
    first_at: datetime | None
    last_at: datetime | None
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """One way in which somebody became this actor: authenticated as, with, acting as.

    Attributes:
        username: who authenticated.
        acted_as: whom they acted as; None for themselves.
        credential: id of token or certificate.
        pod: that the token is bound to.
        node: that the token is bound to.
        entra_id: object id in Entra.
        count: number of requests.
        first_at: time of the first one (UTC, naive).
        last_at: time of the last one.
        issued: who asked for the token, where the log shows it.
    """

    username: str | None
    acted_as: str | None
    credential: str | None
    pod: str | None
    node: str | None
    entra_id: str | None
    count: int
    first_at: datetime | None
    last_at: datetime | None
    issued: str | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """What an actor did: one verb on one kind of thing in one place.

    Attributes:
        verb: of the API; the method where it is no resource.
        what: resource with API group and subresource, or path.
        namespace: where; None for the whole cluster.
        count: number of requests.
        denied: how many of them were denied.
        failed: how many failed otherwise.
        names: how many different objects.
        first_at: time of the first one (UTC, naive).
        last_at: time of the last one.
        message: what the server said to the last that was denied.
    """

    verb: str
    what: str
    namespace: str | None
    count: int
    denied: int
    failed: int
    names: int
    first_at: datetime | None
    last_at: datetime | None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class GivenRole:
    """A role that allowed requests, as the server gave its reason.

    Attributes:
        role: its name, with its kind where the server says it; None where it does not.
        binding: what gave it.
        reason: how the server put it, for people.
        count: requests that it allowed.
        last_at: time of the last one (UTC, naive).
    """

    role: str | None
    binding: str | None
    reason: str | None
    count: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token that was asked for.

    Attributes:
        credential: its id; None where the log does not say.
        account: service account that it is for.
        by: who asked.
        at: when (UTC, naive).
        succeeded: whether it was given.
        uses: requests of the log that came with it.
    """

    credential: str | None
    account: str
    by: str | None
    at: datetime | None
    succeeded: bool
    uses: int


@dataclass(frozen=True, slots=True)
class New:
    """Something that was not there before.

    Attributes:
        what: kind of thing, for people.
        value: the thing.
        first_at: when it was first seen (UTC, naive).
        count: requests that had it since.
    """

    what: str
    value: str
    first_at: datetime | None
    count: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of one actor. All of it is redacted.

    Attributes:
        name: full name.
        kind: kind of actor; None where it only authenticated.
        clusters: where it was seen.
        first_at: time of its first request (UTC, naive).
        last_at: time of its last one.
        requests: how many there were.
        allowed: how many were authorised.
        denied: how many were denied.
        failed: how many were authorised and failed.
        changes: how many changed something.
        links: ways in which requests became its own, most frequent first.
        impersonators: who acted as it.
        acted_as: whom it acted as.
        aspects: networks, programs, groups and namespaces.
        deeds: what it did, most frequent first.
        roles: what allowed it.
        tokens: asked for by it or for it.
        news: what was not there before.
        compared: with what the news were compared; says why not where they were not.
        hours: requests by hour of the day (UTC).
        days: requests by day, as ISO 8601 writes it.
        sessions: its sessions, in order.
    """

    name: str
    kind: str | None
    clusters: tuple[str, ...]
    first_at: datetime | None
    last_at: datetime | None
    requests: int
    allowed: int
    denied: int
    failed: int
    changes: int
    links: tuple[Link, ...]
    impersonators: tuple[Seen, ...]
    acted_as: tuple[Seen, ...]
    aspects: Mapping[Aspect, tuple[Seen, ...]]
    deeds: tuple[Deed, ...]
    roles: tuple[GivenRole, ...]
    tokens: tuple[IssuedToken, ...]
    news: tuple[New, ...]
    compared: str
    hours: tuple[int, ...]
    days: Mapping[str, int]
    sessions: tuple[Session, ...]

    @property
    def denials(self) -> tuple[Deed, ...]:
        """What it was denied, most frequent first."""
        return tuple(sorted((deed for deed in self.deeds if deed.denied), key=lambda deed: -deed.denied))


@dataclass(frozen=True, slots=True)
class ActorReport:
    """The answer about an actor.

    Attributes:
        profile: what is known.
        alerts: about it, by time; redacted.
        remarks: what to know before the answer is believed.
        ledger: what became of every record.
    """

    profile: Profile
    alerts: tuple[Alert, ...]
    remarks: tuple[str, ...]
    ledger: Ledger


def learned_requests(count: int) -> int:
    """How many of an actor's first requests show what is usual for it."""
    return max(FEWEST_BEFORE, int(count * LEARNED_SHARE))


def news_since(moment: datetime, aspects: Mapping[Aspect, Iterable[Seen]], deeds: Iterable[Deed]) -> Iterator[New]:
    """What was first seen after a moment."""
    for aspect, seen in aspects.items():
        for each in seen:
            if each.first_at is not None and each.first_at > moment:
                yield New(aspect.about, each.value, each.first_at, each.count)
    yield from _new_deeds(deeds, moment)


def _new_deeds(deeds: Iterable[Deed], moment: datetime) -> Iterator[New]:
    """Verbs on kinds of things that are new wherever they happen: a new place for them is a new namespace."""
    first: dict[str, New] = {}
    for deed in deeds:
        known = first.get(f"{deed.verb} {deed.what}")
        if known is None:
            first[f"{deed.verb} {deed.what}"] = New("deed", f"{deed.verb} {deed.what}", deed.first_at, deed.count)
        else:
            earliest = min(filter(None, (known.first_at, deed.first_at)), default=None)
            first[known.value] = replace(known, first_at=earliest, count=known.count + deed.count)
    yield from (new for new in first.values() if new.first_at is not None and new.first_at > moment)


def news_beside(known: Mapping[str, Collection[str]], aspects: Mapping[Aspect, Iterable[Seen]]) -> Iterator[New]:
    """What a baseline does not know.

    Args:
        known: values that it knows of the actor, by column; nothing is said of columns that it does not have.
        aspects: what was seen.
    """
    for aspect, seen in aspects.items():
        if aspect.value in known:
            for each in seen:
                if each.value not in known[aspect.value]:
                    yield New(aspect.about, each.value, each.first_at, each.count)
