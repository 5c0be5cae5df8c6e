"""The engine decides about all events of a log as the evaluator decides about each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubewitness.decode.engine_shapes import EngineShape
from kubewitness.facts import macros
from kubewitness.model.recording import Level
from kubewitness.policy.attributes import Attributes, attributes_of_event
from kubewitness.policy.bulk import RULE, asked_floors, decided_floors, deciding_rule
from kubewitness.policy.evaluate import Evaluator, decision_of
from kubewitness.policy.model import GroupResources, Policy, PolicyRule
from kubewitness.query.engine import Engine
from kubewitness.query.reading import reading_query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.policy.conftest import Vectors

COLUMNS = {
    "asked_user": "user",
    "asked_groups": "groups",
    "asked_verb": "verb",
    "asked_api_group": "api_group",
    "asked_resource": "resource",
    "asked_subresource": "subresource",
    "asked_combined_resource": "combined_resource",
    "asked_namespace": "namespace",
    "asked_name": "name",
    "asked_path": "path",
    "is_resource_request": "is_resource_request",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine"), threads=1)
    engine.run(macros())
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events") / "events.ndjson"


USERS = ["alice", "", "system:kube-proxy", "Alice"]
GROUPS = ["dev", "system:masters"]
VERBS = ["get", "list", "watch", "create", "delete", "deletecollection", "patch", "GET", ""]
NAMES = ["web-0", "a/b", "a%b", "é", "x,y", "a=b", "status", "namespaces", "watch", ""]
RESOURCES = ["pods", "namespaces", "status", "proxy", "watch", "secrets", "finalize"]
SELECTORS = [
    "metadata.name%3Dweb-0",
    "metadata.name=web-0",
    "metadata.name%3D%3Dweb-0",
    "metadata.name!%3Dweb-0",
    "a%3Db,metadata.name%3Dweb-0",
    "metadata.name%3Dx%5C%2Cy",
    "metadata.name%3Da%5C%3Db,",
    "metadata.name%3Da%3Db",
    "metadata.name%3D.",
    "metadata.name%3Da%2Fb",
    "metadata.name%3Da%25b",
    "metadata.name%3D",
    "%28%28",
    "x%5C,metadata.name%3Dweb-0",
    "",
]
quoted = st.sampled_from(NAMES).map(lambda name: name.replace("%", "%25").replace("/", "%2F"))
parts = st.lists(st.sampled_from([*RESOURCES, "web-0", "api", "%C3%A9", "a%2Fb", ""]), max_size=6)
paths = st.one_of(
    st.builds(
        lambda prefix, namespace, resource, rest: "/".join([prefix, *namespace, resource, *rest]),
        st.sampled_from(["/api/v1", "/apis/apps/v1", "//api/v1", "/apis/v1"]),
        st.one_of(st.just([]), quoted.map(lambda name: ["namespaces", name])),
        st.sampled_from(RESOURCES),
        st.lists(quoted, max_size=3),
    ),
    st.builds(
        lambda prefix, rest: "/".join([prefix, *rest]), st.sampled_from(["", "/api", "/apis", "/healthz"]), parts
    ),
)
queries = st.lists(
    st.one_of(
        st.sampled_from(SELECTORS).map(lambda text: f"fieldSelector={text}"),
        st.sampled_from(
            ["watch=true", "a;fieldSelector=metadata.name=no", "%zz=1", "field%53elector=metadata.name%3Dx"]
        ),
    ),
    max_size=3,
).map("&".join)
uris = st.one_of(st.none(), paths, st.builds(lambda path, query: f"{path}?{query}", paths, queries))
refs = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"resource": st.sampled_from(RESOURCES), "apiVersion": st.just("v1")},
        optional={
            "apiGroup": st.sampled_from(["", "apps"]),
            "namespace": st.sampled_from(NAMES[:-1]),
            "name": st.sampled_from(NAMES[:-1]),
            "subresource": st.sampled_from(["status", "exec"]),
        },
    ),
)
users = st.one_of(
    st.just({}),
    st.builds(lambda name: {"username": name}, st.sampled_from(USERS)),
    st.builds(
        lambda name, groups: {"username": name, "groups": groups},
        st.sampled_from(USERS),
        st.lists(st.sampled_from(GROUPS), max_size=2),
    ),
)


def spelled(event: dict[str, Any]) -> dict[str, Any]:
    """Give the event the URI that its objectRef spells, as most have."""
    ref = event["objectRef"]
    if event["requestURI"] is None or ref is None or len(event["requestURI"]) % 2:
        return event
    group = ref.get("apiGroup")
    path = [f"/apis/{group}/v1" if group else "/api/v1"]
    path += ["namespaces", ref["namespace"]] if "namespace" in ref else []
    path += [ref["resource"], *filter(None, [ref.get("name"), ref.get("subresource")])]
    return event | {"requestURI": "/".join(path).replace("%", "%25")}


events = st.fixed_dictionaries(
    {
        "auditID": st.just("x"),
        "verb": st.sampled_from(VERBS),
        "user": users,
        "requestURI": uris,
        "objectRef": refs,
    }
).map(spelled)


def several(values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=2).map(tuple)


rules = st.builds(
    PolicyRule,
    level=st.sampled_from(Level),
    users=several(USERS),
    user_groups=several(GROUPS),
    verbs=several(VERBS),
    resources=st.lists(
        st.builds(
            GroupResources,
            group=st.sampled_from(["", "apps", "*"]),
            resources=several([*RESOURCES, "*", "*/status", "*/", "pods/*", "pods/exec", "/*", "pods/"]),
            resource_names=several(NAMES),
        ),
        max_size=2,
    ).map(tuple),
    namespaces=several(["", *NAMES]),
    non_resource_urls=several(["*", "/healthz*", "/healthz/", "/api", "/"]),
)
policies = st.lists(rules, min_size=1, max_size=4).map(lambda found: Policy(tuple(found)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(events, min_size=1, max_size=40), policies)
def test_events_are_decided_alike_alone_and_in_bulk(
    engine: Engine, file: Path, found: list[dict[str, Any]], policy: Policy
) -> None:
    file.write_text("".join(json.dumps(event) + "\n" for event in found), encoding="utf-8")
    select = f"SELECT {', '.join(COLUMNS)}, {RULE} FROM decided"  # noqa: S608 - names of columns
    query = reading_query(select, shape=EngineShape.PLAIN, paths=[str(file)], above=decided_floors(policy))
    evaluator = Evaluator(policy)
    for event, row in zip(found, engine.rows(query.sql, query.parameters), strict=True):
        attributes = attributes_of_event(event)
        expected = {column: getattr(attributes, name) for column, name in COLUMNS.items()}
        expected["asked_groups"] = list(attributes.groups)
        assert row == expected | {RULE: evaluator.decide(attributes).rule}, event


def test_every_decision_of_a_real_server_comes_out_of_the_engine_too(
    engine: Engine, file: Path, vectors: Vectors
) -> None:
    def row_of(attributes: Attributes) -> dict[str, Any]:
        return {column: getattr(attributes, name) for column, name in COLUMNS.items()}

    file.write_text(
        "".join(
            json.dumps({"row": at, "policy": vector.policy, **row_of(vector.attributes)}) + "\n"
            for at, vector in enumerate(vectors.vectors)
        ),
        encoding="utf-8",
    )
    create = "CREATE OR REPLACE TABLE asked AS FROM read_json($file, format = 'newline_delimited')"
    engine.run(create, {"file": str(file)})
    decided = 0
    for name, policy in vectors.policies.items():
        case = deciding_rule(policy).sql(dialect="duckdb")
        rows = engine.run(f"SELECT row, {case} FROM asked WHERE policy = $name", {"name": name})  # noqa: S608
        for at, rule in rows:
            vector, decision = vectors.vectors[at], decision_of(policy, rule)
            assert (decision.level, decision.omit_stages, decision.omit_managed_fields) == (
                vector.level,
                vector.omit_stages,
                vector.omit_managed_fields,
            ), vector
            decided += 1
    assert decided == 10_000


def test_attributes_may_stand_on_the_events_table_with_its_facts(engine: Engine, file: Path) -> None:
    event = {"auditID": "x", "verb": "get", "user": {"username": "a"}, "requestURI": "/api/v1/nodes/n"}
    file.write_text(json.dumps(event) + "\n", encoding="utf-8")
    query = reading_query(
        "SELECT actor, asked_name FROM asked", shape=EngineShape.PLAIN, paths=[str(file)], above=asked_floors("events")
    )
    assert engine.rows(query.sql, query.parameters) == [{"actor": "a", "asked_name": "n"}]
