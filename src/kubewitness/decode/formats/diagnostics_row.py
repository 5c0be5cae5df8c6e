"""Rows of the Log Analytics table AzureDiagnostics: the event is text in `log_s`, cut at 32,766 bytes.

Source: Azure Monitor, AzureDiagnostics; AKS monitoring documentation. Column names are compared without case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubewitness.decode.columns import Columns
from kubewitness.decode.outcome import Other, Rejected
from kubewitness.decode.record import Inner, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubewitness.decode.outcome import Outcome

CUT_TEXTS = frozenset({("log_s",), ("Log_s",), ("LOG_S",)})


def unwrap(record: Record) -> Iterable[Outcome | Inner] | None:
    """Claim objects with a column `log_s`, and other rows of AzureDiagnostics."""
    columns = Columns(record.fields)
    if "log_s" not in columns and (columns.string("type") or "").lower() != "azurediagnostics":
        return None
    category = columns.string("category")
    if category is not None and not category.lower().startswith("kube-audit"):
        return (Other(record.line, category),)
    log = columns.raw("log_s")
    if log is None:
        where = f"{record.problem}, before" if record.is_cut and record.problem else "without"
        return (Rejected(record.line, f"an AzureDiagnostics row of {category or 'no category'} {where} log_s"),)
    text = columns.string("log_s")
    return (Inner(log if text is None else text.encode(), columns.envelope(record)),)
