"""Event Hubs messages: `{"records":[...]}`, with or without the keys that Stream Analytics adds.

Source: Azure Monitor, stream monitoring data to an event hub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.record import Inner, Record, items_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome

CUT_TEXTS: frozenset[tuple[str, ...]] = frozenset()


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim objects whose member `records` is an array."""
    records = record.fields.get("records")
    if records is None or bytes(memoryview(records)[:1]) != b"[":
        return None
    envelope = record.envelope
    items = items_of(record, records, depth=2)
    return (Inner(item.text, envelope.inside(line=item.line, cut=envelope.cut), item.open) for item in items)
