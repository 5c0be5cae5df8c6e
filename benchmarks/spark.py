"""How a scan of a store by Spark grows: with the events, and with the workers.

`python benchmarks/spark.py` generates a log, keeps it in a store once, twice and four times as large, and scans each by
clusters of one and of two worker processes on this machine. It prints, for each, the seconds of each step.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]  # so that it runs as a script, from anywhere

from benchmarks.generate import size, write  # noqa: E402
from benchmarks.shape import Shape  # noqa: E402

from kubewitness.app.lake.ingest import ingest  # noqa: E402
from kubewitness.app.lake.opening import open_snapshot  # noqa: E402
from kubewitness.app.plans import load_rules  # noqa: E402
from kubewitness.app.spark.opening import open_spark  # noqa: E402
from kubewitness.app.spark.selecting import select_for  # noqa: E402
from kubewitness.query.predicate import ALWAYS  # noqa: E402
from kubewitness.query.spark_session import spark_session  # noqa: E402

FACTORS = (1, 2, 4)
WORKERS = (1, 2)


def stores(folder: Path, size_bytes: int, seed: int) -> dict[int, str]:
    """A store for each factor: logs of as many days, each of the same size."""
    found: dict[int, str] = {}
    for factor in FACTORS:
        found[factor] = str(folder / f"lake-{factor}")
        for part in range(factor):
            log = folder / f"log-{part}.ndjson"
            if not log.exists():
                with log.open("wb") as sink:
                    write(sink, seed=seed + part, size_bytes=size_bytes, shape=Shape.PLAIN)
            ingest([str(log)], found[factor])
    return found


def steps(store: str) -> tuple[int, int, list[float]]:
    """Events, those that the scan needs, and the seconds of planning, of asking the rules, and of the rest."""
    moments = [time.perf_counter()]
    snapshot = open_snapshot(store)
    with open_spark(snapshot, ALWAYS, None) as events:
        selection = select_for(load_rules(), datetime.now(UTC).date())
        judged = events.session.sql(selection.judged)
        moments.append(time.perf_counter())
        judged = judged.persist()
        judged.createOrReplaceTempView("judged")
        judged.count()
        moments.append(time.perf_counter())
        needed = len(events.rows(selection.needed))
        moments.append(time.perf_counter())
        judged.unpersist()
    return snapshot.events, needed, [after - before for before, after in pairwise(moments)]


def main() -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bytes", type=size, default=size("50MB"), help="of the smallest log (default 50MB)")
    parser.add_argument("--workers", type=int, action="append", help="how many; 1 and 2 when not given")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as name:
        made = stores(Path(name), chosen.bytes, chosen.seed)
        print(f"{'workers':>7}{'events':>10}{'needed':>9}{'plan s':>8}{'rules s':>9}{'rest s':>8}{'events/s':>10}")
        for workers in chosen.workers or WORKERS:
            with spark_session(f"local-cluster[{workers},1,1024]"):
                steps(made[1])  # warms up
                for store in made.values():
                    events, needed, (plan, rules, rest) = steps(store)
                    rate = events / (rules + rest)
                    print(
                        f"{workers:>7}{events:>10,}{needed:>9,}{plan:>8.1f}{rules:>9.1f}{rest:>8.1f}{rate:>10,.0f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
