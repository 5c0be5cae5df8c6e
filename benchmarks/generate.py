"""Write a realistic audit log of any size: `python benchmarks/generate.py --seed 1 --bytes 1GB -o FILE`.

The same seed, size and shape give the same bytes. Each kind of event is made into text templates once; an
event then costs one choice and one formatting.
"""

from __future__ import annotations

import argparse
import heapq
import json
import re
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]  # so that it runs as a script, from anywhere

from benchmarks.changes import CHANGES  # noqa: E402
from benchmarks.cluster import LETTERS, Cluster  # noqa: E402
from benchmarks.incidents import INCIDENTS  # noqa: E402
from benchmarks.shape import Shape  # noqa: E402
from benchmarks.traffic import TRAFFIC  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.objects import Json

BEGIN_AT_US = int(datetime(2026, 11, 20, 8, tzinfo=UTC).timestamp()) * 1_000_000
DAY_US = 86_400 * 1_000_000
EVENTS_PER_S = 150.0
SWAPPED = 0.025  # share of events that change places with their neighbour, as in real logs
OPEN_AT_START = 600  # watches that were begun before the log begins and end in it
RECORDS_PER_MESSAGE = 20
EVENTS_PER_WRITE = 200
BATCH = 4096
BLANK = re.compile(r"@(id|received|staged|logged|now|version|uid|suffix)@")
PAIRS = [first + second for first in LETTERS for second in LETTERS]
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
RESOURCE_ID = (
    "/SUBSCRIPTIONS/3F1C7A52-08DE-4B6F-9B57-5D1E64A7C290/RESOURCEGROUPS/PLATFORM-RG/PROVIDERS/"
    "MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/PLATFORM-AKS"
)


@dataclass(frozen=True, slots=True)
class Template:
    """Text of one event with `%(name)s` where the generator fills in.

    Attributes:
        text: of the event, or of its first stage where the request stays open.
        end: text of the last stage of a request that stays open.
        lasts_s: how long it stays open.
    """

    text: str
    end: str | None = None
    lasts_s: tuple[float, float] = (0.0, 0.0)


def size(text: str) -> int:
    """Bytes out of `1GB`, `50MB`, `200KB` or a plain number.

    Raises:
        argparse.ArgumentTypeError: it is none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?B?)", text.strip().upper())
    if found is None or found[2] not in UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 1GB, 50MB or 4096")
    return int(float(found[1]) * UNITS[found[2]])


def write(sink: BinaryIO, *, seed: int, size_bytes: int, shape: Shape, day: int = 0) -> int:
    """Write whole lines until the log has at least `size_bytes`; returns the number of events.

    Logs of the same seed are of the same cluster, on another `day` of other requests of the same actors.
    """
    events = _texts(seed, shape, day)
    per_line = RECORDS_PER_MESSAGE if shape is Shape.EVENTHUB else 1
    written = count = 0
    while written < size_bytes:
        block = list(islice(events, EVENTS_PER_WRITE))
        count += len(block)
        if per_line > 1:
            block = [
                f'{{"records":[{",".join(block[start : start + per_line])}]}}'
                for start in range(0, len(block), per_line)
            ]
        written += sink.write(("\n".join(block) + "\n").encode())
    return count


def _texts(seed: int, shape: Shape, day: int) -> Iterator[str]:
    """Texts of events without end, in the order of their stage times but for some neighbours."""
    cluster = Cluster(seed)
    templates, weights = _templates(cluster, shape)
    totals = list(accumulate(weights))
    if day:
        cluster.random.seed(f"{seed} {day}")
    draw = cluster.random
    held: str | None = None
    now_us, version = BEGIN_AT_US + day * DAY_US, 48_210_000
    pending = _pending(cluster, [one for one in templates if one.end is not None], now_us)
    counter = len(pending)
    while True:
        for one in draw.choices(templates, cum_weights=totals, k=BATCH):
            now_us += int(draw.expovariate(EVENTS_PER_S) * 1e6)
            while pending[0][0] <= now_us:
                ended_us, _, audit_id, received_us, text = heapq.heappop(pending)
                yield _filled(text, audit_id, received_us, ended_us, version=version, bits=draw.getrandbits(128))
            version += 1
            bits = draw.getrandbits(256)
            audit_id = _uuid(bits >> 128)
            received_us = now_us - 900 - (bits & 0x3FFF)
            if one.end is not None:
                counter += 1
                ends_us = now_us + int(draw.uniform(*one.lasts_s) * 1e6)
                heapq.heappush(pending, (ends_us, counter, audit_id, received_us, one.end))
            text = _filled(one.text, audit_id, received_us, now_us, version=version, bits=bits)
            if held is not None:
                yield text
                yield held
                held = None
            elif draw.random() < SWAPPED:
                held = text
            else:
                yield text


# What is still to end: stage time, a number (so that texts are never compared), auditID, received time, text.
Pending = tuple[int, int, str, int, str]


def _pending(cluster: Cluster, opening: list[Template], now_us: int) -> list[Pending]:
    """A heap of requests that were open when the log begins."""
    draw = cluster.random
    heap: list[Pending] = []
    for number, one in enumerate(draw.choices(opening, k=OPEN_AT_START)):
        begun_us = now_us - int(draw.uniform(0, one.lasts_s[1]) * 1e6)
        ends_us = now_us + int(draw.uniform(0, one.lasts_s[1]) * 1e6)
        heap.append((ends_us, number, cluster.uid(), begun_us, one.end or ""))
    heapq.heapify(heap)
    return heap


def _templates(cluster: Cluster, shape: Shape) -> tuple[list[Template], list[float]]:
    """Templates of every recipe with their weights."""
    made: list[Template] = []
    weights: list[float] = []
    for recipe in (*TRAFFIC, *CHANGES, *INCIDENTS):
        for _ in range(recipe.variants):
            event = recipe.make(cluster)
            if recipe.lasts_s is None:
                made.append(Template(_text(event, shape)))
            else:
                start = {**event, "stage": "ResponseStarted"}
                made.append(Template(_text(start, shape), _text(event, shape), recipe.lasts_s))
        weights += [recipe.weight / recipe.variants] * recipe.variants
    return made, weights


def _text(event: Json, shape: Shape) -> str:
    """Text of an event in its shape, as Go writes JSON (`&`, `<` and `>` escaped), with its blanks."""
    text = json.dumps(event, separators=(",", ":"))
    for sign in "&<>":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    if shape is not Shape.PLAIN:
        record = {
            "category": "kube-audit",
            "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
            "properties": {
                "pod": "kube-apiserver-7c9f6d5b48-x2kqp",
                "containerID": "5e0c" * 16,
                "log": text + "\n",
                "stream": "stdout",
            },
            "resourceId": RESOURCE_ID,
            "serviceBuild": "na",
            "time": "@logged@",
        }
        if shape is Shape.AZURE:
            text = json.dumps(record, separators=(", ", ": ")).replace("/", "\\/")
        else:
            text = json.dumps(record, separators=(",", ":"))
    return BLANK.sub(r"%(\1)s", text.replace("%", "%%"))


def _filled(text: str, audit_id: str, received_us: int, staged_us: int, *, version: int, bits: int) -> str:
    """A template's text with its blanks filled in; `bits` is what is random in it."""
    second, micros = divmod(staged_us, 1_000_000)
    staged = _second(second)
    received = received_us // 1_000_000
    return text % {
        "id": audit_id,
        "received": f"{_second(received)}.{received_us - received * 1_000_000:06d}Z",
        "staged": f"{staged}.{micros:06d}Z",
        "logged": f"{staged}.{micros:06d}{bits % 1000:03d}Z",
        "now": f"{staged}Z",
        "version": version,
        "uid": _uuid(bits),
        "suffix": f"{PAIRS[bits % 729]}{PAIRS[(bits >> 20) % 729]}{LETTERS[(bits >> 40) % 27]}",
    }


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _uuid(bits: int) -> str:
    """A version 4 uuid out of the lowest 128 bits."""
    digits = f"{bits & (1 << 128) - 1:032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def main() -> None:
    """Read the arguments, write the log, print what was written as one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bytes", type=size, default=size("1GB"), help="size of the log, such as 50MB (default 1GB)")
    parser.add_argument("--shape", type=Shape, choices=list(Shape), default=Shape.PLAIN)
    parser.add_argument("-o", dest="output", type=Path, required=True, help="file to write")
    chosen = parser.parse_args()
    begun = time.perf_counter()
    with chosen.output.open("wb") as sink:
        events = write(sink, seed=chosen.seed, size_bytes=chosen.bytes, shape=chosen.shape)
    print(
        json.dumps(
            {
                "events": events,
                "bytes": chosen.output.stat().st_size,
                "seconds": round(time.perf_counter() - begun, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
