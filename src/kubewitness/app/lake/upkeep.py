"""Use case: joining small data files, and deleting those that nobody needs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from kubewitness.app.lake.replacing import SORTED, replace_files, small_engine
from kubewitness.app.lake.writing import rewrite_files
from kubewitness.store.lake import Lake
from kubewitness.store.places import place_of
from kubewitness.store.relation import stored_query
from kubewitness.store.table import LISTED, facts_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from kubewitness.store.files import DataFile
    from kubewitness.store.places import Place

GRACE_HOURS = 24
"""How long a data file that no longer counts is kept for those who still read it."""

_FULL_BYTES = 64 << 20
_FULL_EVENTS = 1_000_000


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
            files = _joined(place, group)
            if replace_files(lake, place, group, files, {"operation": "compact"}, is_same_data=True):
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


def _joined(place: Place, group: Sequence[DataFile]) -> list[DataFile]:
    """Write the events of files into one."""
    with small_engine() as (engine, folder):
        select = f"SELECT {LISTED} FROM events ORDER BY {SORTED}"  # noqa: S608 - our own columns
        query = stored_query(select, group, place.paths(each.path for each in group))
        return rewrite_files(engine, query, place=place, folder=folder)
