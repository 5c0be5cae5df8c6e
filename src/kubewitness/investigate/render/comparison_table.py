"""A comparison for people and for machines."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, TextIO

from rich.table import Table

from kubewitness.investigate.comparison import Change
from kubewitness.look.console import Paper
from kubewitness.words.escape import visible
from kubewitness.words.plain import ledger_fields, plain, rfc3339

if TYPE_CHECKING:
    from rich.console import Console

    from kubewitness.investigate.comparison import Comparison, Difference, Side, Tally

_WIDTH = 100


def comparison_fields(comparison: Comparison) -> dict[str, Any]:
    """A comparison as plain values: `{before, after, differences, remarks}`."""
    return {
        "before": _side_fields(comparison.before),
        "after": _side_fields(comparison.after),
        "differences": [plain(each) for each in comparison.differences],
        "remarks": list(comparison.remarks),
    }


def _side_fields(side: Side) -> dict[str, Any]:
    return {
        "label": side.label,
        "events": side.total.events,
        "bytes": side.total.bytes,
        "actors": side.total.actors,
        "first_at": rfc3339(side.total.first_at),
        "last_at": rfc3339(side.total.last_at),
        "stages": dict(side.stages),
        "ledger": ledger_fields(side.ledger),
    }


def write_comparison(comparison: Comparison, out: TextIO, *, most: int) -> None:
    """Write a comparison as tables.

    Args:
        comparison: what to write.
        out: where to.
        most: rows of each aspect; 0 is all.
    """
    console = Paper(file=out, markup=False, highlight=False, emoji=False, width=_WIDTH)
    console.print(_sides(comparison))
    for remark in comparison.remarks:
        console.print(visible(f"note: {remark}"))
    for change, title in ((Change.NEW, "new"), (Change.GONE, "gone")):
        for aspect, group in groupby(comparison.of(change), key=lambda each: each.aspect):
            rows = list(group)
            console.print(f"\n{title} {aspect.plural} ({len(rows):,})")
            table = _table("VALUE", "EVENTS", "ACTORS", "FIRST (UTC)", "LAST")
            for each in rows[: most or None]:
                tally = each.after if change is Change.NEW else each.before
                table.add_row(visible(each.value), *_cells(tally))
            console.print(table)
            _more(console, len(rows), most)
    changed = comparison.of(Change.MORE, Change.LESS)
    if changed:
        console.print(f"\nchanged ({len(changed):,}), events per hour")
        table = _table("WHAT", "VALUE", "TIMES", "EVENTS", "BYTES")
        for each in changed[: most * 2 or None]:
            table.add_row(each.aspect.value, visible(each.value), _times(each), *_before_and_after(each))
        console.print(table)
        _more(console, len(changed), most * 2)
    if not comparison.differences:
        console.print("no differences")


def _sides(comparison: Comparison) -> Table:
    table = _table("", "EVENTS", "MEGABYTES", "ACTORS", "FIRST (UTC)", "LAST")
    for letter, side in (("A", comparison.before), ("B", comparison.after)):
        total = side.total
        table.add_row(
            visible(f"{letter}  {side.label}"),
            f"{total.events:,}",
            f"{total.bytes / 1e6:,.1f}",
            f"{total.actors:,}",
            f"{total.first_at:%Y-%m-%d %H:%M:%S}" if total.first_at else "",
            f"{total.last_at:%Y-%m-%d %H:%M:%S}" if total.last_at else "",
        )
    return table


def _cells(tally: Tally | None) -> tuple[str, ...]:
    if tally is None:
        return ("", "", "", "")
    times = (f"{at:%Y-%m-%d %H:%M:%S}" if at else "" for at in (tally.first_at, tally.last_at))
    return (f"{tally.events:,}", f"{tally.actors:,}", *times)


def _times(difference: Difference) -> str:
    ratio = difference.ratio or 1.0
    return f"x {ratio:,.1f}" if ratio > 1 else f"/ {1 / ratio:,.1f}"


def _before_and_after(difference: Difference) -> tuple[str, str]:
    before, after = difference.before, difference.after
    if before is None or after is None:
        return "", ""
    return f"{before.events:,} -> {after.events:,}", f"{_size(before.bytes)} -> {_size(after.bytes)}"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 100_000 else f"{count / 1e3:,.1f} kB"  # noqa: PLR2004 - reads best so


def _table(*headers: str) -> Table:
    table = Table(*headers, box=None, pad_edge=False, header_style="dim")
    for column in table.columns:
        column.overflow = "fold"
    return table


def _more(console: Console, count: int, most: int) -> None:
    if most and count > most:
        console.print(f"and {count - most:,} more: --most 0")
