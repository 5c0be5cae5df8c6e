"""Bombs and giants under a limit of memory, in a process of its own."""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    LineOf = Callable[..., bytes]

ADDRESS_BYTES = 4 << 30
RESIDENT_BYTES = 1_500_000_000
MIB = 1 << 20
SCAN = """
import json, pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
from kubewitness.app.scan import scan
ledger = scan(sys.argv[2:]).ledger
print(json.dumps([ledger.events, ledger.partial, ledger.duplicates, ledger.rejected, ledger.is_balanced]))
status = pathlib.Path("/proc/self/status")
if status.exists():  # what `ru_maxrss` says begins with the memory of the process that started this one
    print(next(int(line.split()[1]) << 10 for line in status.read_text().splitlines() if line.startswith("VmHWM")))
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def scanned(*paths: Path) -> list[Any]:
    """Events, partial, duplicates, rejected and balance of a scan that keeps to the limits."""
    command = [sys.executable, "-c", SCAN, str(ADDRESS_BYTES), *map(str, paths)]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()
    assert int(said[1]) < RESIDENT_BYTES
    result: list[Any] = json.loads(said[0])
    return result


def zeros(count: int) -> Iterator[bytes]:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for _ in range(count):
        yield packer.compress(bytes(MIB))
    yield packer.flush()


pytestmark = pytest.mark.skipif(not hasattr(resource, "RLIMIT_AS"), reason="the limit cannot be set here")


def test_a_gzip_bomb_of_one_line_is_one_rejected_record(tmp_path: Path) -> None:
    with (tmp_path / "bomb.gz").open("wb") as file:
        file.writelines(zeros(1500))
    assert scanned(tmp_path / "bomb.gz") == [0, 0, 0, 1, True]


def test_a_bomb_behind_events_takes_them_not_with_it(tmp_path: Path, line_of: LineOf) -> None:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    with (tmp_path / "bomb.gz").open("wb") as file:
        file.write(packer.compress(line_of(0) + b"\n"))
        for _ in range(1000):
            file.write(packer.compress(b"{" * MIB))
        file.write(packer.compress(b"\n" + line_of(1) + b"\n"))
        file.write(packer.flush())
    assert scanned(tmp_path / "bomb.gz") == [2, 0, 0, 1, True]


def test_a_bomb_of_newlines_is_nothing(tmp_path: Path, line_of: LineOf) -> None:
    text = line_of(0) + b"\n" * 300_000_000 + line_of(1)
    (tmp_path / "bomb.zst").write_bytes(zstandard.ZstdCompressor().compress(text))
    assert scanned(tmp_path / "bomb.zst") == [2, 0, 0, 0, True]


@pytest.mark.parametrize(
    ("giant", "expected"),
    [
        (lambda line_of: line_of(1, requestObject={"data": "x" * 64 * MIB}), [4001, 0, 0, 0, True]),
        (lambda line_of: line_of(1, requestObject={"data": "x" * 64 * MIB})[: 50 * MIB], [4000, 1, 0, 0, True]),
        (lambda _: b"\xff" * 64 * MIB, [4000, 0, 0, 1, True]),
        (lambda line_of: line_of(1, requestObject={"data": [[]] * 3_000_000}), [4001, 0, 0, 0, True]),
    ],
    ids=["an event", "a cut event", "garbage", "many values"],
)
def test_a_giant_line_is_one_record(
    tmp_path: Path, line_of: LineOf, giant: Callable[[LineOf], bytes], expected: list[Any]
) -> None:
    lines = [line_of(number) for number in range(10, 4010)]
    lines.insert(2000, giant(line_of))
    (tmp_path / "audit.log").write_bytes(b"\n".join(lines))
    assert scanned(tmp_path / "audit.log") == expected


@pytest.mark.parametrize("depth", [100, 5000, 1_000_000])
def test_deep_bodies_do_not_take_their_neighbours_with_them(tmp_path: Path, line_of: LineOf, depth: int) -> None:
    deep = line_of(1, requestObject="@").replace(b'"@"', b'{"a":' * depth + b"1" + b"}" * depth)
    lists = line_of(2, verb="create", annotations="@").replace(b'"@"', b"[" * depth + b"]" * depth)
    patch = line_of(3, verb="patch", requestObject="@").replace(b'"@"', b'[{"op":"add","value":' + b"[" * depth)
    lines = [line_of(0), deep, lists, patch, line_of(4)]
    (tmp_path / "audit.log").write_bytes(b"\n".join(lines))
    (tmp_path / "packed.gz").write_bytes(gzip.compress(line_of(5) + b"\n" + deep.replace(b"id-1", b"id-6")[:-100]))
    assert scanned(tmp_path) == [5, 2, 0, 0, True]
