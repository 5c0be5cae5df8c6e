"""A scan of a store by Spark comes to the same alerts as one by the engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.app.lake.ingest import ingest
from kubewitness.app.plans import load_rules, plan_rules
from kubewitness.app.scan import ScanOptions, scan
from kubewitness.app.spark.scanning import scan_on_spark

if TYPE_CHECKING:
    from kubewitness.model.alert import Report

LOG = Path(__file__).parents[2] / "fixtures" / "cluster" / "cluster.ndjson.zst"


def by_both(options: ScanOptions) -> tuple[Report, Report]:
    plan = plan_rules()
    return scan((), plan, options), scan_on_spark(load_rules(), plan, options)


def assert_same(one: Report, other: Report) -> None:
    assert other.alerts == one.alerts
    assert replace(other, duration_s=0) == replace(one, duration_s=0)


@pytest.mark.usefixtures("spark")
def test_spark_comes_to_the_same_alerts(store: str) -> None:
    one, other = by_both(ScanOptions(store=store, matches=True))
    assert one.alerts
    assert_same(one, other)


@pytest.mark.usefixtures("spark")
def test_spark_comes_to_the_same_alerts_on_a_real_log(tmp_path: Path) -> None:
    store = str(tmp_path / "lake")
    ingest([str(LOG)], store)
    one, other = by_both(ScanOptions(store=store))
    assert len(one.alerts) > 100
    assert_same(one, other)


def test_a_store_without_spark_is_asked_for_clearly(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyspark", None)
    with pytest.raises(Exception, match="needs PySpark") as raised:
        scan_on_spark(load_rules(), plan_rules(), ScanOptions(store=store))
    assert "pip install" in str(raised.value)


def test_a_machine_without_java_is_told_so(store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="needs the extra `spark`")
    from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra

    def nobody() -> Any:
        return None

    monkeypatch.setattr(SparkSession, "getActiveSession", nobody)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(Exception, match="needs Java"):
        scan_on_spark(load_rules(), plan_rules(), ScanOptions(store=store))
