"""Use case: what is in a store."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kubewitness.store.files import period_of
from kubewitness.store.lake import Lake
from kubewitness.store.table import facts_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from kubewitness.store.files import DataFile


@dataclass(frozen=True, slots=True)
class Share:
    """Part of a store: of a day, a cluster, or all of it.

    Attributes:
        name: of the day or cluster; None where events do not say.
        events: how many.
        files: how many data files.
        bytes: their size.
        first_at: time of its first event (UTC, naive).
        last_at: time of its last event.
    """

    name: str | None
    events: int
    files: int
    bytes: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class TakenSource:
    """A source that was taken.

    Attributes:
        name: what it was called when it was last read.
        cluster: name for its records that do not say.
        bytes: how far it was taken, unpacked.
        lines: how many lines that is.
        sha256: of these bytes.
    """

    name: str
    cluster: str | None
    bytes: int
    lines: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LetGo:
    """What `store retain` has let go of since the store was made.

    Attributes:
        policy: file name of the policy that decided; None when age alone did.
        sha256: of the policy's text.
        gone: events that went.
        lowered: events that lost a level, and with it what it held; each time that one did.
        trimmed: events that lost managedFields only.
        last_at: when this was done last (UTC, naive).
    """

    policy: str | None
    sha256: str | None
    gone: int
    lowered: int
    trimmed: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What is in a store.

    Attributes:
        location: of the store.
        version: number of its last commit.
        total: all of it.
        days: by day, the oldest first.
        clusters: by cluster.
        sources: what was taken, by name.
        facts: version of the facts that this program makes.
        older_files: files whose facts are of another version: they are derived again whenever they are read.
        small_files: files that compacting would join.
        last_written_at: time of the last commit (UTC, naive).
        let_go: what is not there any more, or not as it was taken; by policy, in the order of their last use.
    """

    location: str
    version: int
    total: Share
    days: tuple[Share, ...]
    clusters: tuple[Share, ...]
    sources: tuple[TakenSource, ...]
    facts: str
    older_files: int
    small_files: int
    last_written_at: datetime | None
    let_go: tuple[LetGo, ...]


def store_info(store: str) -> StoreInfo:
    """Say what is in a store.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    lake = Lake.open(store)
    files = lake.files()
    by_day: dict[date | None, list[DataFile]] = defaultdict(list)
    by_cluster: dict[str | None, list[DataFile]] = defaultdict(list)
    by_partition: dict[tuple[date | None, str | None], list[DataFile]] = defaultdict(list)
    for each in files:
        by_day[each.day].append(each)
        by_cluster[each.cluster].append(each)
        by_partition[each.day, each.cluster].append(each)
    history = lake.history()
    return StoreInfo(
        location=store,
        version=lake.version,
        total=_share("all", files),
        days=tuple(
            _share(day.isoformat() if day else None, by_day[day])
            for day in sorted(by_day, key=lambda day: (day is not None, day))
        ),
        clusters=tuple(
            _share(name, by_cluster[name]) for name in sorted(by_cluster, key=lambda name: (name is not None, name))
        ),
        sources=tuple(
            sorted(
                (
                    TakenSource(each.name, each.cluster, each.end, each.lines, each.sha256)
                    for each in lake.positions().values()
                ),
                key=lambda source: (source.name, source.sha256),
            )
        ),
        facts=facts_version(),
        older_files=sum(each.facts != facts_version() for each in files),
        small_files=sum(len(members) for members in by_partition.values() if len(members) > 1),
        last_written_at=_moment(history[-1]) if history else None,
        let_go=_let_go(history),
    )


def _let_go(history: Iterable[Mapping[str, Any]]) -> tuple[LetGo, ...]:
    found: dict[str | None, LetGo] = {}
    for entry in history:
        if entry.get("operation") != "retain" or "gone" not in entry:  # older programs did not say how many
            continue
        policy = entry["policy"] or {"name": None, "sha256": None}
        before = found.pop(policy["sha256"], None)
        sums = {name: entry[name] + (getattr(before, name) if before else 0) for name in ("gone", "lowered", "trimmed")}
        found[policy["sha256"]] = LetGo(policy["name"], policy["sha256"], **sums, last_at=_moment(entry))
    return tuple(found.values())


def _moment(entry: Mapping[str, Any]) -> datetime:
    """When a commit was made (UTC, naive)."""
    return datetime.fromtimestamp(entry["at_ms"] / 1000, UTC).replace(tzinfo=None)


def _share(name: str | None, files: Iterable[DataFile]) -> Share:
    files = list(files)
    return Share(
        name,
        sum(each.events for each in files),
        len(files),
        sum(each.size for each in files),
        *period_of(files),
    )
