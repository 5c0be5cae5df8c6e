"""Rows of an answer: as a table for people, JSON, NDJSON or CSV."""

from __future__ import annotations

import csv
import json
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from kubewitness.alert.render.comma_separated import cell
from kubewitness.alert.render.row_format import RowFormat
from kubewitness.look.console import Paper, print_hanging
from kubewitness.words.escape import visible
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, JustifyMethod

_WIDTH = 100
_SHORT = 20
"""A column that is not wider is never folded: times, verbs, most addresses."""
_FOLDED = 16
"""What a wider one is folded to at the least; where that does not fit, values stand one below the other."""
_GAP = 2
_NUMBERS = ("INT", "DOUBLE", "FLOAT", "DECIMAL")


def render_rows(
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    form: RowFormat,
    out: TextIO,
    *,
    types: Sequence[str] = (),
    most: int = 100,
) -> int:
    """Write rows, one by one as they come.

    Args:
        names: of the columns; of two that are the same, the second gets a number.
        rows: values that JSON can say, redacted.
        form: how.
        out: where to.
        types: of the columns, as the engine spells them; numbers stand on the right.
        most: rows of a table; the other formats have all.

    Returns:
        How many rows there were.
    """
    unique = _unique(names)
    match form:
        case RowFormat.TABLE:
            return _table(unique, rows, out, types, most)
        case RowFormat.CSV:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(unique)
            lines = ([cell(_flat(value)) for value in row] for row in rows)
            return sum(bool(writer.writerow(line)) for line in lines)
        case RowFormat.NDJSON:
            return sum(bool(out.write(_line(unique, row) + "\n")) for row in rows)
        case RowFormat.JSON:
            count = 0
            for row in rows:
                out.write((",\n  " if count else "[\n  ") + _line(unique, row))
                count += 1
            out.write("\n]\n" if count else "[]\n")
            return count


def _unique(names: Sequence[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        number = 1
        unique = name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found[unique] = None
    return [*found]


def _line(names: Sequence[str], row: Sequence[Any]) -> str:
    return json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)


def _flat(value: Any) -> Any:
    """Lists of texts stay lists; what is deeper is JSON."""
    is_plain_list = isinstance(value, list) and all(isinstance(each, str) for each in value)
    if is_plain_list or value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]], out: TextIO, types: Sequence[str], most: int) -> int:
    console = Paper(file=out, markup=False, highlight=False, emoji=False)
    console.width = max(console.width, _WIDTH) if console.is_terminal else _WIDTH
    pending = iter(rows)
    first = [[_shown(value) for value in row] for row in islice(pending, most)]
    left = sum(1 for _ in pending)
    header = [visible(name) for name in names]
    widths = [max(map(cell_len, column)) for column in zip(header, *first, strict=True)]
    least = sum(width if width <= _SHORT else _FOLDED for width in widths) + _GAP * (len(widths) - 1)
    if first and least > console.width:
        _print_one_below_the_other(console, header, first)
    else:
        console.print(_side_by_side(header, first, widths, types))
    if left:
        shown = f"the first {len(first):,} of" if first else "none shown of"
        console.print(f"{shown} {counted(len(first) + left, 'row')}; --most shows more", style="dim")
    elif not first:
        console.print("no rows")
    return len(first) + left


def _side_by_side(header: list[str], rows: list[list[str]], widths: list[int], types: Sequence[str]) -> Table:
    """One line per row; what is short (times, verbs, addresses) is never broken, what is long is folded."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, (name, width) in enumerate(zip(header, widths, strict=True)):
        is_number = index < len(types) and any(word in types[index] for word in _NUMBERS)
        side: JustifyMethod = "right" if is_number else "left"
        table.add_column(name, justify=side, overflow="fold", no_wrap=is_number or width <= _SHORT)
    for row in rows:
        table.add_row(*row)
    return table


def _print_one_below_the_other(console: Console, header: list[str], rows: list[list[str]]) -> None:
    """A line for each value that is not empty, and an empty line behind each row."""
    indent = max(map(cell_len, header)) + 2
    for row in rows:
        for name, value in zip(header, row, strict=True):
            if value:
                print_hanging(console, Text(name, style="dim"), Text(value), indent=indent)
        console.print()


def _shown(value: Any) -> str:
    flat = _flat(value)
    if isinstance(flat, int):
        return f"{flat}"
    text = ", ".join(flat) if isinstance(flat, list) else str("" if flat is None else flat)
    if isinstance(value, str) and len(value) == 27 and value.endswith("Z") and value[10] == "T":  # noqa: PLR2004 - a time
        text = value[:19].replace("T", " ")
    return visible(text)
