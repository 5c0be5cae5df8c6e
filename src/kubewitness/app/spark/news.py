"""What is new to rules with a memory by kinds: which events a scan needs of it beside the first of each kind.

The first events of all kinds, with the number of the others, tell which values a history has not shown before, just as
they do in a scan of everything; a first round of the scan asks them. That leaves how long a history was when a value
came: Spark counts that, and finds the first hour of what is new and the beginning of its history.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from kubewitness.app.scan import answered
from kubewitness.app.spark.kinds import KEYED
from kubewitness.detect.correlate.matches import ADD_UNREAD, CREATE_KIND_SIGHTS
from kubewitness.detect.correlate.sights import CREATE_KNOWN, NEWS_S, news_sql, showing_sql, values_sql
from kubewitness.query.spark_session import COMPILED
from kubewitness.store.relation import place_of_row

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kubewitness.app.scan import Narrowed, ScanOptions
    from kubewitness.app.spark.kinds import Place
    from kubewitness.app.spark.opening import SparkEvents
    from kubewitness.detect.plan import Plan

_REACHED = f"""
-- One row per history that has so many events before the last of what may be new in it: when it had them.
SELECT number, max(happened_at) AS reached_at
FROM (
    SELECT
        /*+ BROADCAST(histories) */ number, after, happened_at,
        row_number() OVER (PARTITION BY number ORDER BY happened_at) AS place
    FROM {KEYED} JOIN histories USING (kind_key)
    WHERE happened_at <= latest_at
)
WHERE place <= after
GROUP BY number, after HAVING count(*) = after
"""  # noqa: S608 - a constant
_FRESH = f"""
SELECT /*+ BROADCAST(fresh) */ file_path, file_row
FROM {KEYED} JOIN fresh USING (kind_key)
WHERE happened_at <= until
UNION ALL
SELECT file_path, file_row
FROM (
    SELECT
        /*+ BROADCAST(histories) */ file_path, file_row, after,
        dense_rank() OVER (PARTITION BY number ORDER BY happened_at) AS place
    FROM {KEYED} JOIN histories USING (kind_key)
    WHERE happened_at <= latest_at
)
WHERE place <= after
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class News:
    """A value that is new unless its history was too short by then.

    Attributes:
        first_at: when it was first seen (UTC, naive).
        kinds: keys of the kinds that show it.
        history: keys of all kinds of its history.
        after: how many requests of the history must have come before; 0 when enough are known already.
    """

    first_at: datetime
    kinds: frozenset[int]
    history: frozenset[int]
    after: int


@dataclass(frozen=True, slots=True)
class History:
    """A history that may have been too short.

    Attributes:
        kinds: keys of its kinds.
        after: how many of its events must have come before something new.
        news: what may be new in it.
    """

    kinds: frozenset[int]
    after: int
    news: tuple[News, ...]

    def since(self, moment: datetime) -> History:
        """The same with what is not older."""
        return replace(self, news=tuple(each for each in self.news if each.first_at >= moment))


def find_news(
    plan: Plan, options: ScanOptions, numbers: Sequence[int], narrowed: Narrowed, keys: Sequence[int]
) -> list[News]:
    """What is new to rules with a memory by kinds.

    Args:
        plan: the rules.
        options: of the scan.
        numbers: of the rules.
        narrowed: the first event of each kind that one of them matches.
        keys: of these kinds, in the order of their events.
    """
    if not numbers or not keys:
        return []
    with answered(plan, options, narrowed) as engine:
        run = engine.run
        for statement in (
            CREATE_KNOWN, CREATE_KIND_SIGHTS, ADD_UNREAD, values_sql(plan, numbers), news_sql(plan, numbers),
        ):  # fmt: skip
            run(statement)
        news = run("SELECT rule, history, value, first.at, after - old_events, is_young FROM news")
        shown = run(showing_sql(plan, numbers)) if news else []
    by_value: dict[tuple[int, int, int], set[int]] = {}
    by_history: dict[tuple[int, int], set[int]] = {}
    for rule, history, value, row in shown:
        key = keys[place_of_row(row)[1]]
        by_value.setdefault((rule, history, value), set()).add(key)
        by_history.setdefault((rule, history), set()).add(key)
    return [
        News(
            first_at, frozenset(by_value[rule, history, value]), frozenset(by_history[rule, history]),
            after if is_young else 0,
        )
        for rule, history, value, first_at, after, is_young in news
    ]  # fmt: skip


def select_news(events: SparkEvents, news: Sequence[News]) -> set[Place]:
    """Where the events are that a scan needs to show what is new.

    Args:
        events: with the view `KEYED`.
        news: what may be new.
    """
    histories: dict[tuple[frozenset[int], int], list[News]] = {}
    for each in news:
        if each.after:
            histories.setdefault((each.history, each.after), []).append(each)
    young = [History(kinds, after, tuple(several)) for (kinds, after), several in histories.items()]
    if young:
        _give(events, young)
        reached = {row.number: row.reached_at for row in events.rows(_REACHED, COMPILED)}
        young = [each.since(reached[number]) for number, each in enumerate(young) if number in reached]
        young = [each for each in young if each.news]
    fresh = [*(each for each in news if not each.after), *(one for each in young for one in each.news)]
    if not fresh:
        return set()
    until: dict[int, datetime] = {}
    for one in fresh:
        end = one.first_at + timedelta(seconds=NEWS_S)
        until |= {key: max(end, until.get(key, end)) for key in one.kinds}
    events.give("fresh", "kind_key bigint, until timestamp_ntz", [*until.items()])
    _give(events, young)
    return {(row.file_path, row.file_row) for row in events.rows(_FRESH, COMPILED)}


def _give(events: SparkEvents, histories: Sequence[History]) -> None:
    rows = [
        (number, key, each.after, max(one.first_at for one in each.news))
        for number, each in enumerate(histories)
        for key in each.kinds
    ]
    events.give("histories", "number int, kind_key bigint, after bigint, latest_at timestamp_ntz", rows)
