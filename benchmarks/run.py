"""How fast `kubewitness scan` is, against DuckDB alone over the same file in the same run: `make bench`.

It generates the log once (kept in the cache folder), then alternates the floor and the scan, each in a
process of its own, and prints medians. A benchmark, not a test: the exit code is 0 whether or not the bars
are met, and what is met or missed is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]  # so that it runs as a script, from anywhere

from benchmarks.generate import size  # noqa: E402
from benchmarks.shape import Shape  # noqa: E402

from benchmarks import many_rules  # noqa: E402

CACHE = HERE.parent / ".cache" / "bench"
COMMAND = str(Path(sys.executable).parent / "kubewitness")
LARGE_BYTES = 5 * 10**9
RATIO_BAR = 2.2
MANY_RULES = 1000
MANY_RULES_BAR = 3.0
MEMORY_BAR_MB = 1500.0
HELP_BAR_S = 0.3
ONE_EVENT_BAR_S = 1.5
STARTS = 5
# As at a user's: compiled modules are kept, and so are plans, where no other program throws them out.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ENVIRONMENT["XDG_CACHE_HOME"] = str(CACHE / "home")
RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss
JQ = {
    Shape.PLAIN: 'select(.verb=="delete")',
    Shape.AZURE: '.properties.log | fromjson | select(.verb=="delete")',
    Shape.EVENTHUB: '.records[].properties.log | fromjson | select(.verb=="delete")',
}


@dataclass(frozen=True, slots=True)
class Log:
    """A generated log.

    Attributes:
        file: where it is.
        events: how many it holds.
        bytes: how long it is.
    """

    file: Path
    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Run:
    """What one process cost.

    Attributes:
        seconds: wall clock, from start to end of the process.
        cpu_s: processor time of all its threads, user and system.
        peak_mb: largest resident memory, in MB of 10**6 bytes.
        code: exit code.
        complaint: last line it wrote to standard error, where it failed.
    """

    seconds: float
    cpu_s: float
    peak_mb: float
    code: int
    complaint: str = ""


def measure(command: list[str]) -> Run:
    """Run a command to its end with its output thrown away; resources are those of this child alone."""
    with tempfile.TemporaryFile() as stderr:
        begun = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, env=ENVIRONMENT
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        stderr.seek(0)
        lines = stderr.read().decode(errors="replace").strip().splitlines()
    return Run(
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * RSS_UNIT / 1e6,
        child.returncode,
        lines[-1] if child.returncode and lines else "",
    )


def generated(cache: Path, size_bytes: int, shape: Shape, seed: int, *, keep: Path | None = None) -> Log:
    """The log of that size, shape and seed: out of the cache, or generated into it.

    The cache holds this log and the one to keep; others are deleted. A log that another version of the
    generator wrote is another log.
    """
    parts = ("objects", "cluster", "recipes", "traffic", "changes", "incidents", "generate")
    version = sha256(b"".join((HERE / f"{part}.py").read_bytes() for part in parts)).hexdigest()[:10]
    file = cache / f"{shape}-{size_bytes}-{seed}-{version}.ndjson"
    told = file.with_suffix(".json")
    for old in cache.glob("*-*.*json"):
        if old.stem not in {file.stem, keep.stem if keep else ""}:
            old.unlink()
    if not told.exists():
        print(f"generating {size_bytes / 1e6:,.0f} MB ({shape}, seed {seed}) ...", flush=True)
        script = [sys.executable, str(HERE / "generate.py"), "-o", str(file)]
        chosen = ["--seed", str(seed), "--bytes", str(size_bytes), "--shape", str(shape)]
        done = subprocess.run([*script, *chosen], check=True, capture_output=True, text=True)
        told.write_text(done.stdout, encoding="utf-8")
    facts = json.loads(told.read_text(encoding="utf-8"))
    return Log(file, facts["events"], facts["bytes"])


def compared(log: Log, shape: Shape, program: list[str], rounds: int) -> dict[str, Any]:
    """Floor and scan in turns, after one of each to warm up; figures of both and the ratio of each pair."""
    floor_command = [sys.executable, str(HERE / "floor.py"), "--shape", str(shape), str(log.file)]
    scan_command = [*program, "scan", str(log.file), "--format", "json", "-o", os.devnull]
    report = log.file.with_name("report.json")
    warm = measure([*scan_command[:-1], str(report)])
    said = _said(report)
    measure(floor_command)
    if warm.code:
        return {"scan": None, "failure": f"exit code {warm.code}: {warm.complaint}"}
    floors, scans = [], []
    for number in range(1, rounds + 1):
        floors.append(measure(floor_command))
        scans.append(measure(scan_command))
        print(f"round {number}: floor {floors[-1].seconds:.2f} s, scan {scans[-1].seconds:.2f} s", flush=True)
    failed = next((run for run in (*floors, *scans) if run.code), None)
    if failed is not None:
        return {"scan": None, "failure": f"exit code {failed.code}: {failed.complaint}"}
    ratios = [scan.seconds / floor.seconds for floor, scan in zip(floors, scans, strict=True)]
    return {
        "floor": figures(floors, log),
        "scan": figures(scans, log) | said,
        "ratio": round(median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "rounds": [{"floor": asdict(floor), "scan": asdict(scan)} for floor, scan in zip(floors, scans, strict=True)],
    }


def figures(runs: list[Run], log: Log) -> dict[str, Any]:
    """Medians of some runs over one log; the peak is the largest of all."""
    seconds = median(run.seconds for run in runs)
    return {
        "seconds": round(seconds, 3),
        "cpu_s": round(median(run.cpu_s for run in runs), 3),
        "mb_per_s": round(log.bytes / 1e6 / seconds, 1),
        "events_per_s": round(log.events / seconds),
        "peak_mb": round(max(run.peak_mb for run in runs), 1),
    }


def _said(report: Path) -> dict[str, Any]:
    """The ledger and the number of alerts of a report: a fast scan that loses events is worth nothing."""
    try:
        content = json.loads(report.read_text(encoding="utf-8"))
        return {"ledger": content["ledger"], "alerts": len(content["alerts"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    finally:
        report.unlink(missing_ok=True)


def started(program: list[str], log: Log) -> dict[str, Any]:
    """What it costs to start: the help text, and a scan of one line of the log."""
    line = log.file.with_name("one.ndjson")
    with log.file.open("rb") as source:
        line.write_bytes(source.readline())
    one_event = [*program, "scan", str(line), "--format", "json", "-o", os.devnull]
    helps = [measure([*program, "--help"]) for _ in range(STARTS)]
    scans = [measure(one_event) for _ in range(STARTS)]
    line.unlink()
    if any(run.code for run in (*helps, *scans)):
        return {}
    return {
        "help_s": round(median(run.seconds for run in helps), 3),
        "one_event_s": round(median(run.seconds for run in scans), 3),
        "one_event_peak_mb": round(max(run.peak_mb for run in scans), 1),
    }


def _jq(log: Log, shape: Shape) -> dict[str, Any] | None:
    """What people do today, once: `jq` picks the deletions out. None where jq is not installed."""
    jq = shutil.which("jq")
    if jq is None:
        return None
    run = measure([jq, "-c", JQ[shape], str(log.file)])
    return figures([run], log) if run.code == 0 else {"failure": run.complaint}


def _large(program: list[str], beside: Log, shape: Shape, seed: int) -> dict[str, Any]:
    """One scan of a log of 5 GB, for its memory; the log is deleted afterwards."""
    log = generated(beside.file.parent, LARGE_BYTES, shape, seed, keep=beside.file)
    try:
        run = measure([*program, "scan", str(log.file), "--format", "json", "-o", os.devnull])
    finally:
        log.file.unlink()
        log.file.with_suffix(".json").unlink()
    return figures([run], log) if run.code == 0 else {"failure": f"exit code {run.code}: {run.complaint}"}


def _many_rules(program: list[str], log: Log, seed: int, rounds: int) -> dict[str, Any]:
    """Scans with 1,000 generated rules and with the pack in turns, after one to warm up; the ratio of each pair."""
    command = [*program, "scan", str(log.file), "--format", "json", "-o", os.devnull]
    with tempfile.TemporaryDirectory() as folder:
        many_rules.write(Path(folder), MANY_RULES, seed)
        many_command = [*command, "--no-builtin-rules", "--rules", folder]
        runs = [measure(many_command)]
        pairs = [(measure(command), measure(many_command)) for _ in range(rounds)]
    runs += [many for _, many in pairs]
    failed = next((run for run in runs if run.code), None)
    if failed is not None:
        return {"failure": f"exit code {failed.code}: {failed.complaint}"}
    ratios = [many.seconds / pack.seconds for pack, many in pairs]
    return figures(runs[1:], log) | {"ratio": round(median(ratios), 3), "first_s": round(runs[0].seconds, 3)}


def _parts(log: Log) -> list[dict[str, Any]]:
    """What each part of a scan costs, measured inside one."""
    script = [sys.executable, str(HERE / "parts.py"), str(log.file), "--json"]
    done = subprocess.run(script, check=True, capture_output=True, text=True, env=ENVIRONMENT)
    return list(json.loads(done.stdout))


def show(results: dict[str, Any]) -> None:
    """Print the figures, and say of each bar whether it is met."""
    log, machine = results["log"], results["machine"]
    print(
        f"\n{log['bytes'] / 1e6:,.0f} MB, {log['events']:,} events, {log['shape']}, seed {log['seed']};"
        f" {machine['cores']} cores, Python {machine['python']}, {machine['system']}"
    )
    print(f"{'':8}{'seconds':>9}{'cpu s':>8}{'MB/s':>8}{'events/s':>11}{'peak MB':>9}")
    for name in ("floor", "scan", "jq", "large", "rules"):
        row = results.get(name)
        if name == "jq" and "jq" in results and row is None:
            print(f"{name:8}not installed")
        elif row and "failure" in row:
            print(f"{name:8}failed: {row['failure']}")
        elif row:
            figures_ = f"{row['seconds']:>9.2f}{row['cpu_s']:>8.1f}{row['mb_per_s']:>8.0f}"
            print(f"{name:8}{figures_}{row['events_per_s']:>11,}{row['peak_mb']:>9.0f}")
    if "failure" in results:
        print(f"scan    failed: {results['failure']}")
        return
    for part in results.get("parts", ()):
        print(f"  {part['part']:66}{part['seconds']:>7.2f} s{part['cpu_s']:>7.2f} cpu s")
    start, large, scan = results["start"], results.get("large"), results["scan"]
    if "ledger" in scan:
        print(f"ledger {scan['ledger']}, {scan['alerts']} alerts")
        bar("every event of the log is in the ledger", scan["ledger"].get("read"), log["events"], exact=True)
    bar("scan / floor, median of pairs", results["ratio"], RATIO_BAR)
    bar("peak memory of scan, MB", scan["peak_mb"], MEMORY_BAR_MB)
    if large and "peak_mb" in large:
        bar("peak memory of scan of 5 GB, MB", large["peak_mb"], MEMORY_BAR_MB)
    if "ratio" in results.get("rules", {}):
        bar(f"{MANY_RULES} generated rules / pack, median of pairs", results["rules"]["ratio"], MANY_RULES_BAR)
    if start:
        bar("kubewitness --help, s", start["help_s"], HELP_BAR_S)
        bar("scan of one event, s", start["one_event_s"], ONE_EVENT_BAR_S)


def bar(name: str, value: float, limit: float, *, exact: bool = False) -> None:
    """Print whether a figure is at most its limit (or exactly it)."""
    is_met = value == limit if exact else value <= limit
    print(f"{'met   ' if is_met else 'MISSED'}  {name}: {value:g} ({'is' if exact else 'at most'} {limit:g})")


def main() -> None:
    """Read the arguments, measure, print, and write the figures where `--json` says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bytes", type=size, default=size("1GB"), help="size of the log (default 1GB)")
    parser.add_argument("--shape", type=Shape, choices=list(Shape), default=Shape.PLAIN)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds, after one to warm up (default 5)")
    parser.add_argument("--large", action="store_true", help="also scan 5 GB once, for its peak memory")
    parser.add_argument("--many-rules", action="store_true", help="also scan with 1,000 generated rules")
    parser.add_argument("--parts", action="store_true", help="also say what each part of a scan costs")
    parser.add_argument("--no-jq", action="store_true", help="leave out the run of jq")
    parser.add_argument("--scan-command", default=COMMAND, help="program to measure (default: this environment's)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of the generated log")
    parser.add_argument("--json", type=Path, help="file for the figures")
    chosen = parser.parse_args()
    chosen.cache.mkdir(parents=True, exist_ok=True)
    program = shlex.split(chosen.scan_command)
    if shutil.which(program[0]) is None:
        parser.error(f"{program[0]} is not there to be measured")
    log = generated(chosen.cache, chosen.bytes, chosen.shape, chosen.seed)
    results: dict[str, Any] = {
        "log": {"bytes": log.bytes, "events": log.events, "shape": str(chosen.shape), "seed": chosen.seed},
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
        },
    }
    results |= compared(log, chosen.shape, program, chosen.rounds)
    if not chosen.no_jq:
        results["jq"] = _jq(log, chosen.shape)
    results["start"] = started(program, log)
    if chosen.many_rules:
        results["rules"] = _many_rules(program, log, chosen.seed, chosen.rounds)
    if chosen.parts:
        results["parts"] = _parts(log)
    if chosen.large:
        results["large"] = _large(program, log, chosen.shape, chosen.seed)
    show(results)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
