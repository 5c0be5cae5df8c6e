"""Data files in the place of others: written aside, then committed, unless somebody else was first."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.app.lake.writing import drop_files
from kubewitness.facts import macros
from kubewitness.query.engine import Engine
from kubewitness.store.lake import Change, ConflictError
from kubewitness.store.table import SORTED_BY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kubewitness.store.files import DataFile
    from kubewitness.store.lake import Lake
    from kubewitness.store.places import Place

_TRIES = 20

SORTED = ", ".join(SORTED_BY)
"""What events that have their facts are sorted by, as SQL."""


@contextmanager
def small_engine() -> Iterator[tuple[Engine, Path]]:
    """An engine with the macros, and its folder for temporary files."""
    with tempfile.TemporaryDirectory(prefix="kubewitness-") as name:
        engine = Engine(Path(name))
        try:
            engine.run(macros())
            yield engine, Path(name)
        finally:
            engine.close()


def replace_files(
    lake: Lake,
    place: Place,
    old: Sequence[DataFile],
    new: Sequence[DataFile],
    details: Mapping[str, Any],
    *,
    is_same_data: bool = False,
) -> bool:
    """Let files count instead of others, and say whether they do: not when others have replaced these meanwhile.

    Args:
        lake: of the store.
        place: of the store.
        old: data files that no longer count.
        new: data files that have been written; they are deleted when they do not come to count.
        details: what the commit remembers.
        is_same_data: whether no event comes, goes or changes.

    Raises:
        StoreError: it cannot be written.
    """
    change = Change(new, old, details=details, is_same_data=is_same_data)
    paths = {each.path for each in old}
    try:
        for _ in range(_TRIES):
            if not paths <= {each.path for each in lake.files()}:
                break
            try:
                lake.commit(change)
            except ConflictError:
                lake.refresh()
            else:
                return True
    except BaseException:
        drop_files(new, place)
        raise
    drop_files(new, place)
    return False
