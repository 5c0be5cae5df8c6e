"""Cut copies: a cut record that is the same as another one yields to it.

The keys of a cut record are weak (its time is behind the cut, and clients choose the Audit-ID), so the two records are
read again and compared: only when everything before the cut is the same are they one. Otherwise a request with a
reused Audit-ID could hide behind another.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kubewitness.app.evidence import read_again
from kubewitness.detect.matching import CUT_TWINS

if TYPE_CHECKING:
    from kubewitness.app.reading import Tally
    from kubewitness.query.engine import Engine

_BODIES = ("requestObject", "responseObject")


def find_cut_duplicates(engine: Engine, tally: Tally) -> None:
    """Add to the table `duplicates` the cut records that are the same as another record."""
    twins = engine.run(CUT_TWINS)
    if not twins:
        return
    rows = sorted({row for cut, twin, _, _ in twins for row in (cut, twin)})
    places = engine.run("SELECT rowid, source_id, record_line FROM staged WHERE rowid IN (SELECT unnest($rows))", {"rows": rows})
    origins = {row: tally.locate(row, source_id, line) for row, source_id, line in places}
    texts = read_again(tally, set(origins.values()))
    settled: set[int] = set()
    for cut, twin, is_whole, same_time in twins:
        if cut in settled or twin in settled or not (is_whole or same_time):
            continue
        cuts, others = texts.get(origins[cut], []), texts.get(origins[twin], [])
        if any(is_beginning(one, other) for one in cuts for other in others):
            settled.add(cut)
    if settled:
        engine.run("INSERT INTO duplicates SELECT unnest($rows)", {"rows": sorted(settled)})


def is_beginning(cut: bytes, other: bytes) -> bool:
    """Whether everything that a salvaged event says stands in the other one too."""
    try:
        return _is_part(json.loads(cut), json.loads(other))
    except (ValueError, RecursionError):
        return False


def _is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(_is_part, part, whole))
    return bool(part == whole)
