"""Cut copies: a cut record that is the same as another one yields to it.

The keys of a cut record are weak (its time is behind the cut, and clients choose the Audit-ID), so the two records are
read again and compared: only when everything before the cut is the same are they one. Otherwise a request with a
reused Audit-ID could hide behind another.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kubewitness.detect.matching import CUT_TWINS
from kubewitness.model.event import API

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubewitness.app.evidence import Evidence
    from kubewitness.query.engine import Engine

_COLUMNS = [column.name for column in API]
_JSON = frozenset(column.name for column in API if column.type == "JSON")


def find_cut_duplicates(engine: Engine, evidence: Evidence) -> None:
    """Add to the table `duplicates` the cut records that are the same as another record."""
    twins = engine.run(CUT_TWINS)
    if not twins:
        return
    events = evidence.events({row for cut, twin, _, _ in twins for row in (cut, twin)}, _COLUMNS)
    settled: set[int] = set()
    for cut, twin, is_whole, same_time in twins:
        if cut in settled or twin in settled or not (is_whole or same_time):
            continue
        if cut in events and twin in events and is_beginning(events[cut], events[twin]):
            settled.add(cut)
    if settled:
        engine.run("INSERT INTO duplicates SELECT unnest($rows)", {"rows": sorted(settled)})


def is_beginning(cut: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether everything that a salvaged event says stands in the other one too (columns of the events table)."""
    return all(name in other and _is_part(_value(name, value), _value(name, other[name])) for name, value in cut.items())


def _value(name: str, value: Any) -> Any:
    if name not in _JSON:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(_is_part, part, whole))
    return bool(part == whole)
