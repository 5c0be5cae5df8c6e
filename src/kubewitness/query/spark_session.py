"""Sessions of Spark: the only place that imports PySpark, which is an extra."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubewitness.model.errors import KubewitnessError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # The condition of hundreds of rules is one expression, far beyond what a method of Java may hold.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.ansi.enabled": "true",
    # Bodies are long: thousands of them at once would not fit into a small executor.
    "spark.sql.parquet.columnarReaderBatchSize": "128",
}
MANY_TESTS = {"spark.sql.codegen.factoryMode": "NO_CODEGEN"}
"""Settings for hundreds of tests, of which an event meets few: to compile them all takes longer than to ask these."""
COMPILED = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
    "spark.sql.parquet.columnarReaderBatchSize": "4096",
}
"""Settings for a short question of all events that does not read bodies."""

_OWN_SETTINGS = {"spark.app.name": "kubewitness", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
_THIS_MACHINE = "127.0.0.1"


class SparkError(KubewitnessError):
    """Spark could not be reached, or refused."""


@contextmanager
def spark_session(master: str | None = None) -> Iterator[Any]:
    """A session of Spark: the one that is there, or one of its own, which is stopped in the end.

    Args:
        master: URL of the cluster; None for what the environment says, `local[*]` where it says nothing.

    Raises:
        UsageError: PySpark or Java is missing.
        SparkError: the cluster cannot be reached.
    """
    try:
        import pyspark  # noqa: PLC0415 - an extra
        from pyspark.errors import PySparkException  # noqa: PLC0415
        from pyspark.sql import SparkSession  # noqa: PLC0415
    except ImportError:
        raise UsageError("the engine `spark` needs PySpark", hint="pip install 'kubewitness[spark]'") from None
    running = SparkSession.getActiveSession()
    if running is None:
        _demand_java()
        _prepare(Path(pyspark.__file__).parent, master)
    builder = SparkSession.builder
    if running is None:
        for name, value in _OWN_SETTINGS.items():
            builder = builder.config(name, value)
        if master is not None:
            builder = builder.master(master)
            if master.startswith("local"):
                builder = builder.config("spark.driver.host", _THIS_MACHINE)
    try:
        session = builder.getOrCreate() if running is None else running.newSession()
    except (PySparkException, OSError, RuntimeError) as error:
        raise SparkError(_first_line(error), where=master or "spark", hint="see docs/scale.md") from error
    try:
        if running is None:
            session.sparkContext.setLogLevel("ERROR")
        for name, value in _SETTINGS.items():
            session.conf.set(name, value)
        with _told(PySparkException):
            yield session
    finally:
        if running is None:
            session.stop()


@contextmanager
def settings_of(session: Any, settings: Mapping[str, str]) -> Iterator[None]:
    """Settings of a session as long as the context lasts."""
    before = {name: session.conf.get(name) for name in settings}
    for name, value in settings.items():
        session.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            session.conf.set(name, value)


def _demand_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (home and Path(home, "bin", "java").exists())):
        raise UsageError("the engine `spark` needs Java", hint="install Java 17 or 21, or set JAVA_HOME")


def _prepare(package: Path, master: str | None) -> None:
    """What processes of a cluster on this machine need to find themselves."""
    os.environ.setdefault("SPARK_HOME", str(package))
    if master is not None and master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", _THIS_MACHINE)


@contextmanager
def _told(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except kind as error:
        raise SparkError(_first_line(error), where="spark") from error


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
