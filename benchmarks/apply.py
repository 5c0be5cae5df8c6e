"""How fast `kubewitness policy apply` is, against DuckDB alone over the same file in the same run.

`python benchmarks/apply.py` takes the log that `make bench` generates and alternates the floor and the command, under
three policies: one that changes nothing, one that takes all bodies away, one that takes managedFields out of them. A
benchmark, not a test: it prints what is met or missed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]  # so that it runs as a script, from anywhere

from benchmarks.generate import size  # noqa: E402
from benchmarks.run import CACHE, COMMAND, Log, Run, figures, generated, measure  # noqa: E402
from benchmarks.shape import Shape  # noqa: E402

RATIO_BAR = 2.5
MEMORY_BAR_MB = 1500.0
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
POLICIES = {
    "everything": "rules: [{level: RequestResponse}]\n",
    "metadata": "rules: [{level: Metadata}]\n",
    "no managedFields": "omitManagedFields: true\nrules: [{level: RequestResponse}]\n",
}


def compared(log: Log, shape: Shape, policy: Path, rounds: int, *, keep_envelope: bool) -> tuple[list[Run], list[Run]]:
    """Floor and command in turns, after one of each to warm up."""
    floor = [sys.executable, str(HERE / "floor.py"), "--shape", str(shape), str(log.file)]
    with tempfile.TemporaryDirectory(dir=log.file.parent) as folder:
        out = Path(folder) / "out.ndjson"
        command = [COMMAND, "policy", "apply", str(policy), str(log.file), "-o", str(out), "--quiet"]
        command += ["--keep-envelope"] if keep_envelope else []
        measure(floor)
        measure(command)
        floors, runs = [], []
        for _ in range(rounds):
            floors.append(measure(floor))
            runs.append(measure(command))
    return floors, runs


def main() -> None:
    """Read the arguments, measure, print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bytes", type=size, default=size("1GB"))
    parser.add_argument("--shape", type=Shape, choices=list(Shape), default=Shape.PLAIN)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep-envelope", action="store_true")
    parser.add_argument("--policy", choices=list(POLICIES), action="append", help="all when not given")
    parser.add_argument("--cache", type=Path, default=CACHE)
    chosen = parser.parse_args()
    chosen.cache.mkdir(parents=True, exist_ok=True)
    log = generated(chosen.cache, chosen.bytes, chosen.shape, chosen.seed)
    print(f"{'policy':<18}{'seconds':>9}{'CPU s':>8}{'MB/s':>8}{'events/s':>11}{'peak MB':>9}{'ratio':>7}  met")
    for name in chosen.policy or POLICIES:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as policy:
            policy.write(HEAD + POLICIES[name])
            policy.flush()
            floors, runs = compared(
                log, chosen.shape, Path(policy.name), chosen.rounds, keep_envelope=chosen.keep_envelope
            )
        if failed := next((run for run in (*floors, *runs) if run.code), None):
            print(f"{name:<18} failed: {failed.complaint}")
            continue
        found = figures(runs, log)
        ratio = median(run.seconds / floor.seconds for run, floor in zip(runs, floors, strict=True))
        is_met = ratio <= RATIO_BAR and found["peak_mb"] <= MEMORY_BAR_MB
        print(
            f"{name:<18}{found['seconds']:>9.2f}{found['cpu_s']:>8.2f}{found['mb_per_s']:>8.0f}"
            f"{found['events_per_s']:>11,}{found['peak_mb']:>9.0f}{ratio:>7.2f}  {'yes' if is_met else 'no'}",
            flush=True,
        )


if __name__ == "__main__":
    main()
