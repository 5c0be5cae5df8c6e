"""Every format: snapshots of what people and machines read, and hostile text that must stay harmless."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.alert.build import build_alert
from kubewitness.alert.render import FORMATS
from kubewitness.alert.render.chart import bins, draw
from kubewitness.alert.render.comma_separated import COLUMNS
from kubewitness.alert.render.page import MOST_EVENTS
from kubewitness.cli.scan import Format
from kubewitness.model.ledger import Ledger
from kubewitness.words.escape import visible
from kubewitness.words.plain import rfc3339, to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubewitness.model.alert import AlertEvent, Report
    from kubewitness.model.rule import RuleInfo

SNAPSHOTS = Path(__file__).parent / "snapshots"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")  # all controls but the newline, and direction marks


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def rendered(report: Report, name: str) -> str:
    out = io.StringIO()
    FORMATS[name](report, out)
    return out.getvalue()


@pytest.fixture
def nothing(report: Report) -> Report:
    return dataclasses.replace(report, alerts=(), matches=(), remarks=(), ledger=Ledger(read=7, events=7))


@pytest.mark.parametrize(
    ("name", "file"),
    [("table", "table.txt"), ("json", "report.json"), ("csv", "alerts.csv")],
)
def test_a_report_reads_as_in_its_snapshot(report: Report, name: str, file: str) -> None:
    assert rendered(report, name) == (SNAPSHOTS / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["table", "json", "ndjson", "csv", "html", "sarif", "ocsf"])
def test_no_control_character_of_the_log_gets_out(report: Report, name: str) -> None:
    assert RAW.search(rendered(report, name)) is None


@pytest.mark.parametrize("name", ["table", "json", "ndjson", "csv", "html", "sarif", "ocsf"])
def test_a_report_without_alerts_is_still_a_report(nothing: Report, name: str) -> None:
    text = rendered(nothing, name)
    if name in {"table", "html"}:
        assert "No alerts: 41 rules found nothing to report in 7 events." in text
    if name in {"ndjson", "ocsf"}:
        assert text == ""


def test_nothing_read_is_not_called_good_news(nothing: Report) -> None:
    empty = dataclasses.replace(nothing, ledger=Ledger(), first_at=None, last_at=None, clusters=())
    for name in ("table", "html"):
        assert "no audit event was found" in rendered(empty, name)


def test_json_follows_the_contract(report: Report) -> None:
    answer = json.loads(rendered(report, "json"))
    assert set(answer) == {"summary", "ledger", "alerts", "matches"}
    ledger = answer["ledger"]
    assert ledger["read"] == sum(ledger[key] for key in ("events", "partial", "duplicates", "other", "rejected"))
    assert set(ledger["first_rejected"]) == {"reason", "origin"}
    promised = (
        "rule_id title severity catalogue techniques cluster actor source_ips user_agents object "
        "first_at last_at count events explanation"
    )
    for alert in answer["alerts"]:
        assert set(promised.split()) <= set(alert)
        assert all(set(event) == {"audit_id", "stage", "source", "line", "at"} for event in alert["events"])
    assert answer["alerts"][0]["first_at"] == "2026-11-17T09:26:40.000000Z"
    match = "rule_id catalogue severity audit_id stage source line at actor"
    assert [set(each) for each in answer["matches"]] == [set(match.split())]


def test_json_without_matches_has_no_list_of_them(report: Report) -> None:
    answer = json.loads(rendered(dataclasses.replace(report, matches=()), "json"))
    assert set(answer) == {"summary", "ledger", "alerts"}


def test_lines_are_matches_when_there_are_matches_else_alerts(report: Report) -> None:
    matches = [json.loads(line) for line in rendered(report, "ndjson").splitlines()]
    assert [match["audit_id"] for match in matches] == ["00000000-0000-4000-8000-000000000001"]
    alerts = [json.loads(line) for line in rendered(dataclasses.replace(report, matches=()), "ndjson").splitlines()]
    assert [alert["rule_id"] for alert in alerts] == [alert.rule_id for alert in report.alerts]


def test_csv_cells_are_no_formulas(report: Report, rule_of: Callable[..., RuleInfo]) -> None:
    starts = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\uff1d1", "|calc", '"=1')
    alerts = tuple(dataclasses.replace(build_alert(rule_of("acted"), [], count=1), actor=start) for start in starts)
    rows = list(csv.DictReader(io.StringIO(rendered(dataclasses.replace(report, alerts=alerts), "csv"))))
    assert tuple(rows[0]) == COLUMNS
    assert all(row["actor"].startswith(("'", "\\")) for row in rows)
    ordinary = next(csv.DictReader(io.StringIO(rendered(report, "csv"))))
    assert ordinary["actor"] == "system:serviceaccount:shop:ci"


@pytest.mark.parametrize("columns", ["30", "100", "300"])
def test_a_table_fits_its_columns(report: Report, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert max(map(len, rendered(report, "table").splitlines())) <= 100
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    FORMATS["table"](report, out)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert max(map(len, lines)) <= max(min(int(columns), 100), 36)


def test_a_table_has_colours_on_a_terminal_only_and_heeds_no_color(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b" not in rendered(report, "table")
    coloured = Terminal()
    FORMATS["table"](report, coloured)
    assert "\x1b[1;37;41mcritical" in coloured.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    FORMATS["table"](report, plain)
    assert re.search(r"\x1b\[[0-9;]*3[0-7]", plain.getvalue()) is None


class Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[str] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        values = dict(attrs)
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script":
            self.scripts.append(data)


def test_a_page_runs_no_script_but_its_own(report: Report, hostile: str) -> None:
    text = rendered(report, "html")
    assert "<script>alert(1)" in hostile
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    page = Page(text)
    assert page.tags.count("script") == 1
    script = text.partition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.policy
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_a_page_loads_nothing(report: Report) -> None:
    page = Page(rendered(report, "html"))
    loading = {"src", "href", "xlink:href", "action", "poster", "data", "srcset", "background"}
    assert [(name, value) for name, value in page.attributes if name in loading and not value.startswith("#")] == []
    assert not {"link", "iframe", "img", "object", "embed", "base", "form"} & set(page.tags)
    assert "@import" not in rendered(report, "html")
    assert "default-src 'none'" in page.policy


def test_hostile_text_stays_text_wherever_it_stands(
    report: Report, rule_of: Callable[..., RuleInfo], event_of: Callable[..., AlertEvent]
) -> None:
    hostile = '"><img src=x onerror=alert(1)>{{ 7*7 }}</script><!--'
    details: dict[str, Any] = dict.fromkeys(("cluster", "username", "actor", "namespace", "name", "verb"), hostile)
    details |= {"resource": hostile, "source_ip": hostile, "user_agent": hostile, "request_object": hostile}
    event = dataclasses.replace(event_of(1, details), audit_id=hostile, source=hostile, stage=hostile)
    alert = build_alert(rule_of(None, rule_id=hostile, title=hostile), [event], count=1)
    text = rendered(dataclasses.replace(report, alerts=(alert,), clusters=(hostile,), remarks=(hostile,)), "html")
    assert "<img" not in text
    assert "{{ 7*7 }}" in text
    assert Page(text).tags.count("script") == 1


@pytest.mark.parametrize(
    ("count", "shown"), [(99_999, " 99,999 "), (666_666, " 666 k "), (999_999, " 999 k "), (2_500_000, " 2.5 M ")]
)
def test_a_large_count_has_room_beside_a_long_name(report: Report, count: int, shown: str) -> None:
    alert = dataclasses.replace(
        report.alerts[0], count=count, actor="system:serviceaccount:a-long-namespace:a-long-name"
    )
    table = rendered(dataclasses.replace(report, alerts=(alert,)), "table")
    assert shown in next(line for line in table.splitlines() if "a-long-name" in line)


def test_a_page_says_how_many_events_it_leaves_out(
    report: Report,
    rule_of: Callable[..., RuleInfo],
    event_of: Callable[..., AlertEvent],
    shell: dict[str, Any],
) -> None:
    long = shell | {"exec_command": "x" * 5_000}
    alert = build_alert(rule_of(None), [event_of(n, long) for n in range(1, MOST_EVENTS + 13)], count=62)
    text = rendered(dataclasses.replace(report, alerts=(alert,)), "html")
    assert "12 more events are not shown here." in text
    assert text.count("<em>(cut here)</em>") == MOST_EVENTS


def test_a_page_of_many_alerts_stays_small(report: Report) -> None:
    many = dataclasses.replace(report, alerts=report.alerts * 100)
    assert len(rendered(many, "html")) < 2_500_000


def test_the_chart_stacks_events_and_holds_no_text_of_the_log(report: Report, hostile: str) -> None:
    rows = bins(report.alerts)
    assert sum(int(row["high"]) - int(row["low"]) for row in rows) == sum(alert.size for alert in report.alerts)
    drawing = draw(report.alerts)
    assert drawing is not None
    assert "var(--critical)" in drawing
    assert hostile[:8] not in drawing
    assert "<script" not in drawing


def test_there_is_no_chart_without_times(rule_of: Callable[..., RuleInfo], event_of: Callable[..., AlertEvent]) -> None:
    event = dataclasses.replace(event_of(1, {}), at=None)
    assert draw([build_alert(rule_of(None), [event], count=1)]) is None
    assert draw([]) is None


def test_bars_have_round_widths_over_any_span(
    rule_of: Callable[..., RuleInfo], event_of: Callable[..., AlertEvent]
) -> None:
    start = event_of(0, {}).at
    assert start is not None
    for span in (timedelta(0), timedelta(minutes=90), timedelta(days=3), timedelta(days=4_000)):
        events = [dataclasses.replace(event_of(n, {}), at=start + span * n) for n in range(2)]
        rows = bins([build_alert(rule_of(None), events, count=2)])
        assert 1 <= len(rows) <= 2
        assert str(rows[0]["start"]) <= (rfc3339(start) or "") < str(rows[0]["end"])


def test_times_are_rfc_3339_in_utc() -> None:
    naive = datetime(2026, 11, 17, 8, 40, 0, 5)  # noqa: DTZ001 - as the events table gives them
    assert rfc3339(naive) == "2026-11-17T08:40:00.000005Z"
    assert rfc3339(naive.replace(tzinfo=UTC)) == "2026-11-17T08:40:00.000005Z"
    assert rfc3339(naive.replace(tzinfo=timezone(timedelta(hours=1)))) == "2026-11-17T07:40:00.000005Z"
    assert rfc3339(None) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Ünïcode", "plain Ünïcode"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\x00", "a\\x0ab\\x09c\\x00"),
        ("\x9b2J\x7f", "\\x9b2J\\x7f"),
        ("\u202egpj", "\\u202egpj"),
        ("\ud800", "\\ud800"),
    ],
)
def test_invisible_characters_become_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_printed_json_is_safe_for_a_terminal_and_still_the_same_value() -> None:
    value = {"a": "\x1b\x9b\x7f\u202e\ud800 ü"}
    assert json.loads(to_json(value)) == value
    assert RAW.search(to_json(value)) is None


@pytest.mark.parametrize("name", ["json", "ndjson", "csv"])
def test_formats_for_machines_do_not_import_what_only_people_need(name: str) -> None:
    code = (
        "import sys; from kubewitness.alert import build, redact;"
        "from kubewitness.alert.render import FORMATS;"
        "from kubewitness.model.alert import Report; from kubewitness.model.ledger import Ledger;"
        f"FORMATS[{name!r}](Report(Ledger(), (), (), (), None, None, 0, (), 0.0), sys.stdout);"
        "print(*{'rich', 'altair', 'jinja2', 'vl_convert'} & set(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == ""


def test_formats_are_those_of_the_command_line() -> None:
    assert list(FORMATS) == [each.value for each in Format]
