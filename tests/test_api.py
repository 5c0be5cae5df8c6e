"""Tests of what programs and notebooks use: `import kubewitness as kw`."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.app.asking.hunt_log import write_log

import kubewitness as kw
from kubewitness.app.lake.ingest import ingest
from kubewitness.app.scan import scan
from kubewitness.model.errors import UsageError
from kubewitness.query.questions import QuestionError

DEMO = Path(__file__).parents[1] / "examples" / "aks-attack"
COUNTS = "SELECT verb, count(*) AS n FROM events GROUP BY verb ORDER BY n DESC, verb"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 165 events."""
    file = tmp_path_factory.mktemp("api") / "audit.log"
    write_log(file)
    return file


@pytest.fixture(scope="module")
def log(path: Path) -> kw.Log:
    """The same, to be asked."""
    return kw.read(path)


def test_importing_the_package_imports_nothing_of_it() -> None:
    code = "import sys, kubewitness; print(*(m for m in sys.modules if m.startswith(('kubewitness.', 'duckdb'))))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""


def test_it_offers_what_it_says_and_nothing_else() -> None:
    assert {"Log", "Table", "open", "read"} <= set(dir(kw))
    with pytest.raises(AttributeError, match="no attribute 'write'"):
        kw.write  # noqa: B018 # type: ignore[attr-defined]


def test_events_are_filtered_and_filters_add_up(log: kw.Log) -> None:
    pods = log.filter("resource:pods")
    assert len(log) == 165
    assert len(pods.filter("verb:delete")) == len(log.filter("resource:pods verb:delete")) == 4
    assert len(log) == 165


def test_rows_have_python_values(log: kw.Log) -> None:
    (row,) = log.filter("action:exec user:bob*").rows("happened_at", "source_ips", "annotations", "code")
    assert row["happened_at"] == datetime(2026, 11, 17, 8, 0, 2, 800000)  # noqa: DTZ001 - UTC, without zone
    assert row["source_ips"] == ["10.20.0.6"]
    assert '"authorization.k8s.io/decision"' in row["annotations"]
    assert row["code"] == 101


def test_sql_reads_only_what_it_needs_and_takes_parameters(log: kw.Log) -> None:
    rows = log.sql("SELECT count(*) AS n FROM events WHERE verb = $verb", verb="delete").rows()
    assert rows == [{"n": len(log.filter("verb:delete"))}]
    assert log.sql(COUNTS).columns == ("verb", "n")
    assert [row["verb"] for row in log.sql(COUNTS)][:1] == ["get"]
    assert len(log.sql(COUNTS)) == len(log.sql(COUNTS).rows())


def test_what_cannot_be_asked_is_an_error_at_once(log: kw.Log) -> None:
    with pytest.raises(QuestionError, match="no event has a column `usr`"):
        log.sql("SELECT usr FROM events")
    with pytest.raises(QuestionError, match="only queries that read"):
        log.sql("COPY events TO 'x.csv'")
    with pytest.raises(QuestionError, match="no event has a column"):
        log.table('verb" FROM events; DROP TABLE events --')
    with pytest.raises(UsageError, match="no logs named"):
        kw.read()
    with pytest.raises(UsageError, match="is no time"):
        kw.read("a.log", since="yesterday")


def test_a_period_may_have_a_zone_or_be_text(path: Path) -> None:
    noon = datetime(2026, 11, 17, 12, tzinfo=UTC)
    assert len(kw.read(path, since=noon)) == len(kw.read(path, since="2026-11-17T12:00:00")) == 2
    assert len(kw.read(path, until="2026-11-17T13:00:00+01:00")) == 163


def test_a_store_is_asked_like_its_logs(path: Path, log: kw.Log, tmp_path: Path) -> None:
    ingest([str(path)], str(tmp_path / "lake"))
    store = kw.open(tmp_path / "lake")
    assert store.sql(COUNTS).rows() == log.sql(COUNTS).rows()
    assert store.table().rows() == log.table().rows()
    assert store.ledger.events == log.ledger.events
    assert [facet.field for facet in store.facets().facets] == [facet.field for facet in log.facets().facets]


def test_named_hunts_alerts_and_the_ledger_are_there(log: kw.Log) -> None:
    assert [row["actor"] for row in log.hunt("deprecated-apis")] == ["alice@contoso.com"]
    assert log.hunt("new-actors", hours=12).rows()[0]["actor"] == "carol@contoso.com"
    with pytest.raises(UsageError, match="did you mean"):
        log.hunt("new-actor")
    demo = kw.read(DEMO)
    assert [alert.rule_id for alert in demo.alerts()] == [alert.rule_id for alert in scan([str(DEMO)]).alerts]
    assert demo.ledger == scan([str(DEMO)]).ledger
    with pytest.raises(UsageError, match="whole logs"):
        log.filter("verb:get").alerts()


def test_secrets_are_as_the_log_had_them(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    write_log(file)
    file.write_text(file.read_text().replace("?command=ls", "?command=mysql&command=--password%3Dhunter22"))
    assert "hunter22" in str(kw.read(file).filter("action:exec").rows("exec_command"))


def test_arrow_is_read_by_whoever_knows_its_stream(log: kw.Log) -> None:
    core = pytest.importorskip("arro3.core")
    table = core.Table.from_arrow(log.table("happened_at", "verb", "source_ips"))
    assert (table.num_rows, table.column_names) == (165, ["happened_at", "verb", "source_ips"])


def test_data_frames_have_the_rows(log: kw.Log) -> None:
    table = log.sql(COUNTS)
    rows = table.rows()
    polars = pytest.importorskip("polars")
    assert table.polars().to_dicts() == rows
    assert table.polars().schema["n"] == polars.Int64
    pytest.importorskip("pandas")
    assert table.pandas().to_dict("records") == rows
    pytest.importorskip("pyarrow")
    assert table.arrow().to_pylist() == rows
    assert log.arrow("happened_at").schema.field("happened_at").type.tz is None


def test_a_library_that_is_missing_is_named(log: kw.Log, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("polars", "pandas", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    for make in (log.polars, log.pandas, log.arrow):
        with pytest.raises(UsageError, match="is not installed") as caught:
            make()
        assert "kubewitness[notebook]" in str(caught.value)


def test_a_notebook_shows_events_with_their_text_escaped(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    write_log(file)
    file.write_text(file.read_text().replace('"agent": "', "").replace("kubectl/v1.34.1", "<script>alert(1)</script>"))
    page = kw.read(file).filter("verb:get")._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "the first 20 of them" in page
    assert repr(kw.read("a.log").filter("verb:get")) == "<Log of a.log, filter 'verb:get'>"


def test_questions_in_any_order_keep_their_columns(path: Path) -> None:
    log = kw.read(path)
    first = log.table("verb")
    second = log.table("resource", "code")
    assert [*first.rows()[0]] == ["verb"]
    assert [*second.rows()[0]] == ["resource", "code"]
    assert [*log.sql("FROM events").rows()[0]][:3] == ["cluster", "source", "line"]
    assert [*first.rows()[0]] == ["verb"]
