"""Data files of a store: what the log of the table knows of each, and which can hold what is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kubewitness.store.table import STATISTICS, facts_of_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file.

    Attributes:
        path: inside the store.
        size: bytes.
        events: how many.
        day: on which all its events happened; None where they have no time.
        cluster: of all its events.
        least: least value of columns that have statistics.
        greatest: greatest value of them.
        nulls: how many values of them are null.
    """

    path: str
    size: int
    events: int
    day: date | None
    cluster: str | None
    least: Mapping[str, Any] = field(default_factory=dict)
    greatest: Mapping[str, Any] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)

    @property
    def facts(self) -> str:
        """Version of the facts in it."""
        return facts_of_file(self.path)

    @property
    def partition_values(self) -> dict[str, str | None]:
        """As the log of the table writes them."""
        return {"day": self.day.isoformat() if self.day else None, "cluster": self.cluster}

    @property
    def statistics(self) -> dict[str, Any]:
        """As the log of the table writes them."""
        return {
            "numRecords": self.events,
            "minValues": {name: _written(value) for name, value in self.least.items()},
            "maxValues": {name: _written(value) for name, value in self.greatest.items()},
            "nullCount": dict(self.nulls),
        }

    def can_hold(self, since: datetime | None, until: datetime | None) -> bool:
        """Whether an event of this period can be in it."""
        if self.day is None:
            return since is None and until is None
        first = self.least.get("happened_at") or datetime.combine(self.day, datetime.min.time())
        last = self.greatest.get("happened_at") or datetime.combine(self.day + timedelta(days=1), datetime.min.time())
        return (since is None or last >= since) and (until is None or first < until)


def period_of(files: Iterable[DataFile]) -> tuple[datetime | None, datetime | None]:
    """When the first and the last event in these files happened (UTC, naive)."""
    files = list(files)
    first = [each.least["happened_at"] for each in files if "happened_at" in each.least]
    last = [each.greatest["happened_at"] for each in files if "happened_at" in each.greatest]
    return min(first, default=None), max(last, default=None)


def select_files(
    files: Iterable[DataFile],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    clusters: Collection[str | None] | None = None,
) -> list[DataFile]:
    """Those files that can hold events of a period (UTC, naive) and of some clusters; all clusters when None."""
    return [each for each in files if each.can_hold(since, until) and (clusters is None or each.cluster in clusters)]


def files_of(actions: Any) -> list[DataFile]:
    """The files of a table's add actions, flattened (an Arrow table)."""
    columns = {name: actions.column(name).to_pylist() for name in actions.schema.names}
    found = []
    for index, path in enumerate(columns["path"]):
        row = {name: values[index] for name, values in columns.items()}
        least, greatest, nulls = (
            {name: row[key] for name in STATISTICS if (key := f"{kind}.{name}") in row and row[key] is not None}
            for kind in ("min", "max", "null_count")
        )
        found.append(
            DataFile(
                path, row["size_bytes"], row["num_records"], row.get("partition.day"), row.get("partition.cluster"),
                least, greatest, nulls,
            )
        )  # fmt: skip
    return found


def _written(value: Any) -> Any:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
