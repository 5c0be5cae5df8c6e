"""Opening a store for reading: its files at one moment, and queries over their events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kubewitness.model.errors import UsageError
from kubewitness.store.files import select_files
from kubewitness.store.lake import Lake
from kubewitness.store.places import place_of
from kubewitness.store.relation import stored_query
from kubewitness.store.table import facts_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from kubewitness.query.engine import Engine
    from kubewitness.query.reading import ReadingQuery
    from kubewitness.store.files import DataFile
    from kubewitness.store.places import Place


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Data files of a store as they were at one moment; what is written or compacted later does not change them.

    Attributes:
        location: of the store.
        version: of the store.
        files: those that can hold what was asked for.
        place: where their bytes are.
        clusters: that were asked for; None for all.
        selected_of: number of events out of which those of the files have been selected; None when they are all.
    """

    location: str
    version: int
    files: tuple[DataFile, ...]
    place: Place
    clusters: frozenset[str | None] | None = None
    selected_of: int | None = None

    @property
    def events(self) -> int:
        """Number of events in these files."""
        return sum(each.events for each in self.files)

    @property
    def has_facts(self) -> bool:
        """Whether no file needs its facts derived again."""
        return all(each.facts == facts_version() for each in self.files)

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders that the engine reads from."""
        return tuple({str(Path(path).parent) for path in self.place.paths(each.path for each in self.files).values()})

    def count_lowered(self, engine: Engine) -> int:
        """How many events in these files a policy has lowered since they were taken; the engine has the macros."""
        query = self.query("SELECT count(*) FROM events WHERE lowered_by IS NOT NULL")
        ((count,),) = engine.run(query.sql, query.parameters)
        return int(count)

    def query(
        self, select: str, *, above: Sequence[tuple[str, str]] = (), rows: Iterable[int] | None = None
    ) -> ReadingQuery:
        """The query `select` over `events`: the events table, and the columns that a store has beside it.

        Events outside of the period that was asked for may be among them: files are left out, not rows. With `rows`,
        numbers of events, only these.
        """
        paths = self.place.paths(each.path for each in self.files)
        return stored_query(select, self.files, paths, above=above, rows=rows)


def open_snapshot(
    store: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    cluster: str | None = None,
) -> Snapshot:
    """Open a store as it is now.

    Args:
        store: folder of the store.
        since: no files that have only events before (UTC, naive).
        until: no files that have only events from here on.
        cluster: only events of this cluster: its name, or the last part of its resource id.

    Raises:
        StoreError: there is no store, or it cannot be read.
        UsageError: it has no such cluster.
    """
    lake = Lake.open(store)
    files = lake.files()
    clusters = None if cluster is None else _clusters_called(cluster, {each.cluster for each in files})
    found = select_files(files, since=since, until=until, clusters=clusters)
    return Snapshot(store, lake.version, tuple(found), place_of(store), clusters)


def _clusters_called(name: str, known: Iterable[str | None]) -> frozenset[str | None]:
    found = {
        each for each in known if each is not None and name.lower() in {each.lower(), each.lower().rpartition("/")[2]}
    }
    if not found:
        listed = ", ".join(sorted(filter(None, known))) or "none that has a name"
        raise UsageError(f"the store has no cluster `{name}`", hint=f"its clusters: {listed}")
    return frozenset(found)
