"""Where commands write."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from kubewitness.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def write(output: Path | None, render: Callable[[TextIO], None]) -> None:
    """Do what `render_to` does, and say which file was written.

    Raises:
        UsageError: the file cannot be written.
    """
    render_to(output, render)
    if output is not None:
        print(f"written to {output}", file=sys.stderr)  # noqa: T201


def render_to(output: Path | None, render: Callable[[TextIO], object]) -> None:
    """Let something be written to a file, or to standard output where none is named.

    Raises:
        UsageError: the file cannot be written.
    """
    if output is None:
        render(sys.stdout)
        return
    try:
        with output.open("w", encoding="utf-8", newline="") as out:
            render(out)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=str(output)) from error
