"""Plain tables on standard output."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.table import Table

from kubewitness.look.console import Paper
from kubewitness.words.escape import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDTH = 100


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a header; what a log may have named is escaped. The last column is folded."""
    console = Paper(markup=False, highlight=False, emoji=False)
    if not sys.stdout.isatty():
        console.width = max(console.width, _WIDTH)
    table = Table(*header, box=None, pad_edge=False, header_style="dim")
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*map(visible, row))
    console.print()
    console.print(table)
