"""Where the user's own cache is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kubewitness.sources.user_cache import user_cache

if TYPE_CHECKING:
    import pytest


def test_it_is_in_the_folder_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache() == tmp_path / "kubewitness"


def test_it_is_in_the_home_of_a_user_and_nowhere_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert user_cache() == tmp_path / ".cache" / "kubewitness"

    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    assert user_cache() is None
