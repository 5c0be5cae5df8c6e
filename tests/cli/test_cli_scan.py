"""`kubewitness scan`, as people call it: exit codes, formats, and what goes where."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest

from kubewitness.cli import main

# These tests go through the entry point, which reads the words from sys.argv as in a terminal.
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")

COMMAND = Path(sys.executable).with_name("kubewitness")
RULE = """
title: Secret read
name: secret-read
logsource: {product: kubernetes, service: audit}
detection:
  read: {verb: get, objectRef.resource: secrets}
  condition: read
level: high
catalogue: [E01]
tags: [attack.t1552.007]
"""
READ = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "auditID": "a-1",
    "stage": "ResponseComplete",
    "verb": "get",
    "requestURI": "/api/v1/namespaces/shop/secrets/db",
    "user": {"username": "eve"},
    "sourceIPs": ["203.0.113.7"],
    "userAgent": "curl/8.5",
    "objectRef": {"resource": "secrets", "namespace": "shop", "name": "db"},
    "responseStatus": {"code": 200},
    "requestReceivedTimestamp": "2026-11-17T08:00:00.000000Z",
}
LIST = READ | {"auditID": "a-2", "verb": "list", "requestReceivedTimestamp": "2026-11-17T09:30:00.000000Z"}
GARBAGE = "this is no record\n"


class Scan(Protocol):
    """Run `kubewitness scan` with the rule above alone; gives exit code, stdout and stderr."""

    def __call__(self, *words: str | Path, builtin: bool = False) -> tuple[int, str, str]: ...


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "audit.log"
    file.write_text("".join(json.dumps(event) + "\n" for event in (READ, LIST)), encoding="utf-8")
    return file


@pytest.fixture
def dirty(log: Path) -> Path:
    file = log.with_name("dirty.log")
    file.write_text(log.read_text(encoding="utf-8") + GARBAGE, encoding="utf-8")
    return file


@pytest.fixture
def scan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Scan:
    rule = tmp_path / "rules" / "secret-read.yml"
    rule.parent.mkdir()
    rule.write_text(RULE, encoding="utf-8")

    def run(*words: str | Path, builtin: bool = False) -> tuple[int, str, str]:
        own: list[str | Path] = [] if builtin else ["--rules", rule.parent, "--no-builtin-rules"]
        monkeypatch.setattr("sys.argv", ["kubewitness", "scan", *map(str, (*words, *own))])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


# Exit codes.


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("audit.log",), 0),
        (("audit.log", "--fail-on", "critical"), 0),
        (("audit.log", "--fail-on", "high"), 1),
        (("audit.log", "--fail-on", "low"), 1),
        (("audit.log", "--fail-on", "low", "--until", "2026-11-17T07:00:00Z"), 0),
        (("audit.log", "--strict"), 0),
        (("dirty.log",), 0),
        (("dirty.log", "--strict"), 1),
        (("audit.log", "missing.log"), 0),
        (("audit.log", "missing.log", "--strict"), 1),
        (("missing.log",), 2),
        (("empty",), 2),
        ((), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_the_exit_code_says_how_it_went(
    words: tuple[str, ...], code: int, scan: Scan, dirty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dirty.parent / "empty").mkdir()
    monkeypatch.chdir(dirty.parent)
    assert scan(*words)[0] == code


WRONG = [
    (("--nope", "x"), "--nope", "--help"),
    (("x", "--format", "yaml"), "yaml", "--help"),
    (("x", "--min-severity", "awful"), "awful", "--help"),
    (("x", "--fail-on"), "--fail-on", "--help"),
    (("x", "--since", "yesterday"), "yesterday", "2026-11-17T08:00:00Z"),
    (("x", "--rules", "nowhere"), "nowhere", ""),
    ((), "no logs named", "standard input"),
]


@pytest.mark.parametrize(("words", "message", "hint"), WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_wrong_usage_is_explained_without_a_traceback(
    words: tuple[str, ...], message: str, hint: str, scan: Scan
) -> None:
    code, out, err = scan(*words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert hint in err
    assert "Traceback" not in err


def test_an_output_that_cannot_be_written_is_explained(scan: Scan, log: Path) -> None:
    code, out, err = scan(log, "-o", log.parent / "nowhere" / "report.html")
    assert (code, out) == (2, "")
    assert "report.html" in err


def test_a_rule_that_cannot_be_loaded_is_explained(scan: Scan, log: Path) -> None:
    wrong = log.with_name("wrong.yml")
    wrong.write_text(RULE.replace("objectRef.resource", "objectRef.resorce"), encoding="utf-8")
    code, out, err = scan(log, "--rules", wrong)
    assert (code, out) == (2, "")
    assert "wrong.yml" in err
    assert "did you mean `objectRef.resource`?" in err


# Formats.


def test_json_is_one_object(scan: Scan, dirty: Path) -> None:
    code, out, _ = scan(dirty, "--format", "json")
    report = json.loads(out)
    assert code == 0
    assert set(report) == {"summary", "ledger", "alerts"}
    ledger = report["ledger"]
    counts = {name: ledger[name] for name in ("read", "events", "partial", "duplicates", "other", "rejected")}
    assert counts == {"read": 3, "events": 2, "partial": 0, "duplicates": 0, "other": 0, "rejected": 1}
    assert ledger["first_rejected"]["origin"] == f"{dirty}:3"
    assert ledger["first_rejected"]["reason"]
    (alert,) = report["alerts"]
    assert (alert["rule_id"], alert["severity"], alert["actor"], alert["count"]) == (
        "secret-read",
        "high",
        "eve",
        1,
    )
    assert (alert["catalogue"], alert["techniques"], alert["cluster"]) == (["E01"], ["T1552.007"], None)
    assert (alert["first_at"], alert["last_at"]) == ("2026-11-17T08:00:00.000000Z",) * 2
    assert (alert["source_ips"], alert["user_agents"], alert["object"]) == (
        ["203.0.113.7"],
        ["curl/8.5"],
        "secrets/shop/db",
    )
    assert alert["events"] == [
        {
            "audit_id": "a-1",
            "stage": "ResponseComplete",
            "source": str(dirty),
            "line": 1,
            "at": "2026-11-17T08:00:00.000000Z",
        }
    ]
    assert "eve" in alert["explanation"]


MATCH = {
    "rule_id": "secret-read",
    "catalogue": ["E01"],
    "severity": "high",
    "audit_id": "a-1",
    "stage": "ResponseComplete",
    "line": 1,
    "at": "2026-11-17T08:00:00.000000Z",
    "actor": "eve",
}


def test_matches_stand_beside_the_alerts_in_json(scan: Scan, log: Path) -> None:
    _, out, _ = scan(log, "--format", "json", "--matches")
    report = json.loads(out)
    assert report["matches"] == [MATCH | {"source": str(log)}]
    assert len(report["alerts"]) == 1


def test_matches_are_lines_in_ndjson(scan: Scan, log: Path) -> None:
    _, out, _ = scan(log, "--format", "ndjson", "--matches")
    assert [json.loads(line) for line in out.splitlines()] == [MATCH | {"source": str(log)}]


def test_ndjson_is_one_alert_a_line(scan: Scan, log: Path) -> None:
    _, out, _ = scan(log, "--format", "ndjson")
    assert [json.loads(line)["rule_id"] for line in out.splitlines()] == ["secret-read"]


def test_csv_has_a_head_and_one_alert_a_row(scan: Scan, log: Path) -> None:
    _, out, _ = scan(log, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert row["rule_id"] == "secret-read"


def test_html_is_one_page_that_loads_nothing(scan: Scan, log: Path) -> None:
    page = log.with_name("report.html")
    code, out, err = scan(log, "--format", "html", "-o", page)
    assert (code, out) == (0, "")
    assert "1 alert written to" in err
    text = page.read_text(encoding="utf-8")
    assert "eve" in text
    assert all(f'{attribute}="http' not in text for attribute in ("src", "href"))


def test_the_table_fits_a_terminal(scan: Scan, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    code, out, err = scan(log)
    assert (code, err) == (0, "")
    assert "eve" in out
    assert "\x1b[" not in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("format_", ["json", "ndjson", "csv"])
def test_no_alert_is_no_error(format_: str, scan: Scan, log: Path) -> None:
    code, out, _ = scan(log, "--format", format_, "--min-severity", "critical")
    assert code == 0
    assert "secret-read" not in out


def test_what_could_not_be_opened_is_said_on_standard_error(scan: Scan, log: Path) -> None:
    missing = log.with_name("missing.log")
    _, out, err = scan(log, missing, "--format", "json")
    assert json.loads(out)["ledger"]["unreadable"][0]["origin"] == str(missing)
    assert err.startswith(f"warning: {missing}")
    assert scan(log, missing, "--format", "json", "--quiet")[2] == ""


# What is looked at.


def test_a_named_cluster_is_the_alert_s(scan: Scan, log: Path) -> None:
    _, out, _ = scan(log, "--format", "json", "--cluster", "prod")
    report = json.loads(out)
    assert (report["summary"]["clusters"], report["alerts"][0]["cluster"]) == (["prod"], "prod")


@pytest.mark.parametrize(
    ("words", "alerts"),
    [
        (("--since", "2026-11-17T08:00:00Z"), 1),
        (("--since", "2026-11-17T10:00:00+02:00"), 1),
        (("--since", "2026-11-17T08:00:01"), 0),
        (("--since", "2026-11-18"), 0),
        (("--until", "2026-11-17T08:00:00Z"), 0),
        (("--until", "2026-11-18"), 1),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(words: tuple[str, ...], alerts: int, scan: Scan, log: Path) -> None:
    assert json.loads(scan(log, "--format", "json", *words)[1])["summary"]["alerts"] == alerts


def test_builtin_rules_run_unless_told_otherwise(scan: Scan, log: Path) -> None:
    with_them = json.loads(scan(log, "--format", "json", builtin=True)[1])["summary"]
    without = json.loads(scan(log, "--format", "json")[1])["summary"]
    assert with_them["rules"] > 30
    assert without["rules"] == 1


# In a terminal of its own.


EXCEPTION = """
- id: known
  rule: secret-read
  match: {{actor: alice, verb: get, objectRef.resource: secrets}}
  reason: r
  owner: o
  expires: {}
"""


@pytest.mark.parametrize("format_", ["ndjson", "csv"])
def test_formats_without_a_summary_say_on_standard_error_what_exceptions_took_out(
    format_: str, scan: Scan, tmp_path: Path
) -> None:
    log = tmp_path / "one.log"
    reading = {"verb": "get", "objectRef": {"resource": "secrets", "name": "x"}, "user": {"username": "alice"}}
    log.write_text(json.dumps(reading | {"requestURI": "/api/v1/secrets/x", "responseStatus": {"code": 200}}))
    exceptions = tmp_path / "exceptions.yml"
    exceptions.write_text(EXCEPTION.format("2099-01-01"))
    _, out, err = scan(log, "--format", format_, "--exceptions", exceptions)
    assert "secret-read" not in out
    assert "taken out by exceptions: 1" in err
    assert "own work" not in err


def test_what_platforms_do_is_not_told_as_somebodys_exceptions(scan: Scan) -> None:
    _, _, err = scan(Path(__file__).parents[2] / "examples" / "aks-attack", "--format", "ndjson", builtin=True)
    assert "taken out as the platform's own work: " in err
    assert "exceptions" not in err


def test_an_expired_exception_is_a_warning_on_standard_error(scan: Scan, log: Path, tmp_path: Path) -> None:
    exceptions = tmp_path / "exceptions.yml"
    exceptions.write_text(EXCEPTION.format("2020-01-01"))
    _, out, err = scan(log, "--exceptions", exceptions)
    assert "known (o) expired on 2020-01-01" in out
    assert "expired on 2020-01-01" in err


def test_an_exception_that_cannot_be_used_ends_the_scan(scan: Scan, log: Path, tmp_path: Path) -> None:
    exceptions = tmp_path / "exceptions.yml"
    exceptions.write_text("- {rule: secret-read, match: {actor: alice}, reason: r, owner: o, expires: 2099-01-01}")
    code, out, err = scan(log, "--exceptions", exceptions)
    assert (code, out) == (2, "")
    assert f"{exceptions}:1: it names no behaviour" in err
    assert "hint:" in err


def test_a_platform_can_be_given(scan: Scan, log: Path) -> None:
    _, out, _ = scan(log, "--platform", "eks", "--format", "json")
    assert {each["platform"] for each in json.loads(out)["summary"]["platforms"]} == {"eks"}


def run_command(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *words], capture_output=True, text=True, check=False, **options)


def test_standard_input_is_read(log: Path) -> None:
    done = run_command("scan", "-", "--format", "json", input=log.read_text(encoding="utf-8"))
    report = json.loads(done.stdout)
    assert (done.returncode, report["ledger"]["events"]) == (0, 2)
    assert {event["source"] for alert in report["alerts"] for event in alert["events"]} <= {"-"}


def test_help_imports_nothing_heavy() -> None:
    heavy = ("duckdb", "sqlglot", "sigma", "altair", "vl_convert", "jinja2", "yaml", "kubewitness.app.scan")
    program = (
        "import sys\nfrom kubewitness.cli import main\n"
        "sys.argv = ['kubewitness', *sys.argv[1:]]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, "--help"], capture_output=True, text=True, check=True)
    assert "scan" in done.stdout
    assert done.stderr.strip() == "[]"


def test_help_of_scan_shows_examples() -> None:
    done = run_command("scan", "--help")
    assert done.returncode == 0
    assert "kubewitness scan audit.log" in done.stdout
    assert "kubewitness scan - --format json" in done.stdout


def test_the_version_is_told() -> None:
    done = run_command("--version")
    assert (done.returncode, done.stdout.strip().count(".")) == (0, 2)
