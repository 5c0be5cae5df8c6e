"""Who wrote the workload for which a controller made what an alert is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.detect.makers import MAKERS, keeps_makers
from kubewitness.model.alert import Maker

if TYPE_CHECKING:
    from kubewitness.alert.redact import Redactor
    from kubewitness.app.evidence import Evidence
    from kubewitness.detect.plan import Plan
    from kubewitness.query.engine import Engine

_COLUMNS = ("actor", "verb", "resource", "namespace", "object_name", "happened_at")


def find_makers(engine: Engine, plan: Plan, evidence: Evidence, redactor: Redactor) -> dict[int, Maker]:
    """By event of a hit: who wrote the workload behind it last, where the log shows it."""
    if not keeps_makers(plan):
        return {}
    writers = dict(engine.run(MAKERS))
    known = evidence.events(writers.values(), _COLUMNS) if writers else {}
    found: dict[int, Maker] = {}
    for event, writer in writers.items():
        details = redactor.details(known.get(writer, {}))
        if "actor" in details:
            found[event] = Maker(
                details["actor"],
                details.get("resource"),
                details.get("namespace"),
                details.get("object_name"),
                details.get("happened_at"),
            )
    return found
