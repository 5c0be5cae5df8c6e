"""A store as a Delta table: its data files, what was taken from which source, and commits that change both at once."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, PostCommitHookProperties, RemoveAction, Transaction

from kubewitness.model.errors import StoreError
from kubewitness.store.places import is_remote
from kubewitness.store.positions import Position, positions_of, transactions_of
from kubewitness.store.table import FORMAT, PARTITIONS, STATISTICS, schema_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kubewitness.store.files import DataFile

_FORMAT_KEY = "kubewitness.format"
_WRITER = "kubewitness"
_DETAILS = "kubewitness"
_UNCOMMITTED_HOURS = 24
_FOREVER = "interval 36500 days"
# How Delta says it; the second is said when two made the store at the same time.
_CONFLICTS = ("oncurrent", "changed since last commit")
_CONFIGURATION = {
    _FORMAT_KEY: str(FORMAT),
    # The log says what was taken from where: it is kept.
    "delta.logRetentionDuration": _FOREVER,
    "delta.enableExpiredLogCleanup": "false",
    "delta.checkpointInterval": "50",
    "delta.dataSkippingStatsColumns": ",".join(STATISTICS),
}


class ConflictError(StoreError):
    """Somebody else committed first; nothing of this commit took effect."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one commit changes.

    Attributes:
        adds: data files that exist by now.
        removes: data files that no longer count.
        positions: how far sources have been taken.
        details: what to remember of it, as JSON values.
        is_same_data: whether no event came or went.
    """

    adds: Sequence[DataFile] = ()
    removes: Sequence[DataFile] = ()
    positions: Sequence[Position] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    is_same_data: bool = False


class Lake:
    """A store, as it was when it was opened or last refreshed."""

    def __init__(self, table: DeltaTable, location: str) -> None:
        self._table = table
        self.location = location
        self._known: dict[str, Position] = {}
        self._known_at = -1

    @classmethod
    def open(cls, location: str) -> Lake:
        """Open an existing store.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        _demand_folder(location)
        with _told(location):
            try:
                lake = cls(DeltaTable(_address(location)), location)
            except TableNotFoundError as error:
                raise StoreError(
                    "is no store", where=location, hint=f"kubewitness ingest audit.log --store {location}"
                ) from error
            lake._check()
            return lake

    @classmethod
    def open_or_create(cls, location: str) -> Lake:
        """Open a store, or make an empty one.

        Raises:
            StoreError: it cannot be read or made.
        """
        _demand_folder(location)
        with _told(location):
            if not DeltaTable.is_deltatable(_address(location)):
                if not is_remote(location) and _is_something_else(Path(location)):
                    raise StoreError(
                        "is a folder with other things in it", where=location, hint="name a folder that is new or empty"
                    )
                cls._create(location)
            return cls.open(location)

    @staticmethod
    def _create(location: str) -> None:
        try:
            DeltaTable.create(
                _address(location),
                Schema.from_json(schema_json()),
                mode="ignore",
                partition_by=list(PARTITIONS),
                name="kubewitness events",
                configuration=_CONFIGURATION,
                raise_if_key_not_exists=False,
            )
        except DeltaError:
            if not DeltaTable.is_deltatable(_address(location)):  # else somebody made it at the same time
                raise

    @property
    def version(self) -> int:
        """Number of the last commit."""
        return self._table.version()

    def refresh(self) -> None:
        """See what others have committed meanwhile.

        Raises:
            StoreError: it can no longer be read.
        """
        with _told(self.location):
            self._table.update_incremental()
            self._check()

    def files(self) -> list[DataFile]:
        """All data files that count."""
        from kubewitness.store.files import files_of  # noqa: PLC0415 - they know each other

        with _told(self.location):
            return files_of(self._table.get_add_actions(flatten=True))

    def positions(self) -> dict[str, Position]:
        """How far each source has been taken, by key."""
        if self._known_at < self.version:
            self._known |= positions_of(self.history(since=self._known_at))
            self._known_at = self.version
        return dict(self._known)

    def history(self, since: int = -1) -> list[dict[str, Any]]:
        """What each commit of kubewitness after version `since` remembers, oldest first; with `version` and `at_ms`."""
        with _told(self.location):
            found = []
            for entry in reversed(self._table.history(self.version - since)):
                if _DETAILS in entry:
                    details = json.loads(entry[_DETAILS])
                    found.append({"version": entry["version"], "at_ms": entry["timestamp"], **details})
            return found

    def commit(self, change: Change) -> None:
        """Change files and positions, both or neither, provided that nobody has committed since the last refresh.

        Raises:
            ConflictError: somebody has.
            StoreError: it cannot be written.
        """
        now = int(time.time() * 1000)
        adds = [
            AddAction(
                each.path, each.size, each.partition_values, now, not change.is_same_data, json.dumps(each.statistics)
            )
            for each in change.adds
        ]
        removes = [
            RemoveAction(each.path, not change.is_same_data, now, each.size, each.partition_values)
            for each in change.removes
        ]
        details = {**change.details, "sources": [each.fields() for each in change.positions]}
        writes = (self._table.transaction_version(_WRITER) or 0) + 1
        with _told(self.location):
            try:
                self._table.create_write_transaction(
                    [*adds, *removes],
                    "append",
                    self._table.schema(),
                    list(PARTITIONS),
                    commit_properties=CommitProperties(
                        custom_metadata={_DETAILS: json.dumps(details)},
                        app_transactions=[
                            # One writer at a time: what is a duplicate depends on all that is there.
                            Transaction(_WRITER, writes, now),
                            *(Transaction(name, version, now) for name, version in transactions_of(change.positions)),
                        ],
                    ),
                    post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
                )
            except CommitFailedError as error:
                if not any(words in str(error) for words in _CONFLICTS):
                    raise
                raise ConflictError("somebody else wrote to the store at the same time", where=self.location) from error
        self.refresh()

    def vacuum(self, hours: int, *, is_dry_run: bool) -> list[str]:
        """Delete data files that no longer count, and say which.

        Args:
            hours: leave those that counted less than so long ago: somebody may still read them.
            is_dry_run: only say which.
        """
        with _told(self.location):
            # Files that no commit names may belong to one that is being made.
            passes = ((hours, False), (max(hours, _UNCOMMITTED_HOURS), True))
            found = [
                path
                for least, is_full in passes
                for path in self._table.vacuum(
                    least, dry_run=is_dry_run, enforce_retention_duration=False, full=is_full
                )
            ]
            self._table.update_incremental()
        return sorted(set(found))

    def _check(self) -> None:
        configuration = self._table.metadata().configuration
        made = configuration.get(_FORMAT_KEY)
        if made is None:
            raise StoreError(
                "is a Delta table of something else", where=self.location, hint="name a folder that is new or empty"
            )
        if int(made) > FORMAT:
            raise StoreError(
                f"was made by a newer kubewitness (format {made}; this one knows {FORMAT})",
                where=self.location,
                hint="upgrade kubewitness",
            )


def _address(location: str) -> str:
    return location if is_remote(location) else str(Path(location).absolute())


def _demand_folder(location: str) -> None:
    if not is_remote(location) and Path(location).is_file():
        raise StoreError(
            "is a file, and a store is a folder", where=location, hint="kubewitness ingest audit.log --store lake"
        )


def _is_something_else(folder: Path) -> bool:
    return folder.is_dir() and any(not each.name.startswith((".", "_")) for each in folder.iterdir())


@contextmanager
def _told(location: str) -> Iterator[None]:
    """Say in our words what goes wrong with a table."""
    try:
        yield
    except (DeltaError, OSError) as error:
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = None
        if isinstance(error, PermissionError) or "ermission denied" in text:
            hint = "kubewitness needs to read and write this folder"
        elif "No space left" in text:
            hint = "make room: nothing of this commit counts, and the same command goes on where it was"
        raise StoreError(text, where=location, hint=hint) from error
