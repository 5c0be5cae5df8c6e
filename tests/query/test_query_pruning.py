"""Pruning: nothing that is asked for changes, and nothing else is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kubewitness.decode.engine_shapes import EngineShape, decoded_sql, shape_query
from kubewitness.facts import floors
from kubewitness.model.event import API, FACTS
from kubewitness.query.pruning import pruned
from kubewitness.query.reading import reading_query

if TYPE_CHECKING:
    from kubewitness.query.engine import Engine

EVENTS = Path(__file__).parents[1] / "fixtures" / "events.json"


def test_every_column_is_the_same_alone_as_among_all_others(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    events = json.loads(EVENTS.read_text(encoding="utf-8"))
    file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")

    def answers(select: str) -> list[dict[str, object]]:
        query = reading_query(select, shape=EngineShape.PLAIN, paths=[str(file)])
        return engine.rows(query.sql, query.parameters)

    everything = answers("SELECT * FROM events")
    assert len(everything) == len(events)
    for column in (*API, *FACTS):
        alone = answers(f'SELECT "{column.name}" FROM events')  # noqa: S608 - a name of the schema
        assert alone == [{column.name: row[column.name]} for row in everything], column.name


@pytest.mark.parametrize("shape", EngineShape)
def test_no_floor_is_of_a_form_that_cannot_be_pruned(shape: EngineShape) -> None:
    named = (("records", shape_query(shape).records), ("decoded", decoded_sql()), *floors())
    for (name, before), (_, after) in zip(named, pruned(named, ["SELECT audit_id FROM events"]), strict=True):
        assert len(after) < len(before), name


@pytest.mark.parametrize(
    ("below", "asked", "left"),
    [
        ("SELECT a AS x, b AS y FROM t", "SELECT y FROM n", "SELECT b AS y FROM t"),
        ("SELECT *, b AS y FROM t", "SELECT x FROM n", "SELECT * FROM t"),
        ("SELECT f(a, b) AS x, c FROM t", "SELECT X FROM n", "SELECT f(a, b) AS x FROM t"),
        ('SELECT "user" AS x, b FROM t', 'SELECT "x" FROM n', 'SELECT "user" AS x FROM t'),
        ("SELECT a AS x, x + 1 AS y, c AS z FROM t", "SELECT y FROM n", "SELECT a AS x, x + 1 AS y FROM t"),
        ("SELECT a AS x, b AS y FROM t WHERE y > 1", "SELECT x FROM n", "SELECT a AS x, b AS y FROM t WHERE y > 1"),
        (
            "SELECT x, y FROM (SELECT a AS x, b AS y FROM t)",
            "SELECT x FROM n",
            "SELECT x FROM ( SELECT a AS x FROM t )",
        ),
        ("SELECT ', FROM y' AS x, b AS y FROM t", "SELECT x FROM n", "SELECT ', FROM y' AS x FROM t"),
        ("SELECT a AS x, b AS y FROM t", "SELECT 'y', x -- y\nFROM n", "SELECT a AS x FROM t"),
        ("SELECT a AS x, b AS y FROM t", "SELECT count(*) FROM n", "SELECT NULL FROM t"),
        ("SELECT a AS x, b AS y FROM t", "SELECT regexp_matches(x, '.*') FROM n", "SELECT a AS x FROM t"),
        ("SELECT a AS x, b AS y FROM t", "SELECT * FROM n", "SELECT a AS x, b AS y FROM t"),
        ("SELECT DISTINCT a AS x, b AS y FROM t", "SELECT x FROM n", "SELECT DISTINCT a AS x, b AS y FROM t"),
        ("SELECT x, y FROM t GROUP BY ALL", "SELECT x FROM n", "SELECT x, y FROM t GROUP BY ALL"),
        ("SELECT x, y FROM t JOIN u ON t.a = u.a", "SELECT x FROM n", "SELECT x, y FROM t JOIN u ON t.a = u.a"),
        ("SELECT x, y FROM t UNION ALL FROM u", "SELECT x FROM n", "SELECT x, y FROM t UNION ALL FROM u"),
    ],
)
def test_only_what_is_asked_for_is_left(below: str, asked: str, left: str) -> None:
    (_, sql), = pruned([("n", below)], [asked])  # fmt: skip
    assert " ".join(sql.split()) == left


def test_what_a_needed_column_is_made_of_stays_below() -> None:
    named = [("low", "SELECT a AS x, b AS y, c AS z FROM t"), ("high", "SELECT *, x + 1 AS p, y + 1 AS q FROM low")]
    low, high = (" ".join(sql.split()) for _, sql in pruned(named, ["SELECT q FROM high"]))
    assert high == "SELECT *, y + 1 AS q FROM low"
    assert low == "SELECT b AS y FROM t"


def test_parameters_go_with_what_is_left_out() -> None:
    query = reading_query("SELECT verb FROM events", shape=EngineShape.PLAIN, paths=["x"], cluster="aks")
    assert "cluster" not in query.parameters
