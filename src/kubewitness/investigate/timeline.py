"""Timelines: what was done and what was alarming, on one axis."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from kubewitness.investigate.actions import group_actions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from kubewitness.investigate.actions import Action
    from kubewitness.investigate.requests import Request
    from kubewitness.investigate.sessions import Session
    from kubewitness.model.alert import Alert
    from kubewitness.model.ledger import Ledger, Origin


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing on the axis: an action, or an alert.

    Attributes:
        at: when it began (UTC, naive); None where the log does not say.
        session: number of the session it belongs to; 0 for none.
        what: the action or the alert.
    """

    at: datetime | None
    session: int
    what: Action | Alert


@dataclass(frozen=True, slots=True)
class Timeline:
    """What was done and what was alarming.

    Attributes:
        subject: what was asked for, in words.
        sessions: sessions, by when they began.
        entries: actions and alerts by time.
        requests: how many requests were found.
        looked_at: how many events the logs have.
        ledger: what became of every record.
        first_at: when the first request began (UTC, naive).
        last_at: when the last one ended.
        remarks: what was left out, or could not be said.
    """

    subject: str
    sessions: tuple[Session, ...]
    entries: tuple[Entry, ...]
    requests: int
    looked_at: int
    ledger: Ledger
    first_at: datetime | None
    last_at: datetime | None
    remarks: tuple[str, ...] = ()


def place_entries(requests: Iterable[Request], alerts: Sequence[Alert]) -> tuple[Entry, ...]:
    """Actions of requests and the alerts that concern them, by time; at the same time the action comes first.

    Args:
        requests: in order of time.
        alerts: of the same logs. Those without any event among the requests are left out.
    """
    by_session = sorted(requests, key=lambda request: request.session)
    entries: list[Entry] = []
    placed: dict[Origin, Request] = {}
    for session, group in groupby(by_session, key=lambda request: request.session):
        several = list(group)
        entries += (Entry(action.began_at, session, action) for action in group_actions(several))
        placed.update({origin: request for request in several for origin in request.origins})
    entries += (entry for alert in alerts if (entry := _place(alert, placed)) is not None)
    entries.sort(key=lambda entry: (entry.at is None, entry.at))
    return tuple(entries)


def _place(alert: Alert, placed: Mapping[Origin, Request]) -> Entry | None:
    """An alert where the first of its requests stands that are there."""
    concerned = [request for event in alert.events if (request := placed.get(event.origin))]
    if not concerned:
        return None
    first = min(concerned, key=lambda request: (request.began_at is None, request.began_at))
    return Entry(first.began_at, first.session, alert)
