"""Reading records again, by where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.app.reading import decoder
from kubewitness.decode import Event, Layout, decode_lines, sniff
from kubewitness.sources import open_source, read_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.app.reading import Tally
    from kubewitness.decode import Outcome

_HEAD_BYTES = 64 << 10


def read_again(tally: Tally, places: set[tuple[int, int]]) -> dict[tuple[int, int], list[bytes]]:
    """The events that begin at these places, as JSON text.

    Args:
        tally: of the reading that found them.
        places: (source id, line); a line may hold several events.

    Returns:
        Texts by place; standard input can't be read twice, so its places are missing.
    """
    by_source: dict[int, set[int]] = {}
    for source_id, line in places:
        by_source.setdefault(source_id, set()).add(line)
    found: dict[tuple[int, int], list[bytes]] = {}
    for source_id, lines in by_source.items():
        for outcome in _outcomes(tally, source_id, lines):
            if isinstance(outcome, Event) and outcome.line in lines:
                found.setdefault((source_id, outcome.line), []).append(outcome.text)
    return found


def _outcomes(tally: Tally, source_id: int, lines: set[int]) -> Iterable[Outcome]:
    source = tally.sources[source_id]
    if not source.is_repeatable:
        return
    with open_source(source) as (_, reader):
        layout = sniff(reader.peek(_HEAD_BYTES)[:_HEAD_BYTES])
        if layout not in {Layout.DOCUMENT, Layout.CSV}:
            yield from decode_lines((number, text) for number, text in read_lines(reader) if number in lines)
        else:
            yield from decoder(layout, reader)
