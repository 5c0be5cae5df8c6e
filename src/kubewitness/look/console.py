"""The console that tables are printed on, and its colours."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.text import Text

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


class Paper(Console):
    """A console that leaves it to the caller when nobody reads its output any more."""

    def on_broken_pipe(self) -> None:
        """Raise what the write raised: rich would end the program with 1."""
        raise BrokenPipeError


def open_console(out: TextIO | None = None) -> Console:
    """A console that takes text as it is and is at most 100 columns wide.

    Args:
        out: where it writes; standard output when None. Colours go to a terminal only, and `NO_COLOR` is honoured.
    """
    console = Paper(file=out, markup=False, highlight=False, emoji=False, legacy_windows=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return console


def folded(text: str, *, lead: str = "", hanging: str = "  ") -> str:
    """One paragraph of plain text in lines of at most 100 columns.

    Args:
        text: without line ends; escape it first.
        lead: what the first line begins with.
        hanging: what the others begin with.
    """
    return textwrap.fill(text, WIDTH, initial_indent=lead, subsequent_indent=hanging, break_on_hyphens=False)


def print_hanging(console: Console, lead: Text, text: Text, *, indent: int) -> None:
    """Print a text behind a lead, its further lines under its first; a lead that is too long has a line of its own.

    Args:
        console: where to.
        lead: what stands before the text.
        text: what is folded.
        indent: column in which the text begins.
    """
    if lead.cell_len > indent or (lead.cell_len == indent and not lead.plain.endswith(" ")):
        console.print(lead, no_wrap=True, overflow="ignore", crop=False)
        lead = Text("")
    for line in text.wrap(console, max(console.width - indent, 20), overflow="fold"):
        line.rstrip()
        before = lead + Text(" " * (indent - lead.cell_len))
        console.print(before + line, no_wrap=True, overflow="ignore", crop=False)
        lead = Text("")
