"""What a log costs, by destination."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

from kubewitness.model.errors import UsageError, reason_of

if TYPE_CHECKING:
    from pathlib import Path

_GB = 1e9
_MONTH_DAYS = 365.25 / 12


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a log can be sent, and what that costs.

    Attributes:
        id: kebab-case.
        title: a few words.
        per_gb: for each gigabyte (10^9 bytes) that arrives.
        free_gb: gigabytes of each month that cost nothing.
        billed_share: part of the JSON's bytes that is billed.
        per_gb_month: for each gigabyte that is kept for a month.
        per_million_events: for a million events.
        per_month: whatever arrives.
        kept: how long it is kept, in words.
        source: where the figures are from.
    """

    id: str
    title: str
    per_gb: float = 0
    free_gb: float = 0
    billed_share: float = 1
    per_gb_month: float = 0
    per_million_events: float = 0
    per_month: float = 0
    kept: str = ""
    source: str = ""

    def monthly(self, bytes_a_month: float, events_a_month: float) -> float:
        """Cost of a month whose log has this many bytes and events, kept for that month."""
        gigabytes = bytes_a_month / _GB * self.billed_share
        return (
            max(gigabytes - self.free_gb, 0) * self.per_gb
            + gigabytes * self.per_gb_month
            + events_a_month / 1e6 * self.per_million_events
            + self.per_month
        )


@dataclass(frozen=True, slots=True)
class Prices:
    """A list of prices.

    Attributes:
        date: when they were true.
        currency: of all of them.
        destinations: in the order of the file.
    """

    date: str
    currency: str
    destinations: tuple[Destination, ...]


def monthly(value: float, seconds: float) -> float:
    """What this many in this many seconds come to in a month."""
    return value / seconds * 86_400 * _MONTH_DAYS if seconds > 0 else 0.0


def load_prices(path: Path | None = None) -> Prices:
    """The prices of a file, or those that come with this program.

    Raises:
        UsageError: the file cannot be read, or is no list of prices; says where.
    """
    if path is None:
        text, name = files("kubewitness.policy").joinpath("prices.yaml").read_text(encoding="utf-8"), "prices.yaml"
    else:
        name = str(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot be read: {reason_of(error)}", where=name) from error
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"not YAML: {' '.join(str(error).split())}", where=name) from error
    if not isinstance(document, dict) or not isinstance(document.get("destinations"), dict):
        raise UsageError("a list of prices has `destinations`", where=name, hint="destinations: {mine: {per_gb: 1.5}}")
    listed = tuple(_destination(key, about, name) for key, about in document["destinations"].items())
    stated = document.get("date", "")
    return Prices(
        stated.isoformat() if isinstance(stated, date) else str(stated), str(document.get("currency", "USD")), listed
    )


def _destination(key: Any, about: Any, name: str) -> Destination:
    where = f"{name}, destinations.{key}"
    if not isinstance(about, dict):
        raise UsageError("a destination is a mapping", where=where, hint="mine: {title: My store, per_gb: 1.5}")
    known = {each.name: each.type for each in fields(Destination) if each.name != "id"}
    found: dict[str, Any] = {}
    for item, value in about.items():
        if item not in known:
            raise UsageError(f"unknown key `{item}`", where=where, hint=f"known are {', '.join(known)}")
        if known[item] == "float" and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise UsageError(f"`{item}` is a number from 0", where=where)
        found[item] = value if known[item] == "float" else str(value)
    return Destination(str(key), **({"title": str(key)} | found))
