"""Events that are only counted: base rules of correlations that hold of a large part of a log.

Such an event matters when enough others have the same keys at about the same time. Spark counts them by a hash of their
keys and by stretches of time, and only events of keys that have enough in one of them are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.app.spark.kinds import KEYED, give_open
from kubewitness.app.spark.questions import Use
from kubewitness.query.spark_session import COMPILED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.app.spark.kinds import Kind, Place
    from kubewitness.app.spark.opening import SparkEvents
    from kubewitness.app.spark.questions import Question

_COUNTED = f"""
SELECT /*+ BROADCAST(counted_kinds) */ {{columns}} inline(filter(array({{shown}}), one -> one IS NOT NULL))
FROM {KEYED} JOIN counted_kinds USING (kind_key)
"""  # noqa: S608 - a constant
_ENOUGH = """
-- One row per question and key that enough events of some stretch have, or where values are counted, of the whole log.
SELECT DISTINCT number, key
FROM ({counted})
GROUP BY number, key, stretch, least, is_of_values
HAVING count(*) >= least AND (NOT is_of_values OR min(value) <> max(value))
"""
_FOUND = """
SELECT /*+ BROADCAST(enough) */ file_path, file_row FROM ({counted}) LEFT SEMI JOIN enough USING (number, key)
"""


def select_counted(events: SparkEvents, questions: Sequence[Question], kinds: Sequence[Kind]) -> set[Place]:
    """Where the events are that are counted, and may be enough.

    Args:
        events: with the view `KEYED`.
        questions: of which `kinds` have the answers.
        kinds: all kinds.
    """
    meant = {number for number, each in enumerate(questions) if each.use is Use.COUNTED}
    left = give_open(events, "counted_kinds", questions, kinds, meant)
    if not left:
        return set()
    shown = ", ".join(f"CASE WHEN {sql} THEN {questions[number].shows} END" for number, sql in left.items())
    enough = events.rows(_ENOUGH.format(counted=_COUNTED.format(columns="", shown=shown)), COMPILED)
    if not enough:
        return set()
    events.give("enough", "number int, key bigint", [(row.number, row.key) for row in enough])
    counted = _COUNTED.format(columns="file_path, file_row,", shown=shown)
    return {(row.file_path, row.file_row) for row in events.rows(_FOUND.format(counted=counted), COMPILED)}
