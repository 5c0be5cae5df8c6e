"""Reading logs and judging every event, as far as a scan and the learning of a baseline have it in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubewitness.app.candidates import Candidates
from kubewitness.app.duplicates import find_cut_duplicates
from kubewitness.app.evidence import Evidence
from kubewitness.app.reading import Reading, Target, read_sources
from kubewitness.detect.duplicates import CREATE_DUPLICATES, MARK_DUPLICATES
from kubewitness.model.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kubewitness.detect.plan import Plan
    from kubewitness.query.engine import Engine


@dataclass(frozen=True, slots=True)
class Judged:
    """Events in the tables `staged`, `heads`, `candidates`, `candidate_rows` and `duplicates`.

    Attributes:
        reading: where they are from.
        evidence: to read them again.
        unjudged: number of those that could not be read a second time.
    """

    reading: Reading
    evidence: Evidence
    unjudged: int


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
    engine.run(plan.first.create_sql)
    reading = Reading()
    evidence = Evidence(engine, reading, folder)
    candidates = Candidates(engine, plan, reading, evidence)
    read_sources(
        engine,
        paths,
        Target("staged", plan.first.select, plan.first.judging(), plan.first.heads_only),
        folder,
        reading,
        cluster=cluster,
        then=candidates.judge,
    )
    candidates.finish()
    if not reading.sources:
        reasons = "; ".join(f"{item.origin}: {item.reason}" for item in reading.unreadable)
        raise UnreadableError(
            f"nothing to read: {reasons or 'no file found'}", hint="name files or directories of logs"
        )
    engine.run(CREATE_DUPLICATES)
    find_cut_duplicates(engine, evidence)
    if engine.run("SELECT event FROM duplicates LIMIT 1"):
        engine.run(MARK_DUPLICATES)
    return Judged(reading, evidence, candidates.unjudged)
