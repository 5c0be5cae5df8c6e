"""Tests of the named hunts: each finds what it must among everything that looks alike, and nothing else."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.app.asking.hunt_log import write_log

from kubewitness.app.asking.hunt import Answered, Found, hunt, run_hunt
from kubewitness.app.asking.library import Hunt, load_hunts
from kubewitness.app.asking.shown import Could, Shown
from kubewitness.app.asking.sql import ask
from kubewitness.app.events import Logs
from kubewitness.app.lake.ingest import ingest
from kubewitness.detect.catalogue import entries
from kubewitness.model.event import BY_NAME

HUNTS = load_hunts()
EXPECTED: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "hunts/expected.yaml").read_text("utf-8"))
SHAPES = str(Path(__file__).parents[2] / "fixtures" / "shapes")
DEMO = Logs((str(Path(__file__).parents[3] / "examples" / "aks-attack"),))
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


@pytest.fixture(scope="module")
def store(log: Logs, tmp_path_factory: pytest.TempPathFactory) -> Logs:
    """The same log in a store."""
    folder = str(tmp_path_factory.mktemp("store") / "lake")
    ingest(log.paths, folder)
    return Logs(store=folder)


def test_every_hunt_is_tried() -> None:
    assert EXPECTED.keys() == HUNTS.keys()
    assert len(HUNTS) >= 30


@pytest.mark.parametrize("name", EXPECTED)
def test_a_hunt_finds_what_it_must_and_nothing_that_looks_alike(name: str, log: Logs) -> None:
    wanted, expected = HUNTS[name], EXPECTED[name]
    if "finds" in expected:
        assert _about(wanted, log) == sorted(expected["finds"])
    _check(run_hunt(wanted, log, values=expected.get("set", {})), expected)


def _check(found: Answered | Found, expected: dict[str, Any]) -> None:
    assert isinstance(found, Answered)
    rows = [dict(zip(found.names, row, strict=True)) for row in found.rows]
    cases = expected["rows"] if "rows" in expected else [expected["first"]]
    assert len(rows) == len(cases) or "first" in expected
    for case in cases:
        wanted = rows[:1] if "first" in expected else rows
        assert any(all(row[key] == value for key, value in case.items()) for row in wanted), case


def _about(wanted: Hunt, log: Logs) -> list[str]:
    with ask("SELECT DISTINCT audit_id FROM events", log, where=wanted.predicate) as asked:
        return sorted(row[0] for row in asked.rows if not re.match("(storm|burst)-", row[0]))


def test_a_store_gives_the_same_answers_as_its_logs(store: Logs) -> None:
    for name, expected in EXPECTED.items():
        _check(run_hunt(HUNTS[name], store, values=expected.get("set", {})), expected)


def test_the_share_of_a_rare_program_is_one_of_all_events(log: Logs) -> None:
    found = [run_hunt(HUNTS["rare-user-agents"], log, values={"most": most}) for most in ("1", "1000000")]
    shares = [{row[0]: row[3] for row in each.rows} for each in found if isinstance(each, Answered)]
    assert shares[0].items() < shares[1].items()
    assert sum(shares[1].values()) == pytest.approx(100, abs=0.01)


def test_reading_as_somebody_else_is_no_change_of_a_system_namespace() -> None:
    found = run_hunt(HUNTS["changes-in-system-namespaces"], DEMO)
    assert isinstance(found, Answered)
    assert found.rows == ()
    assert len(run_hunt(HUNTS["impersonation-chains"], DEMO).rows) == 1  # type: ignore[union-attr]


def test_a_privileged_pod_behind_a_cut_is_not_denied() -> None:
    shown = run_hunt(HUNTS["privileged-pods-by-creator"], DEMO).shown
    assert shown is not None
    assert shown.could is Could.PARTLY
    assert "the cut of 2 records" in shown.reasons[0]


def test_a_filter_finds_the_same_events_in_a_store(log: Logs, store: Logs) -> None:
    for text in ("verb:delete", "host_paths:* OR privileged:true", "user:bob* at >= 2026-11-18", "action:exec"):
        of_files, of_store = hunt(text, log), hunt(text, store)
        assert of_store.events == of_files.events
        assert (of_store.count, of_store.first_at) == (of_files.count, of_files.first_at)
    assert hunt("verb:get", Logs(store=store.store, since=datetime(2030, 1, 1))).shown == Shown(  # noqa: DTZ001 - UTC
        Could.NO, reasons=("the store has no events of this period and cluster",)
    )
    unseen = hunt("resource:widgets", store).shown
    assert unseen == hunt("resource:widgets", log).shown
    assert unseen is not None


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
    tags = {tag for each in HUNTS.values() for tag in each.tags}
    assert {tag.removeprefix("verb.") for tag in tags if tag.startswith("verb.")} == VERBS
    assert {tag.removeprefix("scenario.") for tag in tags if tag.startswith("scenario.")} == SCENARIOS
    assert {tag.partition(".")[0] for tag in tags} == {"verb", "scenario", "topic"}


def test_what_a_hunt_refers_to_exists() -> None:
    known = entries().keys()
    for each in HUNTS.values():
        assert set(each.catalogue) <= known, each.id
        assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", technique) for technique in each.techniques), each.id
        assert each.tags, each.id
        assert each.question.endswith("?"), each.id
        assert len(each.title) <= 60, each.id


def test_no_hunt_is_named_like_a_column_or_a_value_of_one() -> None:
    assert not HUNTS.keys() & BY_NAME.keys()
