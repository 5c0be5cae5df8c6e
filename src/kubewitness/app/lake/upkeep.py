"""Use cases: joining small data files, and letting go of old events."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kubewitness.app.lake.writing import drop_files, rewrite_files
from kubewitness.facts import macros
from kubewitness.query.engine import Engine
from kubewitness.store.lake import Change, ConflictError, Lake
from kubewitness.store.places import place_of
from kubewitness.store.relation import stored_query
from kubewitness.store.table import LISTED, SORTED_BY, facts_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kubewitness.store.files import DataFile
    from kubewitness.store.places import Place

GRACE_HOURS = 24
"""How long a data file that no longer counts is kept for those who still read it."""

_FULL_BYTES = 64 << 20
_FULL_EVENTS = 1_000_000
_TRIES = 20
_LEVELS = ("Metadata", "Request", "RequestResponse")
_ORDER = ", ".join(SORTED_BY)


@dataclass(frozen=True, slots=True)
class Compacted:
    """What compacting did.

    Attributes:
        joined: data files that were replaced.
        written: data files that replaced them.
        bytes_before: size of those that were replaced.
        bytes_after: size of those that replaced them.
        deleted: files that nobody can be reading any more, and what interrupted commands had left.
    """

    joined: int
    written: int
    bytes_before: int
    bytes_after: int
    deleted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long events are kept.

    Attributes:
        days: all of them; None for ever.
        level_days: those of a level, instead.
    """

    days: int | None = None
    level_days: Mapping[str, int] = field(default_factory=dict)

    def days_of(self, level: str) -> int | None:
        """How long events of a level are kept."""
        return self.level_days.get(level, self.days)


@dataclass(frozen=True, slots=True)
class Retained:
    """What was let go.

    Attributes:
        events: how many.
        bytes: by how much the data files have become smaller.
        days: days of which something went, the oldest first.
    """

    events: int
    bytes: int
    days: tuple[date, ...]


def compact(store: str, *, grace_hours: int = GRACE_HOURS, is_dry_run: bool = False) -> Compacted:
    """Join small data files of each day and cluster, make older facts anew, delete what nobody needs.

    Who reads meanwhile is not disturbed: replaced files stay for the time of grace. Ingests may go on.

    Args:
        store: folder of the store.
        grace_hours: how long to keep files that no longer count.
        is_dry_run: only say what would be done.

    Raises:
        StoreError: the store cannot be read or written.
    """
    lake, place = Lake.open(store), place_of(store)
    groups = [*_groups(lake.files())]
    joined: list[DataFile] = []
    written: list[DataFile] = []
    for group in groups:
        if is_dry_run:
            joined += group
        else:
            files = _replace(lake, place, group, f"SELECT {LISTED} FROM events ORDER BY {_ORDER}", "compact")  # noqa: S608 - our own columns
            if files is not None:
                joined += group
                written += files
    deleted = [*lake.vacuum(grace_hours, is_dry_run=is_dry_run), *place.sweep(grace_hours, is_dry_run=is_dry_run)]
    return Compacted(
        joined=len(joined),
        written=len(written),
        bytes_before=sum(each.size for each in joined),
        bytes_after=sum(each.size for each in written),
        deleted=tuple(deleted),
    )


def retain(store: str, keeping: Keeping, *, today: date | None = None, is_dry_run: bool = False) -> Retained:
    """Let go of events that are older than they are to be kept.

    Events without a time are kept. Sources stay known: what went does not come back with the next ingest of them.

    Args:
        store: folder of the store.
        keeping: how long events are kept.
        today: the day from which on days are counted back (UTC); today when None.
        is_dry_run: only say what would go.

    Raises:
        StoreError: the store cannot be read or written.
    """
    lake, place = Lake.open(store), place_of(store)
    today = today or datetime.now(UTC).date()
    events = size = 0
    days: set[date] = set()
    for each in lake.files():
        old = [level for level in _LEVELS if _is_old(each, keeping.days_of(level), today)]
        is_old = _is_old(each, keeping.days, today)
        if each.day is None or not (old or is_old):
            continue
        gone = f"level IN ({', '.join(map(_quoted, old))})" if old else "FALSE"
        if is_old:
            kept = [level for level in _LEVELS if level not in old]
            gone = f"(level IS NULL OR level NOT IN ({', '.join(map(_quoted, kept))}))" if kept else "TRUE"
        count = each.events if gone == "TRUE" else _count(place, each, gone)
        if not count:
            continue
        files: list[DataFile] | None = []
        if not is_dry_run:
            select = f"SELECT {LISTED} FROM events WHERE NOT coalesce({gone}, FALSE) ORDER BY {_ORDER}"  # noqa: S608 - same
            files = _replace(lake, place, [each], select if count < each.events else None, "retain")
        if files is not None:
            events += count
            size += each.size - sum(file.size for file in files)
            days.add(each.day)
    return Retained(events, size, tuple(sorted(days)))


def _groups(files: Iterable[DataFile]) -> Iterator[list[DataFile]]:
    """Files to be made one of: small ones of one day and cluster, and each with older facts."""
    partitions: dict[tuple[date | None, str | None], list[DataFile]] = defaultdict(list)
    for each in files:
        partitions[each.day, each.cluster].append(each)
    for members in partitions.values():
        group: list[DataFile] = []
        for each in sorted(members, key=lambda file: file.least.get("happened_at") or datetime.min):  # noqa: DTZ901 - naive
            if each.size >= _FULL_BYTES // 2 and each.facts == facts_version():
                continue
            size, events = sum(file.size for file in group), sum(file.events for file in group)
            if group and (size + each.size > _FULL_BYTES or events + each.events > _FULL_EVENTS):
                if _is_worth(group):
                    yield group
                group = []
            group.append(each)
        if _is_worth(group):
            yield group


def _is_worth(group: Sequence[DataFile]) -> bool:
    return len(group) > 1 or any(each.facts != facts_version() for each in group)


def _replace(
    lake: Lake, place: Place, files: Sequence[DataFile], select: str | None, operation: str
) -> list[DataFile] | None:
    """Replace files by one with what a query over their events says; None when others have replaced them meanwhile."""
    written: list[DataFile] = []
    if select is not None:
        with tempfile.TemporaryDirectory(prefix="kubewitness-") as name:
            engine = Engine(Path(name))
            try:
                engine.run(macros())
                query = stored_query(select, files, place.paths(each.path for each in files))
                written = rewrite_files(engine, query, place=place, folder=Path(name))
            finally:
                engine.close()
    is_same = operation == "compact"
    change = Change(written, files, details={"operation": operation}, is_same_data=is_same)
    paths = {each.path for each in files}
    try:
        for _ in range(_TRIES):
            if not paths <= {each.path for each in lake.files()}:
                break
            try:
                lake.commit(change)
            except ConflictError:
                lake.refresh()
            else:
                return written
    except BaseException:
        drop_files(written, place)
        raise
    drop_files(written, place)
    return None


def _is_old(file: DataFile, days: int | None, today: date) -> bool:
    return days is not None and file.day is not None and file.day < today - timedelta(days=days)


def _count(place: Place, file: DataFile, condition: str) -> int:
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as name:
        engine = Engine(Path(name))
        try:
            query = stored_query(
                f"SELECT count(*) FROM events WHERE {condition}",  # noqa: S608 - of levels that are known
                [file],
                place.paths([file.path]),
            )
            ((count,),) = engine.run(query.sql, query.parameters)
        finally:
            engine.close()
    return int(count)


def _quoted(level: str) -> str:
    return f"'{level}'"
