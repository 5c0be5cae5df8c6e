"""Writing tasks in their order: here, or for large logs by several processes that edit at once and write in turn."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections import Counter, deque
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import IO, TYPE_CHECKING, Self

from kubewitness.app.policies.lines import Editor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kubewitness.app.policies.lines import ApplyOptions
    from kubewitness.app.policies.pieces import Piece

HELD_BYTES = 16 << 20
"""How much of the output of a task waits for its turn, beside the line that exceeds it."""

_WORKER = "kubewitness.app.policies.worker"
_MOST_WORKERS = 8


@dataclass(frozen=True, slots=True)
class Done:
    """A worker's answer when a task is written.

    Attributes:
        secrets: number of values replaced, by kind.
    """

    secrets: Counter[str]


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker's answer when a task could not be written to its end.

    Attributes:
        error: why.
    """

    error: Exception


def worker_count() -> int:
    """How many processes can edit at once; 1 where there are none to be had."""
    if os.name != "posix" or not sys.executable:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_WORKERS)


def write_tasks(out: IO[bytes], tasks: Iterable[list[Piece]], options: ApplyOptions, *, workers: int = 1) -> None:
    """Write tasks one after the other.

    Args:
        out: takes them.
        tasks: what to write.
        options: how to write; its counts of secrets are brought up to date.
        workers: how many processes edit; with 1, or when `out` is no file of the operating system, this one does.

    Raises:
        OSError: `out` takes no more, or a file cannot be read any more.
    """
    descriptor = _descriptor(out) if workers > 1 else None
    if descriptor is not None:
        out.flush()
        with _Workers(descriptor, options, workers) as pool:
            pool.write(tasks)
        return
    with Editor(options) as editor:
        for task in tasks:
            write_task(editor, task, out.write)


def write_task(
    editor: Editor, task: list[Piece], write: Callable[[bytes], object], wait: Callable[[], object] = lambda: None
) -> None:
    """Edit a task and write it in large pieces.

    Args:
        editor: edits.
        task: what to write.
        write: takes bytes.
        wait: called once, before the first of them is written.
    """
    held: list[bytes] = []
    size = 0
    is_waiting = True
    for text in editor.texts(task):
        held.append(text)
        size += len(text)
        if size >= HELD_BYTES:
            if is_waiting:
                wait()
                is_waiting = False
            write(b"".join(held))
            held.clear()
            size = 0
    if is_waiting:
        wait()
    write(b"".join(held))


def _descriptor(out: IO[bytes]) -> int | None:
    try:
        return out.fileno()
    except (OSError, io.UnsupportedOperation):
        return None


class _Workers:
    """Processes whose standard output is the file that is written. They end when this one does, however it ends."""

    def __init__(self, descriptor: int, options: ApplyOptions, count: int) -> None:
        self._options = options
        self._processes: list[subprocess.Popen[bytes]] = []
        self._connections: list[Connection] = []
        try:
            for _ in range(count):
                self._start(descriptor)
        except BaseException:
            self._end()
            raise

    def _start(self, descriptor: int) -> None:
        ours, theirs = Pipe()
        self._connections.append(ours)
        with theirs:
            command = [sys.executable, "-P", "-m", _WORKER, str(theirs.fileno())]
            self._processes.append(
                subprocess.Popen(  # noqa: S603 - this interpreter and a module of ours
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=descriptor,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # an interrupt from the terminal is for this process to handle
                )
            )
        ours.send(self._options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            process.kill()
            process.wait()

    def write(self, tasks: Iterable[list[Piece]]) -> None:
        """Have tasks written.

        Raises:
            OSError: as for `write_tasks`.
        """
        idle = deque(self._connections)
        busy: deque[Connection] = deque()  # in the order of their tasks: the first has the turn to write
        for task in tasks:
            if not idle:
                idle.append(self._finish(busy))
            idle[0].send(task)
            busy.append(idle.popleft())
            if len(busy) == 1:
                busy[0].send(None)
        while busy:
            self._finish(busy)

    def _finish(self, busy: deque[Connection]) -> Connection:
        """Wait for the task that is being written; the next one has the turn then."""
        try:
            answer = busy[0].recv()
        except EOFError:
            raise ChildProcessError(f"a process that edits lines ended ({_WORKER})") from None
        match answer:
            case Failed(error):
                raise error
            case Done(secrets):
                if self._options.redact is not None:
                    self._options.redact.found.update(secrets)
        finished = busy.popleft()
        if busy:
            busy[0].send(None)
        return finished
