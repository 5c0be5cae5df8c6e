"""How a scan of a store by Spark grows: with the events, and with the workers.

`python benchmarks/spark.py` generates logs of one cluster on one, two and four days, keeps each in a store, and has
clusters of one and of two worker processes on this machine find what a scan needs of them. It prints seconds, CPU
seconds of all processes, and what each further event takes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]  # so that it runs as a script, from anywhere

from benchmarks.generate import size, write  # noqa: E402
from benchmarks.shape import Shape  # noqa: E402

from kubewitness.app.lake.ingest import ingest  # noqa: E402
from kubewitness.app.lake.opening import open_snapshot  # noqa: E402
from kubewitness.app.plans import load_rules, plan_rules  # noqa: E402
from kubewitness.app.scan import ScanOptions  # noqa: E402
from kubewitness.app.spark.opening import open_spark  # noqa: E402
from kubewitness.app.spark.scanning import select  # noqa: E402
from kubewitness.query.predicate import ALWAYS  # noqa: E402
from kubewitness.query.spark_session import spark_session  # noqa: E402

DAYS = (1, 2, 4)
WORKERS = (1, 2)
ROUNDS = 2
"""Times that each store is asked; the quickest counts."""
TICKS = os.sysconf("SC_CLK_TCK")


def stores(folder: Path, size_bytes: int, seed: int) -> dict[int, str]:
    """A store for each number of days."""
    found: dict[int, str] = {}
    lake = folder / "lake"
    for day in range(max(DAYS)):
        log = folder / f"log-{day}.ndjson"
        with log.open("wb") as sink:
            write(sink, seed=seed, size_bytes=size_bytes, shape=Shape.PLAIN, day=day)
        ingest([str(log)], str(lake))
        log.unlink()
        if day + 1 in DAYS:
            found[day + 1] = str(folder / f"lake-{day + 1}")
            shutil.copytree(lake, found[day + 1])
    return found


def cpu_s() -> float:
    """CPU seconds that this process and all that it started have taken so far."""
    started: dict[int, list[int]] = {}
    taken: dict[int, float] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        number = int(file.parent.name)
        started.setdefault(int(fields[1]), []).append(number)
        taken[number] = (int(fields[11]) + int(fields[12])) / TICKS
    total, waiting = 0.0, [os.getpid()]
    while waiting:
        number = waiting.pop()
        total += taken.get(number, 0.0)
        waiting += started.get(number, [])
    return total


def measured(store: str) -> tuple[int, int, float, float]:
    """Events, those that a scan needs, and the seconds and CPU seconds that it takes to find these."""
    loaded, plan, options = load_rules(), plan_rules(), ScanOptions(store=store)
    wall, cpu = time.perf_counter(), cpu_s()
    snapshot = open_snapshot(store)
    with open_spark(snapshot, ALWAYS, None) as events:
        selection = select(events, snapshot, loaded, plan, options)
    return snapshot.events, len(selection.rows), time.perf_counter() - wall, cpu_s() - cpu


def main() -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bytes", type=size, default=size("50MB"), help="of the log of a day (default 50MB)")
    parser.add_argument("--workers", type=int, action="append", help="how many; 1 and 2 when not given")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as name:
        made = stores(Path(name), chosen.bytes, chosen.seed)
        print(f"{'workers':>7}{'days':>6}{'events':>11}{'needed':>9}{'s':>7}{'CPU s':>7}{'µs/further event':>18}")
        for workers in chosen.workers or WORKERS:
            with spark_session(f"local-cluster[{workers},1,1024]"):
                _print(workers, "first", measured(made[1]))
                before: tuple[int, float] | None = None
                for days, store in made.items():
                    rounds = [measured(store) for _ in range(ROUNDS)]
                    events, needed = rounds[0][:2]
                    wall, cpu = (min(each[place] for each in rounds) for place in (2, 3))
                    _print(workers, str(days), (events, needed, wall, cpu), before)
                    before = events, cpu


def _print(
    workers: int, days: str, found: tuple[int, int, float, float], before: tuple[int, float] | None = None
) -> None:
    events, needed, wall, cpu = found
    further = f"{(cpu - before[1]) / (events - before[0]) * 1e6:.0f}" if before else ""
    print(f"{workers:>7}{days:>6}{events:>11,}{needed:>9,}{wall:>7.1f}{cpu:>7.1f}{further:>18}", flush=True)


if __name__ == "__main__":
    main()
