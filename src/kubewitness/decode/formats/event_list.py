"""Lists of objects: what the audit webhook posts, and what kubectl writes.

Source: audit.k8s.io/v1 EventList; its items carry neither kind nor apiVersion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.outcome import Rejected
from kubewitness.decode.record import Inner, Record, items_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome

CUT_TEXTS: frozenset[tuple[str, ...]] = frozenset()


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim objects of kind EventList or List."""
    if record.string("kind") not in ("EventList", "List"):
        return None
    if "items" not in record.fields:
        return (Rejected(record.line, f"a list {record.problem or 'without items'}"),)
    envelope = record.envelope
    items = items_of(record, record.fields.get("items"), depth=2)
    return (Inner(item.text, envelope.inside(line=item.line, cut=envelope.cut), item.open) for item in items)
