"""A process that edits lines: `python -m kubewitness.app.policies.worker DESCRIPTOR`, started by `writing`.

Over the connection come the options, then tasks; None says that it is this process's turn to write what it made of the
task to standard output. Each task is answered. The end of the connection is the end of the process.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from kubewitness.app.policies.lines import Editor
from kubewitness.app.policies.writing import Done, Failed, write_task

if TYPE_CHECKING:
    from kubewitness.app.policies.lines import ApplyOptions

_STDOUT = 1


def main() -> None:
    """Answer tasks until the connection ends."""
    with Connection(int(sys.argv[1])) as connection, suppress(EOFError, ConnectionError):
        options: ApplyOptions = connection.recv()
        with Editor(options) as editor:
            while True:
                connection.send(_answer(connection, editor, options))


def _answer(connection: Connection, editor: Editor, options: ApplyOptions) -> Done | Failed:
    task = connection.recv()
    turns: list[object] = []
    try:
        write_task(editor, task, _write, lambda: turns.append(connection.recv()))
    except EOFError:
        raise
    except Exception as error:  # noqa: BLE001 - it is raised again where the task came from
        if not turns:
            connection.recv()
        return Failed(error)
    return Done(_taken(options))


def _taken(options: ApplyOptions) -> Counter[str]:
    if options.redact is None:
        return Counter()
    found = Counter(options.redact.found)
    options.redact.found.clear()
    return found


def _write(text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(_STDOUT, rest) :]


if __name__ == "__main__":
    main()
