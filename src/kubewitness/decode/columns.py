"""Columns of a Log Analytics row, by name without case, as exports spell them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.clusters import cluster_of_resource_id
from kubewitness.decode.json_text import string_of
from kubewitness.decode.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

    from kubewitness.decode.record import Envelope, Record

_NULLS = frozenset({b"null", b'""'})


class Columns:
    """The columns of one row that have a value. Empty strings are how exports write null."""

    def __init__(self, fields: Mapping[str, msgspec.Raw]) -> None:
        self._raw = {column_name(name): raw for name, raw in fields.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def raw(self, name: str) -> bytes | None:
        """Give a column's JSON text; None when it is absent, null or empty."""
        raw = self._raw.get(name)
        text = None if raw is None else bytes(raw)
        return None if text in _NULLS else text

    def string(self, name: str) -> str | None:
        """Give a column that is a string; None when it is anything else, or empty."""
        raw = self._raw.get(name)
        return None if raw is None else string_of(raw) or None

    def envelope(self, record: Record) -> Envelope:
        """Say what the row tells about the event inside of it."""
        ids = (self.string("_resourceid"), self.string("resourceid"))
        return record.envelope.inside(
            cluster=next(filter(None, map(cluster_of_resource_id, ids)), None),
            logged_at=rfc3339(self.string("timegenerated")),
            cut=record.is_cut,
            record=record.as_written,
        )


def column_name(header: str) -> str:
    """Give the name by which a column is compared: `TimeGenerated [UTC]` is `timegenerated`."""
    return header.strip().partition(" [")[0].lower()
