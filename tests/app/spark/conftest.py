"""A Spark cluster of two worker processes on this machine, for one module of tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.lake.ingest import ingest
from kubewitness.query.spark_session import spark_session

if TYPE_CHECKING:
    from collections.abc import Iterator

CLUSTER = "local-cluster[2,1,1024]"
ATTACK = Path(__file__).parents[3] / "examples" / "aks-attack"


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A session, which all use cases find running."""
    pytest.importorskip("pyspark", reason="needs the extra `spark`")
    if shutil.which("java") is None:
        pytest.skip("needs Java")
    with spark_session(CLUSTER) as session:
        yield session


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with an attack on a cluster."""
    folder = str(tmp_path_factory.mktemp("store") / "lake")
    ingest([str(ATTACK)], folder)
    return folder
