"""Use case: letting go of old events, or of what a policy would not have recorded of them."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from kubewitness.app.lake.lowering import Lowered, find_lowered, lowered_queries
from kubewitness.app.lake.replacing import SORTED, replace_files, small_engine
from kubewitness.app.lake.writing import drop_files, rewrite_files
from kubewitness.model.errors import UsageError
from kubewitness.policy.load import load_policy, policy_of
from kubewitness.policy.recordings import PREFIX, builtin_policy, find_recording
from kubewitness.store.lake import Lake
from kubewitness.store.places import Folder, place_of
from kubewitness.store.relation import stored_query
from kubewitness.store.table import LISTED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kubewitness.policy.model import Policy
    from kubewitness.store.files import DataFile
    from kubewitness.store.places import Place

_LEVELS = ("Metadata", "Request", "RequestResponse")


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

    def old_in(self, file: DataFile, today: date) -> str | None:
        """Which events of a data file are older than that, as SQL; None for none, TRUE for all."""
        old = [level for level in _LEVELS if _is_old(file, self.days_of(level), today)]
        if _is_old(file, self.days, today):
            kept = [level for level in _LEVELS if level not in old]
            return f"(level IS NULL OR level NOT IN ({_listed(kept)}))" if kept else "TRUE"
        return f"coalesce(level IN ({_listed(old)}), FALSE)" if old else None


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """What is kept of old events.

    Attributes:
        policy: what it would have recorded.
        name: of its file.
        sha256: of its text, in hex.
    """

    policy: Policy
    name: str
    sha256: str

    @classmethod
    def read(cls, path: Path) -> KeptPolicy:
        """The policy in a file, or a builtin one by `builtin:NAME`.

        Raises:
            UsageError: it cannot be read.
            PolicyError: kube-apiserver would not load it.
        """
        name = str(path)
        try:
            is_builtin = name.startswith(PREFIX)
            text = builtin_policy(find_recording(name).policy_name).encode() if is_builtin else path.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot be read: {error.strerror}", where=name) from error
        return cls(policy_of(load_policy(text), name), name, hashlib.sha256(text).hexdigest())


@dataclass(frozen=True, slots=True)
class Retained:
    """What was let go.

    Attributes:
        events: how many went.
        lowered: how many stayed and lost a level, and with it what it held.
        trimmed: how many stayed and lost managedFields only.
        bytes: by how much the data files have become smaller.
        days: days of which something went, the oldest first.
        policy: SHA-256 of the policy that decided; None when age alone did.
    """

    events: int
    lowered: int
    trimmed: int
    bytes: int
    days: tuple[date, ...]
    policy: str | None


def retain(
    store: str,
    keeping: Keeping,
    policy: KeptPolicy | None = None,
    *,
    today: date | None = None,
    is_dry_run: bool = False,
) -> Retained:
    """Let go of events that are older than they are to be kept, or of what a policy would not have recorded of them.

    Events without a time are kept, and with a policy cut records too. Sources stay known: what went does not come back
    with the next ingest of them. It may be stopped at any moment and run again.

    Args:
        store: folder of the store.
        keeping: how long events are kept as they are.
        policy: what is kept of those that are older; nothing when None.
        today: the day from which on days are counted back (UTC); today when None.
        is_dry_run: only say what would go. With a policy this takes as long.

    Raises:
        StoreError: the store cannot be read or written.
    """
    lake, place = Lake.open(store), place_of(store)
    today = today or datetime.now(UTC).date()
    total, size = Lowered(), 0
    days: set[date] = set()
    for each in lake.files():
        old = keeping.old_in(each, today)
        if each.day is None or old is None:
            continue
        with tempfile.TemporaryDirectory(prefix="kubewitness-") as aside:
            change, files = _kept(each, old, policy, place, Folder(aside) if is_dry_run else place)
        if not change:
            continue
        details = {
            "operation": "retain",
            **asdict(change),
            "policy": {"name": policy.name, "sha256": policy.sha256} if policy else None,
        }
        if is_dry_run or replace_files(lake, place, [each], files, details):
            total += change
            size += each.size - sum(file.size for file in files)
            days.add(each.day)
    return Retained(
        total.gone, total.lowered, total.trimmed, size, tuple(sorted(days)), policy.sha256 if policy else None
    )


def _kept(
    file: DataFile, old: str, policy: KeptPolicy | None, place: Place, target: Place
) -> tuple[Lowered, list[DataFile]]:
    """What becomes of old events of a data file, and files of `target` with what stays; none when nothing changes."""
    if policy is None and old == "TRUE":
        return Lowered(gone=file.events), []
    path = place.paths([file.path])[file.path]
    with small_engine() as (engine, folder):
        if policy is not None:
            change = find_lowered(engine, file, path, policy.policy, old)
            queries = lowered_queries(engine, file, path, policy.sha256)
        else:
            counted = stored_query(f"SELECT count(*) FROM events WHERE {old}", [file], {file.path: path})  # noqa: S608 - of levels that are known
            ((count,),) = engine.run(counted.sql, counted.parameters)
            change = Lowered(gone=count)
            query = stored_query(
                f"SELECT {LISTED} FROM events WHERE NOT {old} ORDER BY {SORTED}",  # noqa: S608 - same
                [file],
                {file.path: path},
            )
            queries = [query]
        if not change:
            return change, []
        files: list[DataFile] = []
        try:
            for query in queries:
                files += rewrite_files(engine, query, place=target, folder=folder)
        except BaseException:
            drop_files(files, target)
            raise
        return change, files


def _is_old(file: DataFile, days: int | None, today: date) -> bool:
    return days is not None and file.day is not None and file.day < today - timedelta(days=days)


def _listed(levels: list[str]) -> str:
    return ", ".join(f"'{level}'" for level in levels)
