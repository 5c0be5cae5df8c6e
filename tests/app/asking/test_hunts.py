"""Tests of the named hunts: each finds what it must among everything that looks alike, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.app.asking.hunt_log import write_log

from kubewitness.app.asking.hunt import Answered, run_hunt
from kubewitness.app.asking.library import Hunt, load_hunts
from kubewitness.app.asking.sql import ask
from kubewitness.app.events import Logs
from kubewitness.detect.catalogue import entries
from kubewitness.model.event import BY_NAME

HUNTS = load_hunts()
EXPECTED: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "hunts/expected.yaml").read_text("utf-8"))
SHAPES = str(Path(__file__).parents[2] / "fixtures" / "shapes")
VERBS = {"get", "list", "watch", "create", "delete", "update", "patch", "proxy", "bind", "impersonate"}
SCENARIOS = {
    "unauthorized-attempt", "pod-deleted", "secret-created", "role-changed", "suspicious-ip", "excessive-calls",
}  # fmt: skip


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Logs:
    """A log of everything that some hunt looks for."""
    path = tmp_path_factory.mktemp("hunts") / "audit.log"
    write_log(path)
    return Logs((str(path),))


def test_every_hunt_is_tried() -> None:
    assert EXPECTED.keys() == HUNTS.keys()
    assert len(HUNTS) >= 30


@pytest.mark.parametrize("name", EXPECTED)
def test_a_hunt_finds_what_it_must_and_nothing_that_looks_alike(name: str, log: Logs) -> None:
    wanted, expected = HUNTS[name], EXPECTED[name]
    if "finds" in expected:
        assert _about(wanted, log) == sorted(expected["finds"])
    found = run_hunt(wanted, log, values=expected.get("set", {}))
    assert isinstance(found, Answered)
    rows = [dict(zip(found.names, row, strict=True)) for row in found.rows]
    if "first" in expected:
        rows, expected["rows"] = rows[:1], [expected["first"]]
    assert len(rows) == len(expected["rows"])
    for case in expected["rows"]:
        assert any(all(row[key] == value for key, value in case.items()) for row in rows), case


def _about(wanted: Hunt, log: Logs) -> list[str]:
    with ask("SELECT DISTINCT audit_id FROM events", log, where=wanted.predicate) as asked:
        return sorted(row[0] for row in asked.rows if not re.match("(storm|burst)-", row[0]))


def test_every_hunt_gives_an_answer_on_logs_that_lack_most_fields() -> None:
    for wanted in HUNTS.values():
        found = run_hunt(wanted, Logs((SHAPES,)))
        assert found.ledger.events > 0
        assert found.shown is None or found.shown.could


def test_a_hunt_finds_what_it_must_when_fields_are_sparse(log: Logs, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse.log"
    text = re.sub(r'"(stage|level)": "[A-Za-z]+", ', "", Path(log.paths[0]).read_text("utf-8"))
    sparse.write_text(text)
    for name in ("secret-readers", "deleted-objects", "bindings-made", "exec-sessions", "impersonation-chains"):
        assert set(EXPECTED[name]["finds"]) <= {*_about(HUNTS[name], Logs((str(sparse),)))}


def test_the_verbs_and_scenarios_of_the_documentation_have_hunts() -> None:
    tags = {tag for hunt in HUNTS.values() for tag in hunt.tags}
    assert {tag.removeprefix("verb.") for tag in tags if tag.startswith("verb.")} == VERBS
    assert {tag.removeprefix("scenario.") for tag in tags if tag.startswith("scenario.")} == SCENARIOS
    assert {tag.partition(".")[0] for tag in tags} == {"verb", "scenario", "topic"}


def test_what_a_hunt_refers_to_exists() -> None:
    known = entries().keys()
    for hunt in HUNTS.values():
        assert set(hunt.catalogue) <= known, hunt.id
        assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", technique) for technique in hunt.techniques), hunt.id
        assert hunt.tags, hunt.id
        assert hunt.question.endswith("?"), hunt.id
        assert len(hunt.title) <= 60, hunt.id


def test_no_hunt_is_named_like_a_column_or_a_value_of_one() -> None:
    assert not HUNTS.keys() & BY_NAME.keys()
