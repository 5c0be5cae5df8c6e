"""Several processes write the same lines in the same order as one, and none of them stays behind."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from array import array
from pathlib import Path
from typing import IO, Any

import pytest

from kubewitness.app.policies import apply as applying
from kubewitness.app.policies import pieces, writing
from kubewitness.app.policies.apply import apply_policy
from kubewitness.app.policies.lines import ApplyOptions, Editor
from kubewitness.app.policies.pieces import Piece
from kubewitness.app.policies.writing import task_writer, write_task
from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.model.recording import Level
from kubewitness.policy.model import Policy, PolicyRule
from kubewitness.policy.secrets import SecretHasher

METADATA = Policy((PolicyRule(Level.METADATA, verbs=("create",)), PolicyRule(Level.REQUEST_RESPONSE)))
KEY = b"0123456789abcdef"


def event(number: int) -> dict[str, Any]:
    body = {"kind": "Secret", "data": {"a": f"c2VjcmV0{number:04}"}}
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": f"{number}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/secrets",
        "verb": "create" if number % 3 else "update",
        "user": {"username": "alice", "groups": ["dev"]},
        "objectRef": {"resource": "secrets", "namespace": "shop", "name": "key", "apiVersion": "v1"},
        "requestObject": body,
        "requestReceivedTimestamp": "2024-01-02T03:04:05.000000Z",
        "stageTimestamp": "2024-01-02T03:04:05.000000Z",
    }


def record(number: int) -> dict[str, Any]:
    return {"category": "kube-audit", "properties": {"log": json.dumps(event(number))}, "resourceId": "/X"}


def logs(folder: Path) -> Path:
    """Every shape, blank lines, records over several lines, cut ones: whatever an edit has to find again."""
    folder.mkdir()
    plain = [json.dumps(event(number), separators=(",", ":")) for number in range(300)]
    mixed = [
        json.dumps(event(number), indent=1 if number % 7 == 3 else None)[: -40 if number % 11 == 5 else None]
        for number in range(100)
    ]
    mixed[20:20] = ["", '{"category":"kube-scheduler","properties":{"log":"I0101 x"}}', ""]
    messages = [{"records": [record(first + number) for number in range(5)]} for first in range(0, 60, 5)]
    (folder / "a.ndjson").write_text("\n".join(plain), encoding="utf-8")
    (folder / "b.ndjson").write_text("\n".join(mixed) + "\n", encoding="utf-8")
    (folder / "c.ndjson").write_text(
        "".join(json.dumps(record(number)) + "\n" for number in range(90)), encoding="utf-8"
    )
    (folder / "d.ndjson").write_text("".join(json.dumps(message) + "\n" for message in messages), encoding="utf-8")
    return folder


@pytest.fixture
def two_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes even for a small log, and several tasks for it."""
    monkeypatch.setattr(applying, "_LEAST_SHARED_BYTES", 0)
    monkeypatch.setattr(applying, "worker_count", lambda: 2)
    monkeypatch.setattr(pieces, "_TASK_BYTES", 10_000)


def written(out: Path, folder: Path, options: ApplyOptions) -> tuple[bytes, applying.Applied]:
    with out.open("wb") as file:
        applied = apply_policy(METADATA, [str(folder)], file, options)
    return out.read_bytes(), applied


@pytest.mark.parametrize("keep_envelope", [False, True])
@pytest.mark.parametrize("redacts", [False, True])
def test_several_processes_write_what_one_writes(
    keep_envelope: bool, redacts: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = logs(tmp_path / "logs")
    hashers = [SecretHasher(KEY) if redacts else None for _ in range(2)]
    alone = written(tmp_path / "one", folder, ApplyOptions(keep_envelope, hashers[0]))
    request.getfixturevalue("two_workers")
    together = written(tmp_path / "two", folder, ApplyOptions(keep_envelope, hashers[1]))
    assert alone == together
    assert alone[0].count(b"\n") == alone[1].written == 550
    if hashers[0] and hashers[1]:
        assert hashers[0].found == hashers[1].found
        assert hashers[0].found["secret_data"] > 100


@pytest.mark.usefixtures("two_workers")
def test_a_pipe_takes_the_lines_of_several_processes(tmp_path: Path) -> None:
    folder = logs(tmp_path / "logs")
    program = [sys.executable, "-c", "import sys; print(sum(1 for _ in sys.stdin.buffer))"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdin is not None
        apply_policy(METADATA, [str(folder)], reader.stdin)
        assert reader.communicate()[0] == b"550\n"


@pytest.mark.usefixtures("two_workers")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_of_this_process(tmp_path: Path) -> None:
    folder = logs(tmp_path / "logs")
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="space") as raised:  # noqa: PTH123 - no path of the test
        apply_policy(METADATA, [str(folder)], full)
    assert raised.value.errno == errno.ENOSPC


def test_a_process_that_was_ended_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_WORKER", "kubewitness.model.errors")
    with (
        (tmp_path / "out").open("wb") as file,
        pytest.raises(ChildProcessError, match="was ended"),
        task_writer(file, ApplyOptions(), workers=2) as write,
    ):
        write([[]])


def test_no_process_stays_when_the_one_that_started_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from kubewitness.app.policies.lines import ApplyOptions\n"
        "from kubewitness.app.policies.writing import task_writer\n"
        "with task_writer(open(sys.argv[1], 'wb'), ApplyOptions(), workers=2) as write:\n"
        "    write([[], []])\n"
        "    print(*(process.pid for process in write.__self__._processes), flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 20
    while any(map(is_running, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_task_that_is_large_waits_for_its_turn_once_and_then_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "HELD_BYTES", 100)
    log = tmp_path / "log"
    lines = [json.dumps(event(number)).encode() + b"\n" for number in range(10)]
    log.write_bytes(b"".join(lines))
    bounds = array("Q", [0])
    for line in lines:
        bounds.append(bounds[-1] + len(line))
    done: list[bytes] = []
    with Editor(ApplyOptions()) as editor:
        piece = Piece(str(log), EngineShape.PLAIN, b"KNKKMKKKKK", 0, (0, 0), bounds)
        write_task(editor, [piece], done.append, lambda: done.append(b"turn "))
    assert done[0] == b"turn "
    assert done.count(b"turn ") == 1
    assert len(done) > 3
    assert b"".join(done).count(b"\n") == 9


def test_what_is_no_file_is_written_by_this_process() -> None:
    class Sink:
        def write(self, text: bytes) -> int:
            return len(text)

        def fileno(self) -> int:
            raise OSError("none")

    sink: IO[bytes] = Sink()  # type: ignore[assignment]
    with task_writer(sink, ApplyOptions(), workers=2) as write:
        write([[]])
