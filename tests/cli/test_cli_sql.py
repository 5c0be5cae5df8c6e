"""`kubewitness sql` as people run it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

PLAIN = str(Path(__file__).parents[1] / "fixtures" / "shapes" / "plain.ndjson")
COMMAND = str(Path(sys.executable).with_name("kubewitness"))
VERBS = "SELECT verb, count(*) AS n, min(happened_at) AS first FROM events GROUP BY verb ORDER BY n DESC, verb"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, "sql", *words], capture_output=True, text=True, check=False)


def test_every_format_gives_the_same_rows() -> None:
    rows = json.loads(run(VERBS, PLAIN, "--format", "json").stdout)
    assert [*rows[0]] == ["verb", "n", "first"]
    assert sum(row["n"] for row in rows) > 1
    assert [json.loads(line) for line in run(VERBS, PLAIN, "-f", "ndjson").stdout.splitlines()] == rows
    cells = list(csv.reader(run(VERBS, PLAIN, "-f", "csv").stdout.splitlines()))
    assert cells == [["verb", "n", "first"], *([row["verb"], str(row["n"]), row["first"]] for row in rows)]
    table = run(VERBS, PLAIN).stdout.splitlines()
    assert [line.split()[:2] for line in table[1:]] == [[row["verb"], str(row["n"])] for row in rows]


def test_no_rows_are_an_empty_list() -> None:
    sql = "SELECT verb FROM events WHERE verb = 'nothing'"
    assert run(sql, PLAIN, "--format", "json").stdout == "[]\n"
    assert run(sql, PLAIN, "--format", "ndjson").stdout == ""
    assert "no rows" in run(sql, PLAIN).stdout


def test_no_rows_of_a_filter_say_whether_there_could_have_been_any() -> None:
    words = ("FROM events", PLAIN, "--filter", "verb:get resource:secrets user:nobody", "-f", "json")
    answer = run(*words, "--policy", "builtin:aks-kube-audit-admin")
    assert answer.stdout == "[]\n"
    assert "nothing found; this log could not have shown it" in answer.stderr


def test_columns_of_the_same_name_are_all_there() -> None:
    sql = "SELECT 1 AS a, 2 AS a, 3 AS a"
    assert json.loads(run(sql, PLAIN, "--format", "json").stdout) == [{"a": 1, "a_2": 2, "a_3": 3}]


def test_a_table_says_how_many_rows_it_leaves_out() -> None:
    assert "the first 1 of" in run(VERBS, PLAIN, "-n", "1").stdout


def test_the_period_says_which_events_are_asked() -> None:
    sql = "SELECT count(*) AS n FROM events"
    assert json.loads(run(sql, PLAIN, "--until", "2001-01-01", "-f", "json").stdout) == [{"n": 0}]


def test_a_file_is_not_read_and_not_written_by_a_query(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    for sql in (f"COPY events TO '{target}'", f"FROM read_text('{__file__}')", f"FROM '{PLAIN}'"):
        answer = run(sql, PLAIN)
        assert (answer.returncode, answer.stdout) == (2, "")
    assert not target.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("SELECT usr FROM events", PLAIN), "did you mean `username`?"),
        (("SELECT verb FROM events",), "no logs named"),
        (("SELECT verb FROM events", "missing.log"), "nothing to read"),
        (("SELECT verb FROM events", PLAIN, "--filter", "verb:("), "filter, character 7"),
        (("SELECT verb FROM events", PLAIN, "-n", "-1"), "--most"),
    ],
)
def test_what_cannot_be_done_is_an_error_with_a_hint(words: tuple[str, ...], says: str) -> None:
    answer = run(*words)
    assert answer.returncode == 2
    assert says in answer.stderr
    assert "hint:" in answer.stderr
