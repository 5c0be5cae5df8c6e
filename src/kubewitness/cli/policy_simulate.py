"""`kubewitness policy simulate` and `volume`: bytes and money."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from kubewitness.cli.logs import demand_paths
from kubewitness.cli.policy import Format
from kubewitness.model.errors import UsageError
from kubewitness.words.lists import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.app.policies.simulate import Share, Simulated
    from kubewitness.policy.prices import Prices

_SHORT_S = 3600
_CHARTS = (".html", ".png", ".svg")
_PANELS = ("resource", "verb", "user")

Logs = Annotated[str, Parameter(help="Files, directories, globs, or - for standard input.", allow_leading_hyphen=True)]
PriceFile = Annotated[Path | None, Parameter(help="Prices of your own, YAML; see the builtin ones in the docs.")]
Top = Annotated[int, Parameter(help="How many values of each grouping to show.")]
Chart = Annotated[Path | None, Parameter(help="Draw a chart into this file: .html, .png or .svg.")]
Printed = Annotated[Format, Parameter(name=["--format", "-f"], help="How to print it.")]


def simulate(
    file: Annotated[Path, Parameter(help="Audit policy (YAML or JSON), or builtin:NAME.")],
    /,
    *paths: Logs,
    compare: Annotated[
        list[Path] | None, Parameter(help="Another policy to put beside it; several times.", negative=())
    ] = None,
    prices: PriceFile = None,
    top: Top = 10,
    chart: Chart = None,
    format: Printed = Format.TABLE,  # noqa: A002
) -> None:
    """Measure what a policy would keep of a log, by rule, verb, resource, user and client, and what a month costs.

    Bytes are those of the records themselves: what would be lowered is edited and measured, not estimated.
    """
    from kubewitness.app.policies.evaluation import load  # noqa: PLC0415 - the engine is imported when it runs
    from kubewitness.app.policies.simulate import simulate as run  # noqa: PLC0415

    _check(paths, chart, top, "kubewitness policy simulate policy.yaml audit.log")
    found = [run(load(each), list(paths), title=str(each)) for each in (file, *(compare or ()))]
    _show(found, prices, top, chart, format, is_volume=False)


def volume(
    *paths: Logs,
    prices: PriceFile = None,
    top: Top = 10,
    chart: Chart = None,
    format: Printed = Format.TABLE,  # noqa: A002
) -> None:
    """Say who and what fills a log, by bytes, and what a month of it costs."""
    from kubewitness.app.policies.simulate import KEEP_ALL  # noqa: PLC0415 - the engine is imported when it runs
    from kubewitness.app.policies.simulate import simulate as run  # noqa: PLC0415

    _check(paths, chart, top, "kubewitness policy volume audit.log")
    _show([run(KEEP_ALL, list(paths), title="as it is")], prices, top, chart, format, is_volume=True)


def _check(paths: tuple[str, ...], chart: Path | None, top: int, example: str) -> None:
    demand_paths(paths, example=example)
    if top < 0:
        raise UsageError("--top is a number of values", hint="write 0 or more")
    if chart is not None and chart.suffix.lower() not in _CHARTS:
        raise UsageError(f"no chart is called `{chart.name}`", hint=f"end its name with {', '.join(_CHARTS)}")


def _show(
    found: Sequence[Simulated],
    prices_file: Path | None,
    top: int,
    chart: Path | None,
    format: Format,  # noqa: A002
    *,
    is_volume: bool,
) -> None:
    from kubewitness.app.policies.simulate import simulated_fields  # noqa: PLC0415
    from kubewitness.policy.prices import load_prices  # noqa: PLC0415

    prices = load_prices(prices_file)
    if chart is not None:
        _draw(found[0], top, chart)
    if format is Format.JSON:
        fields = [simulated_fields(item, prices, most=top) for item in found]
        sys.stdout.write(json.dumps(fields[0] if len(fields) == 1 else fields, indent=2) + "\n")
        return
    for item in found:
        _print(item, top, is_volume=is_volume)
    _print_costs(found, prices, is_volume=is_volume)


def _print(item: Simulated, top: int, *, is_volume: bool) -> None:
    from kubewitness.look.console import open_console  # noqa: PLC0415

    console = open_console()
    whole, seconds = item.whole, item.seconds
    if is_volume:
        console.print(f"{counted(whole.events, 'record')}, {_bytes(whole.bytes)}")
    else:
        console.print(
            f"{item.title}: keeps {whole.kept_events:,} of {counted(whole.events, 'record')} and"
            f" {_bytes(whole.kept_bytes)} of {_bytes(whole.bytes)} ({_percent(whole.kept_bytes, whole.bytes)})"
        )
    if seconds:
        days = 86_400 / seconds
        kept = "" if is_volume else f", kept {_bytes(whole.kept_bytes * days)} a day"
        note = f", reckoned from {seconds:,.0f} seconds" if seconds < _SHORT_S else ""
        console.print(f"{_bytes(whole.bytes * days)} a day{kept}{note}")
    if item.other or item.rejected:
        console.print(
            f"not counted: {counted(item.other, 'record')} of other categories, {item.rejected:,} not readable"
        )
    if item.more and not is_volume:
        console.print(f"for {counted(item.more, 'event')} the policy asks for more than the log holds")
    if not is_volume:
        rules = [(f"rule {share.name}" if share.name is not None else "no rule", share) for share in item.by_rule]
        _print_shares(console, "policy rule", rules, whole, is_volume=is_volume)
    for name, shares in item.by.items():
        rows = [(share.name or "(none)", share) for share in shares[:top]]
        _print_shares(console, name, rows, whole, is_volume=is_volume)


def _print_shares(
    console: object, title: str, rows: Sequence[tuple[str, Share]], whole: Share, *, is_volume: bool
) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from kubewitness.words.escape import visible  # noqa: PLC0415

    kept = () if is_volume else ("KEPT", "KEPT BYTES")
    table = Table(title.upper(), "RECORDS", "BYTES", "SHARE", *kept, box=None, pad_edge=False, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    table.columns[0].overflow = "ellipsis"
    table.columns[0].no_wrap = True
    table.columns[0].min_width = table.columns[0].max_width = 44
    for name, share in rows:
        more = () if is_volume else (f"{share.kept_events:,}", _bytes(share.kept_bytes))
        table.add_row(
            visible(name), f"{share.events:,}", _bytes(share.bytes), _percent(share.bytes, whole.bytes), *more
        )
    assert isinstance(console, Console)  # noqa: S101 - imported late
    console.print()
    console.print(table)


def _print_costs(found: Sequence[Simulated], prices: Prices, *, is_volume: bool) -> None:
    from kubewitness.app.policies.simulate import costs  # noqa: PLC0415

    columns = [(item.title, costs(item, prices)) for item in found]
    if not columns[0][1]:
        return
    sys.stdout.write(f"\na month at list prices of {prices.date} in {prices.currency} (--prices for your own):\n")
    for index, destination in enumerate(columns[0][1]):
        after = "" if is_volume else "".join(f"  {title} {rows[index]['after']:,.2f}" for title, rows in columns)
        sys.stdout.write(f"  {destination['title']}: {destination['before']:,.2f}{' ->' if after else ''}{after}\n")


def _draw(item: Simulated, top: int, path: Path) -> None:
    from kubewitness.alert.render.volume_chart import Bar, save_chart  # noqa: PLC0415

    bars = [
        Bar(name, share.name or "(none)", share.kept_bytes, share.bytes - share.kept_bytes)
        for name in _PANELS
        for share in item.by[name][:top]
    ]
    try:
        save_chart(f"Bytes of the log, {item.title}", bars, path)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror or error}", where=str(path)) from error


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":  # noqa: PLR2004 - units of ten
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    return ""


def _percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "0.0%"
