"""The console that tables are printed on, and its colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from rich.console import Console

from kubewitness.model.alert import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH = 100
SEVERITY_STYLES: Mapping[Severity, str] = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFORMATIONAL: "dim",
}


def open_console(out: TextIO | None = None) -> Console:
    """A console that takes text as it is and is at most 100 columns wide.

    Args:
        out: where it writes; standard output when None. Colours go to a terminal only, and `NO_COLOR` is honoured.
    """
    console = Console(file=out, markup=False, highlight=False, emoji=False, legacy_windows=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return console
