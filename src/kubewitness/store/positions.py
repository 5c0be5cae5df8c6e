"""How far each source has been taken: the position that a commit carries along with the events.

A source is told by what it says, not by its name: by its first line, or all of it where it is no list of lines. So a
file that was renamed, copied or packed is known again, and one that grew is taken up at the byte where it was left.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_KEY_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Position:
    """A source up to a byte.

    Attributes:
        key: which source.
        name: what it was called when this was taken.
        cluster: name for its records that do not say.
        end: bytes taken, unpacked, from its beginning.
        sha256: of these bytes, in hex.
        lines: how many lines these bytes are.
        is_whole: whether it is no list of lines, and so taken whole or not at all.
        begin: byte from which on this commit took it.
    """

    key: str
    name: str
    cluster: str | None
    end: int
    sha256: str
    lines: int
    is_whole: bool = False
    begin: int = 0

    def fields(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def key_of(text: bytes, cluster: str | None) -> str:
    """The key of a source that begins with this line, or is this text."""
    digest = hashlib.sha256(text)
    digest.update(b"\0" + (cluster or "").encode())
    return digest.hexdigest()[:_KEY_DIGITS]


def transactions_of(positions: Iterable[Position]) -> Iterator[tuple[str, int]]:
    """Application transactions of Delta Lake that carry positions: name and version."""
    for each in positions:
        yield f"source:{each.key}", each.end


def positions_of(history: Iterable[Mapping[str, Any]]) -> dict[str, Position]:
    """The last position of each source.

    Args:
        history: what commits remember, oldest first.
    """
    known = {field.name for field in fields(Position)}
    return {
        source["key"]: Position(**{name: value for name, value in source.items() if name in known})
        for entry in history
        for source in entry.get("sources", ())
    }
