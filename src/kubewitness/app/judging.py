"""Reading logs and judging every event, as far as a scan and the learning of a baseline have it in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.app.candidates import Candidates
from kubewitness.app.duplicates import find_cut_duplicates
from kubewitness.app.evidence import Evidence
from kubewitness.app.reading import Target, read_sources
from kubewitness.app.readings import Reading
from kubewitness.decode.engine_shapes import Depth
from kubewitness.detect.duplicates import CREATE_DUPLICATES, MARK_DUPLICATES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from kubewitness.detect.plan import Plan
    from kubewitness.model.ledger import Ledger
    from kubewitness.query.engine import Engine


@dataclass(frozen=True, slots=True)
class Totals:
    """What was read, where `staged` has only the events that matter.

    Attributes:
        ledger: what became of every record.
        first_at: time of the first event (UTC, naive).
        last_at: time of the last one.
    """

    ledger: Ledger
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Judged:
    """Events in the tables `staged`, `kinds`, `candidates` and `duplicates`.

    Attributes:
        reading: where they are from.
        evidence: to read them again.
        unjudged: number of those that could not be read a second time.
        totals: what was read; None when `staged` has a row for every record.
        lowered: number of events of which a policy has taken something since they were taken into a store.
    """

    reading: Reading
    evidence: Evidence
    unjudged: int
    totals: Totals | None = None
    lowered: int = 0


def judge(engine: Engine, plan: Plan, paths: Sequence[str], folder: Path, *, cluster: str | None) -> Judged:
    """Read logs and ask the rules of single events.

    Args:
        engine: gets the tables.
        plan: the rules.
        paths: files, directories, globs, `-` for standard input.
        folder: for temporary files; must last as long as the evidence.
        cluster: name for events whose log does not say.

    Raises:
        UnreadableError: nothing of the paths could be read.
    """
    engine.run(plan.sketch.create_sql)
    reading = Reading()
    evidence = Evidence(engine, reading, folder)
    candidates = Candidates(engine, plan, reading, evidence)
    read_sources(
        engine,
        paths,
        Target("staged", plan.sketch.select, depth=Depth.SKETCH),
        folder,
        reading,
        cluster=cluster,
        then=candidates.add,
    )
    candidates.finish()
    reading.demand_sources()
    engine.run(CREATE_DUPLICATES)
    find_cut_duplicates(engine, evidence)
    if engine.run("SELECT event FROM duplicates LIMIT 1"):
        engine.run(MARK_DUPLICATES)
    return Judged(reading, evidence, candidates.count_unjudged())
