"""Requests and sessions out of the events of logs, for the use cases of an investigation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.investigate import requests, sessions
from kubewitness.investigate.requests import DETAILS_LEFT_OUT, Request, create_requests, request_parameters
from kubewitness.investigate.sessions import (
    CREATE_REQUEST_SESSIONS,
    CREATE_SESSIONS,
    IDLE_S,
    SESSION_REQUESTS,
    SESSIONS,
    Session,
)
from kubewitness.model.ledger import Origin
from kubewitness.query.predicate import ALWAYS, And, Not, Or, fields_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from kubewitness.alert.redact import Redactor
    from kubewitness.app.events import Events
    from kubewitness.query.predicate import Predicate

COLUMNS = (*requests.NEEDED, *sessions.NEEDED)
"""Columns to ask `open_events` for, besides one's own, where requests or sessions are made of the events."""

_ORIGINS = "SELECT row, source, line FROM events"


def pair_requests(events: Events, columns: Collection[str], where: Predicate = ALWAYS) -> None:
    """Make the table `requests` of the table `events`: one row per request.

    Args:
        events: opened with `COLUMNS` and `columns`.
        columns: further columns that requests shall have.
        where: what the events were opened with. When it holds of the beginnings of requests and not of their ends,
            nothing is said of requests without an end.
    """
    events.engine.run(
        create_requests((*COLUMNS, *columns)),
        request_parameters(end_at=events.last_at, whole=events.has_ends and _finds_ends(where)),
    )


def _finds_ends(predicate: Predicate, *, is_demanded: bool = True) -> bool:
    """Whether what holds of the beginning of a request holds of its end as well."""
    match predicate:
        case And(items) | Or(items):
            return all(_finds_ends(item, is_demanded=is_demanded) for item in items)
        case Not(item):
            return _finds_ends(item, is_demanded=not is_demanded)
        case _:
            names = {field.column.name for field in fields_of(predicate)}
            return names <= (requests.STEADY | requests.LATER if is_demanded else requests.STEADY)


def split_sessions(events: Events, *, idle_s: float = IDLE_S) -> tuple[Session, ...]:
    """Make the tables `sessions` and `request_sessions` of the table `requests`, and give the sessions.

    Args:
        events: whose requests are paired.
        idle_s: seconds without a request after which a session is over.
    """
    events.engine.run(CREATE_REQUEST_SESSIONS, {"idle_s": idle_s})
    events.engine.run(CREATE_SESSIONS)
    return tuple(Session.of(row) for row in events.rows(SESSIONS))


def requests_of(
    events: Events,
    redactor: Redactor,
    sql: str = SESSION_REQUESTS,
    parameters: Mapping[str, Any] | None = None,
    *,
    again: Sequence[str] = (),
) -> list[Request]:
    """Requests that a query over `requests` gives, in its order, redacted, with the places of their records.

    Args:
        events: whose requests are paired, and split into sessions where `sql` is not given.
        redactor: what decides what is shown.
        sql: a query that gives all columns of `requests`, and `session` where sessions are wanted.
        parameters: of the query.
        again: columns that the query does not give, to be read again of the last record of each request; of a store
            nothing is read again.
    """
    rows = events.rows(sql, parameters)
    origins = _origins(events, rows)
    if again and events.evidence is not None:
        known = events.evidence.events([row["rows"][-1] for row in rows], again)
        rows = [row | known.get(row["rows"][-1], {}) for row in rows]
    return [
        Request.of(
            row,
            tuple(origins[each] for each in row["rows"]),
            redactor.details(
                {name: value for name, value in row.items() if value is not None and name not in DETAILS_LEFT_OUT}
            ),
        )
        for row in rows
    ]


def _origins(events: Events, rows: Sequence[Mapping[str, Any]]) -> dict[int, Origin]:
    wanted = [each for row in rows for each in row["rows"]]
    places = events.rows(f"{_ORIGINS} WHERE row IN (SELECT unnest($rows))", {"rows": wanted})
    return {place["row"]: Origin(place["source"], place["line"]) for place in places}
