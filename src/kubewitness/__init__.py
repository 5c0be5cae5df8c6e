"""kubewitness: asks Kubernetes audit logs who did what, whether it was allowed, and what they could not see.

    import kubewitness as kw

    log = kw.read("audit.log")
    log.filter("verb:delete").table("happened_at", "actor", "object_name").polars()

What it offers to programs is in `kubewitness.api`, and imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubewitness.api import Log, Table, read
    from kubewitness.api import open_store as open  # noqa: A004 - `kw.open(store)`

__all__ = ["Log", "Table", "open", "read"]
__version__ = "0.1.0"

_OFFERED = {"Log": "Log", "Table": "Table", "open": "open_store", "read": "read"}


def __getattr__(name: str) -> Any:
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from kubewitness import api  # noqa: PLC0415 - the command must come quickly

    return getattr(api, _OFFERED[name])


def __dir__() -> list[str]:
    return sorted((*globals(), *_OFFERED))
