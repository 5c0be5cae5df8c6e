"""How many bytes the record of each row has, as it stands in the log, and would have under a policy."""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import TYPE_CHECKING

from kubewitness.app.policies.lines import EDITS
from kubewitness.app.policies.lines_again import LinesAgain
from kubewitness.decode import read_canonical
from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.policy.edit import Edit, edited
from kubewitness.policy.wrapped import edited_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.app.parts import Span
    from kubewitness.app.readings import Reading


_SAME = b"KC"
_GONE = b"NS-"
_EDITS = {ord(action): Edit(level, managed) for action, (level, managed) in EDITS.items()}


def measure(reading: Reading, actions: bytes) -> tuple[array[int], array[int]]:
    """Bytes of the record of each row now, and after the policy; without newlines.

    Records that nothing changes are measured by where they stand in their files; the others are edited as `policy
    apply` would write them, in the envelope that they came in.

    Args:
        reading: what was read, while its files are there.
        actions: what becomes of each row, one letter of `Action` each.
    """
    before, after = array("q"), array("q")
    rows = [span.first_row for span in reading.spans] + [len(actions)]
    with LinesAgain() as again:
        for span, (first, end) in zip(reading.spans, pairwise(rows), strict=True):
            for row, size in enumerate(_sizes(span, first, end, again), first):
                action = actions[row]
                before.append(size)
                if action in _SAME:
                    after.append(size)
                elif action in _GONE:
                    after.append(0)
                else:
                    after.append(_edited_size(span, row, _EDITS[action], again) or size)
    return before, after


def _sizes(span: Span, first: int, end: int, again: LinesAgain) -> Iterator[int]:
    """Bytes of the records of a span's rows."""
    is_event_by_event = span.part.shape is EngineShape.CANONICAL
    if span.lines.is_exact and not is_event_by_event and span.part.places is None:
        begin = span.lines.place(0)[1]
        for record in range(end - first):
            behind = span.lines.end(record)
            yield behind - begin - 1
            begin = behind
        return
    for row in range(first, end):
        line = again.line(span, row) or b""
        yield len(_record(line)) if is_event_by_event else len(line)


def _record(line: bytes) -> bytes:
    """The record of an event that was decoded by itself."""
    if not line:
        return line
    found = read_canonical(line)
    return found.record or found.original or found.text


def _edited_size(span: Span, row: int, edit: Edit, again: LinesAgain) -> int | None:
    line = again.line(span, row)
    if line is None:
        return None
    match span.part.shape:
        case EngineShape.PLAIN:
            return len(edited(line, edit))
        case EngineShape.CANONICAL:
            found = read_canonical(line)
            return len(edited_record(found.record, edit) if found.record is not None else edited(found.text, edit))
        case _:
            return len(edited_record(line, edit))
