"""How fast questions are answered over a lake of ten million events: `python benchmarks/questions.py`.

It makes a lake once (kept in the cache folder): a generated log is ingested, and its events are written again with
other ids and later times until there are enough of them, in files as an ingest writes them. Then ten typical questions
and the facets are asked, each several times; median and 95th percentile are printed. A benchmark, not a test.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]  # so that it runs as a script, from anywhere

from benchmarks.generate import write  # noqa: E402
from benchmarks.shape import Shape  # noqa: E402

from kubewitness.app.asking.facets import facets  # noqa: E402
from kubewitness.app.asking.hunt import hunt  # noqa: E402
from kubewitness.app.asking.sql import ask  # noqa: E402
from kubewitness.app.events import Logs  # noqa: E402
from kubewitness.app.lake.ingest import ingest  # noqa: E402
from kubewitness.app.lake.opening import open_snapshot  # noqa: E402
from kubewitness.app.lake.writing import rewrite_files  # noqa: E402
from kubewitness.facts import macros  # noqa: E402
from kubewitness.query.engine import Engine  # noqa: E402
from kubewitness.query.reading import ReadingQuery  # noqa: E402
from kubewitness.store.lake import Change, Lake  # noqa: E402
from kubewitness.store.places import place_of  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = HERE.parent / ".cache" / "bench"
EVENTS = 10_000_000
LOG_BYTES = 100_000_000
DAYS = 10
FILTER_BAR_MS = 500.0
FACETS_BAR_MS = 1500.0

FILTERS = (
    "verb:delete resource:pods",
    "resource:secrets verb:(get OR list) NOT user:system*",
    "action:exec",
    "code:403",
    "user:chen* OR user:amira*",
    "ip:203.0.113.0/24",
    "namespace:kube-system verb:(create OR patch) actor_kind:user",
    "privileged:true",
    "resource:(clusterroles OR clusterrolebindings) verb:(create OR update OR patch)",
)
QUERY = "SELECT actor, verb, count(*) AS n, max(happened_at) FROM events GROUP BY actor, verb ORDER BY n DESC LIMIT 20"


@dataclass(frozen=True, slots=True)
class Timed:
    """How long a question took.

    Attributes:
        name: of the question.
        times_ms: of each time it was asked.
        bar_ms: the 95th percentile may not be above.
        found: how much was found.
    """

    name: str
    times_ms: tuple[float, ...]
    bar_ms: float
    found: int

    def percentile(self, share: float) -> float:
        """The time within which this share of the answers came."""
        ordered = sorted(self.times_ms)
        return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def lake_of(events: int, cache: Path, seed: int = 1) -> Path:
    """A store of about so many events; made when it is not there."""
    store = cache / f"lake-{events}-{seed}"
    if store.exists():
        return store
    making = cache / f"lake-{events}-{seed}.making"
    shutil.rmtree(making, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="kubewitness-bench-") as folder:
        log, small = Path(folder) / "audit.ndjson", Path(folder) / "small"
        with log.open("wb") as sink:
            write(sink, seed=seed, size_bytes=min(LOG_BYTES, events * 1500), shape=Shape.PLAIN)
        ingest([str(log)], str(small))
        log.unlink()
        _multiply(small, making, events, Path(folder))
    making.rename(store)
    return store


def _multiply(small: Path, store: Path, events: int, folder: Path) -> None:
    """Write the events of a store again and again, each day of them into a file of its own."""
    snapshot = open_snapshot(str(small))
    copies = -(-events // snapshot.events)
    lake = Lake.open_or_create(str(store))
    engine = Engine(folder, memory_limit="4GB")
    try:
        engine.run(macros())
        for day in range(DAYS):
            numbers = [number for number in range(copies) if number % DAYS == day]
            again = snapshot.query(_AGAIN)
            values = {**again.parameters, "numbers": numbers, "days": timedelta(days=day)}
            query = ReadingQuery(again.sql, values)
            lake.commit(Change(adds=rewrite_files(engine, query, place=place_of(str(store)), folder=folder)))
    finally:
        engine.close()


_AGAIN = """
-- One row per event and number: the same with another id, later.
SELECT * EXCLUDE (n, "row") REPLACE (
    audit_id || '-' || n AS audit_id,
    happened_at + $days + to_seconds(n) AS happened_at,
    request_received_at + $days + to_seconds(n) AS request_received_at,
    stage_at + $days + to_seconds(n) AS stage_at,
    (day + $days)::DATE AS day
)
FROM events, (SELECT unnest($numbers) AS n)
ORDER BY resource, subresource, verb, actor, happened_at
"""


def main() -> None:
    """Make the lake, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--times", type=int, default=12, help="how often each question is asked")
    parser.add_argument("--cache", type=Path, default=CACHE)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    logs = Logs(store=str(lake_of(options.events, options.cache)))
    print(f"{platform.machine()}, Python {platform.python_version()}, {open_snapshot(str(logs.store)).events:,} events")
    questions = [(text, partial(_hunted, text, logs), FILTER_BAR_MS) for text in FILTERS]
    questions.append(("sql: who does what", partial(_rows, QUERY, logs), FILTER_BAR_MS))
    questions += [
        (f"facets of {text or 'all'}", partial(_facets, text, logs), FACETS_BAR_MS) for text in ("", "code:403")
    ]
    for name, question, bar_ms in questions:
        each = _timed(name, question, options.times, bar_ms)
        middle, most = each.percentile(0.5), each.percentile(0.95)
        verdict = "met" if most <= each.bar_ms else "MISSED"
        print(
            f"{each.name:82} {each.found:>9,} p50 {middle:7.0f} ms"
            f"  p95 {most:7.0f} ms  (bar {each.bar_ms:.0f}) {verdict}",
            flush=True,
        )


def _timed(name: str, question: Callable[[], int], times: int, bar_ms: float = FILTER_BAR_MS) -> Timed:
    found = question()  # what is imported and cached is not measured
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        question()
        taken.append((time.perf_counter() - began) * 1000)
    return Timed(name, tuple(taken), bar_ms, found)


def _hunted(text: str, logs: Logs) -> int:
    return hunt(text, logs).count


def _facets(text: str, logs: Logs) -> int:
    return len(facets(text, logs).facets)


def _rows(sql: str, logs: Logs) -> int:
    with ask(sql, logs) as answer:
        return sum(1 for _ in answer.rows)


if __name__ == "__main__":
    main()
