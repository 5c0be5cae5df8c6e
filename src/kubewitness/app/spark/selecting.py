"""Events of a store that a scan needs, found by Spark: what a rule matches, or is to be joined with what one matched.

A scan over the selected events comes to the same alerts as one over all of them. Needed are

- what a rule of single events matches, unless it is a rule with a memory, or one of many events that are only counted
  and nowhere enough (see counting.py);
- of what a rule with a memory (first seen) matches, the first event of each value, and of what is new all of the first
  hour and the beginning of its history (see news.py). Where the value is an event's own rather than its kind's, the
  first hour of every value and the beginning of every history;
- whatever an exception takes out;
- of requests that must not stay open: their beginnings and their ends, and the last event of each cluster;
- writes of workloads: who made what a controller made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubewitness.app.lake.judging import about
from kubewitness.app.spark.counting import select_counted
from kubewitness.app.spark.kinds import KEYED, give_open
from kubewitness.app.spark.opening import EVENTS
from kubewitness.app.spark.questions import NO_SIGHTS, Use
from kubewitness.detect.correlate.sights import NEWS_S
from kubewitness.query.spark import text_literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kubewitness.app.spark.kinds import Kind, Place
    from kubewitness.app.spark.opening import SparkEvents
    from kubewitness.app.spark.questions import Question

_BODIES = re.compile(r"\b(request_object|response_object|annotations|authentication_metadata|remainder|raw)\b")
_BEGINS = "stage IN ('RequestReceived', 'ResponseStarted')"
_JUDGED = f"""
-- One row per event that a question of these matches.
SELECT *
FROM (
    SELECT
        /*+ BROADCAST({{kinds}}) */ file_path, file_row, happened_at, audit_id,
        {{wanted}} AS is_wanted,
        {_BEGINS} AND {{begun}} AS is_begun,
        {{sights}} AS sights,
        -- Without it Spark would ask everything twice: for the filter, and of what passes it.
        monotonically_increasing_id() AS barrier
    FROM {KEYED} JOIN {{kinds}} USING (kind_key)
    WHERE {{where}}
)
WHERE is_wanted OR is_begun OR size(sights) > 0
"""  # noqa: S608 - constants

_FOUND = "SELECT file_path, file_row FROM judged WHERE is_wanted OR is_begun"
_SIGHTED = f"""
SELECT file_path, file_row
FROM (
    SELECT
        file_path, file_row, happened_at, begins,
        min(happened_at) OVER (PARTITION BY rule, history, value) AS first_at,
        -- All stages of a request happened at one time.
        dense_rank() OVER (PARTITION BY rule, history ORDER BY happened_at NULLS LAST) AS place
    FROM (SELECT file_path, file_row, happened_at, inline(sights) FROM judged)
)
WHERE happened_at <= first_at + INTERVAL {NEWS_S} SECONDS OR place <= begins
"""  # noqa: S608 - a number
_ENDED = f"""
SELECT file_path, file_row
FROM {EVENTS} LEFT SEMI JOIN (SELECT audit_id AS begun_id FROM judged WHERE is_begun) ON audit_id = begun_id
WHERE stage IN ('ResponseComplete', 'Panic')
"""  # noqa: S608 - a constant


def select_events(events: SparkEvents, questions: Sequence[Question], kinds: Sequence[Kind]) -> set[Place]:
    """Where the events are that Spark can tell are needed, but for those that a memory by kinds needs.

    Args:
        events: with the view `KEYED`.
        questions: of which `kinds` have the answers.
        kinds: all kinds.
    """
    asked = {number for number, each in enumerate(questions) if each.use not in {Use.COUNTED, Use.SHOWN}}
    of_bodies = {number for number in asked if _BODIES.search(questions[number].left or "")}
    parts = [_judged(events, "asked_kinds", questions, kinds, meant=asked - of_bodies, where="TRUE")]
    resources = {kind.resource for kind in kinds if kind.answers & of_bodies}
    if resources:
        parts.append(
            _judged(events, "asked_bodies", questions, kinds, meant=of_bodies, where=about(resources, text_literal))
        )
    begun = {number for number, each in enumerate(questions) if each.use is Use.BEGUN}
    found = [_FOUND]
    if any(questions[number].shows for number in asked):
        found.append(_SIGHTED)
    if any(begun & kind.answers for kind in kinds):
        found.append(_ENDED)
    with events.kept("judged", " UNION ALL ".join(f"({part})" for part in parts)):
        rows = events.rows(" UNION ALL ".join(f"({sql})" for sql in found))
    return {(row.file_path, row.file_row) for row in rows} | _latest(kinds) | select_counted(events, questions, kinds)


def _judged(
    events: SparkEvents, name: str, questions: Sequence[Question], kinds: Sequence[Kind], *, meant: set[int], where: str
) -> str:
    """Query for the events that some questions match.

    Args:
        events: with the view `KEYED`.
        name: of the view that it joins them with.
        questions: of which `kinds` have the answers.
        kinds: all kinds.
        meant: numbers of the questions.
        where: condition on events.
    """
    left = give_open(events, name, questions, kinds, meant)
    by_use = {use: [sql for number, sql in left.items() if questions[number].use is use] for use in Use}
    sights = [
        f"CASE WHEN {sql} THEN {questions[number].shows} END" for number, sql in left.items() if questions[number].shows
    ]
    return _JUDGED.format(
        wanted=" OR ".join(["wanted", *by_use[Use.WANTED]]),
        begun=f"({' OR '.join(['begun', *by_use[Use.BEGUN]])})",
        sights=f"flatten(filter(array({', '.join(sights)}), one -> one IS NOT NULL))" if sights else NO_SIGHTS,
        kinds=name,
        where=where,
    )


def _latest(kinds: Iterable[Kind]) -> set[Place]:
    """The last event of each cluster."""
    latest: dict[str | None, Kind] = {}
    for kind in kinds:
        if kind.cluster not in latest or kind.reached_at > latest[kind.cluster].reached_at:
            latest[kind.cluster] = kind
    return {kind.last for kind in latest.values()}
