"""Writing tasks in their order: here, or for large logs by several processes that edit at once and write in turn."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from typing import IO, TYPE_CHECKING, Self

from kubewitness.app.policies.lines import Editor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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


@contextmanager
def task_writer(
    out: IO[bytes], options: ApplyOptions, *, workers: int = 1
) -> Iterator[Callable[[Iterable[list[Piece]]], None]]:
    """What writes tasks to a file, one after the other; it raises OSError when the file takes no more.

    Args:
        out: takes them.
        options: how to write; its counts of secrets are brought up to date.
        workers: how many processes edit. With 1, or when `out` is no file of the operating system, this one does.
    """
    descriptor = _descriptor(out) if workers > 1 else None
    if descriptor is None:
        with Editor(options) as editor:

            def write(tasks: Iterable[list[Piece]]) -> None:
                for task in tasks:
                    write_task(editor, task, out.write)

            yield write
    else:
        out.flush()
        with _Workers(descriptor, options, workers) as pool:
            yield pool.write


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
        with _alive():
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
            OSError: the file takes no more, or one that is read is gone.
        """
        idle = deque(self._connections)
        busy: deque[Connection] = deque()  # in the order of their tasks: the first has the turn to write
        for task in tasks:
            if not idle:
                idle.append(self._finish(busy))
            with _alive():
                idle[0].send(task)
                busy.append(idle.popleft())
                if len(busy) == 1:
                    busy[0].send(None)
        while busy:
            self._finish(busy)

    def _finish(self, busy: deque[Connection]) -> Connection:
        """Wait for the task that is being written; the next one has the turn then."""
        with _alive():
            answer = busy[0].recv()
        match answer:
            case Failed(error):
                raise error
            case Done(secrets):
                if self._options.redact is not None:
                    self._options.redact.found.update(secrets)
        finished = busy.popleft()
        if busy:
            with _alive():
                busy[0].send(None)
        return finished


@contextmanager
def _alive() -> Iterator[None]:
    """Tell a worker that ended from an output that takes no more."""
    try:
        yield
    except (EOFError, ConnectionError):
        raise ChildProcessError(errno.ECHILD, "a process that edits lines was ended") from None
