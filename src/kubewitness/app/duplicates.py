"""Cut copies: a cut record that is the same as another one yields to it.

The keys of a cut record are weak (its time is behind the cut, and clients choose the Audit-ID), so the two records are
read again and compared: only when everything before the cut is the same are they one. Otherwise a request with a
reused Audit-ID could hide behind another.
"""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from kubewitness.detect.duplicates import CREATE_CUT_TWINS, CUT_TWINS
from kubewitness.model.event import API

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubewitness.app.evidence import Evidence
    from kubewitness.query.engine import Engine

_COLUMNS = [column.name for column in API]
_AROUND = ["cluster", "logged_at"]
_JSON = frozenset(column.name for column in API if column.type == "JSON")

DELAY = timedelta(minutes=15)
"""How far the time that an envelope gives may be from the event's own."""


def find_cut_duplicates(engine: Engine, evidence: Evidence) -> None:
    """Add to the table `duplicates` the cut records that are the same as another record."""
    engine.run(CREATE_CUT_TWINS)
    settled: set[int] = set()
    for batch in count():
        twins = engine.run(CUT_TWINS, {"batch": batch})
        if not twins:
            break
        events = evidence.events({row for pair in twins for row in pair}, _COLUMNS + _AROUND)
        for cut, twin in twins:
            if cut in settled or twin in settled:
                continue
            if cut in events and twin in events and is_same(events[cut], events[twin]):
                settled.add(cut)
    if settled:
        engine.run("INSERT INTO duplicates SELECT unnest($rows)", {"rows": sorted(settled)})


def is_same(cut: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a salvaged event is the beginning of another one (columns of the events table, without nulls).

    It is when all that it says stands in the other one too, of the same cluster and about the same time as far as the
    records say.
    """
    if cut.get("cluster") != other.get("cluster") and "cluster" in cut and "cluster" in other:
        return False
    times = [other[name] for name in ("stage_at", "request_received_at", "logged_at") if name in other]
    if "logged_at" in cut and times and abs(cut["logged_at"] - times[0]) > DELAY:
        return False
    return all(
        name in other and _is_part(_value(name, cut[name]), _value(name, other[name]))
        for name in _COLUMNS
        if name in cut
    )


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
