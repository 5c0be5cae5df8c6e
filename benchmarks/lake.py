"""How fast a store takes a log, how small it is there, and how much faster a scan of it is.

`python benchmarks/lake.py` takes the log that `make bench` generates. In turns: DuckDB alone over the file (the floor),
an ingest into a new store, a scan of the file, a scan of the store. The store is also measured against the same records
as `zstd -3`. A benchmark, not a test: it prints what is met or missed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import zstandard

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]  # so that it runs as a script, from anywhere

from benchmarks.generate import size  # noqa: E402
from benchmarks.run import CACHE, COMMAND, generated, measure  # noqa: E402
from benchmarks.shape import Shape  # noqa: E402

if TYPE_CHECKING:
    from benchmarks.run import Log, Run

INGEST_BAR = 3.0
SCAN_BAR = 10.0
SIZE_BAR = 1.0
MEMORY_BAR_MB = 2000.0


def packed_bytes(file: Path) -> int:
    """How large a file is as `zstd -3`."""
    with tempfile.TemporaryFile() as out, file.open("rb") as plain:
        _, written = zstandard.ZstdCompressor(level=3).copy_stream(plain, out)
    return written


def stored_bytes(store: Path) -> int:
    """How large the data files of a store are."""
    return sum(path.stat().st_size for path in store.rglob("day=*/*.parquet"))


def main() -> None:
    """Read the arguments, measure, print what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bytes", type=size, default=size("1GB"))
    parser.add_argument("--shape", type=Shape, choices=list(Shape), default=Shape.PLAIN)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=CACHE)
    chosen = parser.parse_args()
    chosen.cache.mkdir(parents=True, exist_ok=True)
    log = generated(chosen.cache, chosen.bytes, chosen.shape, chosen.seed)
    store = Path(tempfile.mkdtemp(prefix="kubewitness-bench-")) / "lake"
    try:
        measured(log, chosen.shape, store, chosen.rounds)
    finally:
        shutil.rmtree(store.parent)


def measured(log: Log, shape: Shape, store: Path, rounds: int) -> None:
    """Measure in turns and print."""
    commands = {
        "floor": [sys.executable, str(HERE / "floor.py"), "--shape", str(shape), str(log.file)],
        "ingest": [COMMAND, "ingest", str(log.file), "--store", str(store), "--quiet"],
        "scan file": [COMMAND, "scan", str(log.file), "--format", "json", "-o", "/dev/null", "--quiet"],
        "scan store": [COMMAND, "scan", "--store", str(store), "--format", "json", "-o", "/dev/null", "--quiet"],
    }
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    measure(commands["floor"])
    for _ in range(rounds):
        shutil.rmtree(store, ignore_errors=True)
        for name, command in commands.items():
            run = measure(command)
            if run.code:
                print(f"{name} failed: {run.complaint}")
                return
            runs[name].append(run)
    print(f"{'':<22}{'seconds':>9}{'CPU s':>8}{'events/s':>12}{'peak MB':>9}")
    for name, found in runs.items():
        seconds = median(run.seconds for run in found)
        cpu, peak = median(run.cpu_s for run in found), max(run.peak_mb for run in found)
        print(f"{name:<22}{seconds:>9.2f}{cpu:>8.2f}{log.events / seconds:>12,.0f}{peak:>9.0f}")
    ingest = ratio(runs["ingest"], runs["floor"])
    scan = ratio(runs["scan file"], runs["scan store"])
    share = stored_bytes(store) / packed_bytes(log.file)
    measure([COMMAND, "store", "compact", "--store", str(store), "--grace", "0"])
    joined = stored_bytes(store)
    peak = max(run.peak_mb for run in runs["ingest"])
    rows = (
        ("ingest / floor", ingest, INGEST_BAR, ingest <= INGEST_BAR),
        ("ingest, peak MB", peak, MEMORY_BAR_MB, peak <= MEMORY_BAR_MB),
        ("size / zstd -3", share, SIZE_BAR, share < SIZE_BAR),
        ("store / file, scanned", scan, SCAN_BAR, scan >= SCAN_BAR),
    )
    print()
    for name, found_value, bar, is_met in rows:
        print(f"{name:<24}{found_value:>8.2f}  bar {bar:g}: {'met' if is_met else 'missed'}")
    print(f"{'compacted, MB':<24}{joined / 1e6:>8.1f}")


def ratio(upper: list[Run], lower: list[Run]) -> float:
    """Median of the ratios of the pairs."""
    return median(one.seconds / other.seconds for one, other in zip(upper, lower, strict=True))


if __name__ == "__main__":
    main()
