"""Lists of objects: what the audit webhook posts, and what kubectl writes.

Source: audit.k8s.io/v1 EventList; its items carry neither kind nor apiVersion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.record import Inner, Record, items_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome

CUT_TEXTS: frozenset[tuple[str, ...]] = frozenset()


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim objects of kind EventList or List."""
    if record.string("kind") not in ("EventList", "List"):
        return None
    envelope = record.envelope
    items = items_of(record, record.fields.get("items"), depth=2)
    return (Inner(bytes(item), envelope.inside(cut=envelope.cut), open_) for item, open_ in items)
