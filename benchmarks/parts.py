"""What each part of a scan costs: `python benchmarks/parts.py FILE`, one scan in this process with the builtin rules.

The engine's statements are told apart by the table that they fill; what is left of the time is Python.
"""

from __future__ import annotations

import time

BEGUN = time.perf_counter(), time.process_time()

import argparse  # noqa: E402
import json  # noqa: E402
from collections import defaultdict  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

from kubewitness.app.plans import plan_rules  # noqa: E402
from kubewitness.app.scan import scan  # noqa: E402
from kubewitness.query.engine import Engine  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = {
    "INSERT INTO staged": "sketch of all events",
    "TABLE derived": "kinds",
    "FROM derived": "kinds",
    "INSERT INTO kinds": "kinds",
    "TABLE again": "candidates (and representatives of kinds), read again and asked",
    "INSERT INTO candidates": "candidates (and representatives of kinds), read again and asked",
    "WITH lines": "evidence: events of alerts, read again",
}
OTHERS = "other queries: duplicates, exceptions, correlations, first seen"
REST = "Python: lines of candidates, alerts, the rest"

costs: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0])


def add(part: str, seconds: float, cpu_s: float) -> None:
    """Count what something cost."""
    for place, value in enumerate((seconds, cpu_s, 1)):
        costs[part][place] += value


def timed(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of the engine that counts what its statements cost."""

    def run(self: Engine, sql: str, parameters: Any = None) -> Any:
        seconds, cpu_s = time.perf_counter(), time.process_time()
        try:
            return method(self, sql, parameters)
        finally:
            part = next((name for text, name in PARTS.items() if text in sql), OTHERS)
            add(part, time.perf_counter() - seconds, time.process_time() - cpu_s)

    return run


def main() -> None:
    """Scan, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    add("start: Python and imports", time.perf_counter() - BEGUN[0], time.process_time() - BEGUN[1])
    plan_rules()  # so that it is in the cache, as it is after the first scan
    begun = time.perf_counter(), time.process_time()
    plan = plan_rules()
    add("plan, out of the cache", time.perf_counter() - begun[0], time.process_time() - begun[1])
    Engine.run, Engine.rows = timed(Engine.run), timed(Engine.rows)  # type: ignore[method-assign]
    begun = time.perf_counter(), time.process_time()
    spent = [sum(cost[place] for cost in costs.values()) for place in (0, 1)]
    scan([chosen.file], plan)
    whole = time.perf_counter() - begun[0], time.process_time() - begun[1]
    queries = [sum(cost[place] for cost in costs.values()) - spent[place] for place in (0, 1)]
    add(REST, whole[0] - queries[0], whole[1] - queries[1])
    rows = [{"part": part, "seconds": cost[0], "cpu_s": cost[1], "statements": cost[2]} for part, cost in costs.items()]
    if chosen.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['part']:66}{row['seconds']:>8.2f}{row['cpu_s']:>8.2f}{row['statements']:>6.0f}")


if __name__ == "__main__":
    main()
