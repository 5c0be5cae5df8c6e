"""For notebooks and programs: logs and stores as objects to ask; `import kubewitness as kw`.

Nothing is read before something is asked. Values are as the log had them, secrets too: only details of alerts are
redacted. Times are UTC and have no zone.
"""

from __future__ import annotations

import weakref
from contextlib import ExitStack
from datetime import UTC, datetime
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kubewitness.app.asking.facets import facets
from kubewitness.app.asking.library import find_hunt, load_hunts
from kubewitness.app.events import Logs, open_events
from kubewitness.decode.times import utc
from kubewitness.model.errors import UsageError
from kubewitness.model.event import BY_NAME
from kubewitness.query.filters import parse_filter
from kubewitness.query.predicate import ALWAYS, And
from kubewitness.query.questions import TABLE, Question, ask, parse_question, stream
from kubewitness.words.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from kubewitness.app.asking.facets import Facets
    from kubewitness.model.alert import Alert
    from kubewitness.model.ledger import Ledger
    from kubewitness.query.predicate import Predicate

    Moment = str | datetime | None

__all__ = ["Log", "Table", "open_store", "read"]

DEFAULT_COLUMNS = (
    "happened_at", "cluster", "actor", "actor_kind", "verb", "action", "api_group", "resource", "subresource",
    "namespace", "object_name", "code", "allowed", "source_ip", "user_agent", "audit_id", "stage", "source", "line",
)  # fmt: skip
"""Columns of `Log.table` when none are named."""

_SHOWN_ROWS = 20


def read(*paths: str | PathLike[str], since: Moment = None, until: Moment = None, cluster: str | None = None) -> Log:
    """Logs in any shape, to be asked.

    Args:
        paths: files, directories, globs.
        since: leave out events before; a time with a zone, or UTC without one; ISO 8601 as text.
        until: leave out events from here on.
        cluster: name for events whose log does not say.

    Raises:
        UsageError: no path is named, or a time is none.
    """
    if not paths:
        raise UsageError("no logs named", hint='kw.read("audit.log"), or kw.open(STORE)')
    named = tuple(str(path) for path in paths)
    return Log(Logs(named, since=_time(since), until=_time(until), cluster=cluster))


def open_store(
    store: str | PathLike[str], *, since: Moment = None, until: Moment = None, cluster: str | None = None
) -> Log:
    """The events of a store, to be asked where they are; `kubewitness.open` is this.

    Args:
        store: folder that `kubewitness ingest` has filled.
        since: as for `read`.
        until: as for `read`.
        cluster: only events of this cluster: its name, or the last part of its resource id.
    """
    return Log(Logs(store=str(store), since=_time(since), until=_time(until), cluster=cluster))


def _time(moment: Moment) -> datetime | None:
    if isinstance(moment, str):
        try:
            return utc(moment)
        except ValueError as error:
            raise UsageError(f"`{moment}` is no time", hint="write 2026-11-17 or 2026-11-17T08:00:00Z") from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment is not None and moment.tzinfo else moment


class _Session:
    """Events in an engine that is shut off from everything else, until nobody needs it."""

    def __init__(self, logs: Logs, columns: frozenset[str], where: Predicate) -> None:
        stack = ExitStack()
        self.columns = columns
        self.events = stack.enter_context(open_events(logs, sorted(columns), where, is_asked_once=True))
        self.events.seal()
        self._close = weakref.finalize(self, stack.close)


class Log:
    """Events of logs or of a store, or those of them of which filters hold.

    Made by `read`, `open` and `filter`. It can be asked any number of times, and never changes. Logs are read when
    something is asked of them that was not read yet: to ask much of large logs, put them into a store first.
    """

    def __init__(self, logs: Logs, filters: tuple[str, ...] = ()) -> None:
        self._logs = logs
        self._filters = filters
        self._session: _Session | None = None
        parts = tuple(parse_filter(text) for text in filters)
        self._where = And(parts) if parts else ALWAYS

    def filter(self, text: str) -> Log:
        """Those events of which a filter holds, too; see docs/reference/filters.md.

        Raises:
            FilterError: the filter cannot be understood.
        """
        return Log(self._logs, (*self._filters, text))

    def sql(self, query: str, **parameters: Any) -> Table:
        """The answer to a query over the table `events`; see docs/reference/sql.md.

        Args:
            query: one SELECT, FROM, WITH, DESCRIBE or SUMMARIZE; it reaches nothing but the events.
            parameters: values of its parameters (`$name`).

        Raises:
            QuestionError: the query cannot be asked.
        """
        return Table(self, parse_question(query, parameters), parameters)

    def hunt(self, name: str, **parameters: Any) -> Table:
        """The answer to a hunt that has a name; see docs/reference/hunts.md.

        Raises:
            UsageError: there is no such hunt, or it has no such parameter.
        """
        wanted = find_hunt(name, load_hunts())
        return self.filter(wanted.filter).sql(wanted.sql or "FROM events", **wanted.values(parameters))

    def table(self, *columns: str) -> Table:
        """Columns of the events, by time.

        Args:
            columns: names of columns; see docs/reference/columns.md. The usual ones when none are named.

        Raises:
            QuestionError: there is no such column.
        """
        listed = ", ".join('"' + name.replace('"', '""') + '"' for name in columns or DEFAULT_COLUMNS)
        return self.sql(f"SELECT {listed} FROM events ORDER BY happened_at")  # noqa: S608 - quoted names

    def facets(self, *, most: int = 10, rarest: int = 3, reveal: bool = True) -> Facets:
        """The values of every field, how often and when."""
        text = " AND ".join(f"({each})" for each in self._filters if each.strip())
        return facets(text, self._logs, most=most, rarest=rarest, reveal=reveal)

    def alerts(self, rules: Sequence[str | Path] = (), *, builtin: bool = True) -> tuple[Alert, ...]:
        """What a scan reports, worst first; details of its events are redacted.

        Args:
            rules: folders or files of Sigma rules.
            builtin: whether the builtin rules run.

        Raises:
            UsageError: these are filtered events: rules need all of them.
        """
        from pathlib import Path  # noqa: PLC0415 - only here

        from kubewitness.app.plans import plan_rules  # noqa: PLC0415 - rules take long to import
        from kubewitness.app.scan import ScanOptions, scan  # noqa: PLC0415

        if self._filters:
            raise UsageError("alerts are of whole logs", hint="call alerts() before filter(), and filter the alerts")
        logs = self._logs
        plan = plan_rules([Path(each) for each in rules], builtin=builtin)
        options = ScanOptions(since=logs.since, until=logs.until, cluster=logs.cluster, store=logs.store)
        return scan(logs.paths, plan, options).alerts

    @property
    def ledger(self) -> Ledger:
        """What became of every record that was read."""
        return self._opened(frozenset()).events.ledger

    def rows(self, *columns: str) -> list[dict[str, Any]]:
        """As `table(...).rows()`."""
        return self.table(*columns).rows()

    def arrow(self, *columns: str) -> pa.Table:
        """As `table(...).arrow()`."""
        return self.table(*columns).arrow()

    def polars(self, *columns: str) -> pl.DataFrame:
        """As `table(...).polars()`."""
        return self.table(*columns).polars()

    def pandas(self, *columns: str) -> pd.DataFrame:
        """As `table(...).pandas()`."""
        return self.table(*columns).pandas()

    def __len__(self) -> int:
        count: int = self.sql("SELECT count(*) AS n FROM events").rows()[0]["n"]
        return count

    def __repr__(self) -> str:
        where = self._logs.store or ", ".join(self._logs.paths)
        return f"<Log of {where}{''.join(f', filter {each!r}' for each in self._filters)}>"

    def _repr_html_(self) -> str:
        listed = " ".join(f"<code>{escape(visible(each))}</code>" for each in self._filters)
        where = escape(visible(self._logs.store or ", ".join(self._logs.paths)))
        return f"<p>{len(self):,} events of {where} {listed}</p>{self.table()._repr_html_()}"

    def _opened(self, columns: frozenset[str]) -> _Session:
        """A session with these columns: the one there is, or a new one that has its columns as well."""
        session = self._session
        if session is None or not columns <= session.columns:
            known = session.columns if session else frozenset()
            session = self._session = _Session(self._logs, known | columns, self._where)
        return session


class Table:
    """The answer to a question: its rows are made when they are asked for, each time anew.

    Libraries that read Arrow's C stream take it as it is: `polars.DataFrame(table)`, `pyarrow.table(table)`.
    """

    def __init__(self, log: Log, question: Question, parameters: Mapping[str, Any]) -> None:
        self._log = log
        self._question = question
        self._parameters = dict(parameters)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns."""
        session = self._session()
        answer = ask(session.events.engine, self._question, self._parameters)
        answer.batches.close()
        return answer.names

    def rows(self) -> list[dict[str, Any]]:
        """Its rows, by column name: times without zone in UTC, lists, and JSON as text."""
        names, rows = self._fetch()
        return [dict(zip(names, row, strict=True)) for row in rows]

    def arrow(self) -> pa.Table:
        """Itself as a pyarrow Table.

        Raises:
            UsageError: pyarrow is not installed.
        """
        table: pa.Table = _library("pyarrow").table(self)
        return table

    def polars(self) -> pl.DataFrame:
        """Itself as a Polars data frame.

        Raises:
            UsageError: polars is not installed.
        """
        # What Polars takes from the engine itself it never gives back; arro3 comes with deltalake.
        frame: pl.DataFrame = _library("polars").DataFrame(_library("arro3.core").Table.from_arrow(self))
        return frame

    def pandas(self) -> pd.DataFrame:
        """Itself as a pandas data frame.

        Raises:
            UsageError: pandas is not installed.
        """
        names, rows = self._fetch()
        frame: pd.DataFrame = _library("pandas").DataFrame(rows, columns=list(names))
        return frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        session = self._session()
        return stream(session.events.engine, self._question, self._parameters, requested_schema, keep=session)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows())

    def __len__(self) -> int:
        return len(self._fetch()[1])

    def __repr__(self) -> str:
        return f"<Table of {self._question.sql!r}>"

    def _repr_html_(self) -> str:
        names, rows = self._fetch()
        head = "".join(f"<th>{escape(visible(name))}</th>" for name in names)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[:_SHOWN_ROWS])
        more = f"<p>{len(rows):,} rows, the first {_SHOWN_ROWS} of them</p>" if len(rows) > _SHOWN_ROWS else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def _fetch(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        answer = ask(self._session().events.engine, self._question, self._parameters)
        return answer.names, [row for batch in answer.batches for row in batch]

    def _session(self) -> _Session:
        session = self._log._opened(frozenset(self._question.columns))  # noqa: SLF001 - made by it
        # Columns in the documented order, whatever else was read for other questions.
        listed = ", ".join(f'"{name}"' for name in BY_NAME if name in self._question.columns) or '"row"'
        session.events.engine.run(f"CREATE OR REPLACE TEMP VIEW {TABLE} AS SELECT {listed} FROM memory.main.{TABLE}")  # noqa: S608
        return session


def _cell(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return f"<td>{escape(visible(text))}</td>"


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(f"{name} is not installed", hint=f"pip install 'kubewitness[notebook]', or {name}") from error
