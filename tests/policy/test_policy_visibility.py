"""What coverage says against what the engine finds: a rule never matches where it is said to be blind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.detect.cases import cases_path, parse_cases
from kubewitness.detect.pack import load_pack, rule_files
from kubewitness.facts import macros
from kubewitness.model.event import CONTROL_PLANE_NAMES, ActorKind
from kubewitness.model.recording import Level, Stage
from kubewitness.policy.attributes import attributes_of_event
from kubewitness.policy.boxes import ALL_REQUESTS, only
from kubewitness.policy.visibility import Recorded, kind_of, possible
from kubewitness.query.engine import Engine
from kubewitness.query.lower import lower
from kubewitness.query.reading import reading_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubewitness.detect.rule import Rule
    from kubewitness.policy.boxes import Box

BODIES = ("requestObject", "responseObject")
RULES = Path(__file__).parents[2] / "src" / "kubewitness" / "rules"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine"), threads=1)
    engine.run(macros())
    yield engine
    engine.close()


def lowered(event: dict[str, Any], level: Level) -> dict[str, Any]:
    """The event as the level leaves it."""
    gone = BODIES[level.rank - 1 :] if level is not Level.REQUEST_RESPONSE else ()
    return {key: value for key, value in event.items() if key not in gone} | {"level": level.value}


def box_of_event(event: dict[str, Any]) -> Box:
    """The requests that are like this one in all that a policy looks at."""
    request = attributes_of_event(event)
    is_resource = request.is_resource_request
    return replace(
        ALL_REQUESTS,
        verb=only(request.verb),
        username=only(request.user),
        group=only(request.api_group if is_resource else None),
        resource=only(request.resource if is_resource else None),
        subresource=only(request.subresource),
        namespace=only(request.namespace),
        name=only(request.name),
    )


def examples() -> Iterator[tuple[Rule, dict[str, Any]]]:
    """Every rule of single events of the pack, with the events of its cases."""
    by_id = {rule.info.id: rule for rule in load_pack().rules}
    for path in rule_files(RULES):
        rule = by_id.get(path.stem)
        cases = cases_path(path)
        if rule is None or rule.predicate is None or not cases.exists():
            continue
        for case in parse_cases(cases.read_text("utf-8"), str(cases)):
            yield from ((rule, event) for event in case.events[:1])


def test_what_is_said_to_be_invisible_never_matches(engine: Engine, tmp_path: Path) -> None:
    levels = (Level.METADATA, Level.REQUEST, Level.REQUEST_RESPONSE)
    asked = [(rule, event, level) for rule, event in examples() for level in levels]
    predicates = {rule.info.id: rule.predicate for rule, _, _ in asked if rule.predicate}
    file = tmp_path / "events.ndjson"
    file.write_text("".join(json.dumps(lowered(event, level)) + "\n" for _, event, level in asked), "utf-8")
    columns = ", ".join(
        f'coalesce({lower(predicate).sql("duckdb")}, FALSE) AS "{name}"' for name, predicate in predicates.items()
    )
    query = reading_query(
        f"SELECT {columns} FROM events",  # noqa: S608 - what is under test
        shape=EngineShape.PLAIN,
        paths=[str(file)],
    )
    wrong: list[str] = []
    matched = 0
    for (rule, event, level), row in zip(asked, engine.rows(query.sql, query.parameters), strict=True):
        stage = Stage(event.get("stage", "ResponseComplete"))
        events = Recorded(box_of_event(event), level, stage)
        predicate = predicates[rule.info.id]
        seen = possible(predicate, events) or possible(predicate, replace(events, is_impersonated=True))
        matched += row[rule.info.id]
        if row[rule.info.id] and not seen:
            wrong.append(f"{rule.info.id} at {level}: {json.dumps(event)}")
    assert wrong == []
    assert matched > len(predicates)  # the test would be empty if nothing matched


@pytest.mark.parametrize(
    "name", sorted(CONTROL_PLANE_NAMES | {"alice", "system:node:n", "system:anonymous", "system:x"})
)
def test_kinds_of_actor_are_those_of_the_engine(engine: Engine, tmp_path: Path, name: str) -> None:
    file = tmp_path / "event.ndjson"
    file.write_text(json.dumps({"auditID": "a", "verb": "get", "user": {"username": name}}) + "\n", "utf-8")
    query = reading_query("SELECT actor_kind FROM events", shape=EngineShape.PLAIN, paths=[str(file)])
    assert [ActorKind(row["actor_kind"]) for row in engine.rows(query.sql, query.parameters)] == [kind_of(name)]
