"""The user's own cache folder: what is in it is read again, and may be executed, or be what logs say."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path | None:
    """The folder; None where the user has no home, as in some containers.

    Never one that others can write to, who could then choose the SQL that is run.
    """
    if home := os.environ.get("XDG_CACHE_HOME"):
        return Path(home) / "kubewitness"
    try:
        return Path.home() / ".cache" / "kubewitness"
    except RuntimeError:
        return None
