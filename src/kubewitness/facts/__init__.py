"""Columns derived from one event, as SQL in the engine: each file of `sql/` is one floor above the one before."""

from __future__ import annotations

from importlib.resources import files

# Each reads from the one before it; the last one is the events table.
FLOORS = ("requests", "authorizations", "objects", "events")


def macros() -> str:
    """SQL that defines the functions `kw_*`; run it once per connection."""
    return _read("macros")


def floors() -> tuple[tuple[str, str], ...]:
    """Name and query of each floor, lowest first; the lowest reads from `decoded`."""
    return tuple((name, _read(name)) for name in FLOORS)


def _read(name: str) -> str:
    return files(__name__).joinpath("sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")


LATE = {
    "source_network": "kw_network(source_ip)",
    "request_path": "kw_path(request_uri)",
    "authorized_binding": "kw_authorized_binding(kw_reason(annotations))",
    "authorized_role": "kw_authorized_role(kw_reason(annotations))",
    "authorized_by": "kw_authorized_by(kw_reason(annotations), allowed, coalesce(impersonated_groups, groups))",
}
"""Facts that cost much on every event: the same values as the columns, to be computed for the few events kept."""
