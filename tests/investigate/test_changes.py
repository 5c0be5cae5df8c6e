"""Tests of what changed between two states of an object."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.investigate.changes import Part, changes_between, leaves, value_at

CASES: list[tuple[str, Any, Any, list[tuple[str, str, Any, Any]]]] = [
    ("a value", {"spec": {"replicas": 1}}, {"spec": {"replicas": 3}}, [("spec.replicas", "changed", 1, 3)]),
    ("a new field", {"spec": {}}, {"spec": {"paused": True}}, [("spec.paused", "added", None, True)]),
    ("a field that went", {"data": {"a": "1"}}, {"data": {}}, [("data.a", "removed", "1", None)]),
    (
        "a container is told by its name, wherever it stands",
        {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}},
        {"spec": {"containers": [{"name": "b", "image": "2"}, {"name": "a", "image": "1"}]}},
        [("spec.containers[name=b].image", "changed", "1", "2")],
    ),
    (
        "a container that came",
        {"spec": {"containers": [{"name": "a"}]}},
        {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}},
        [("spec.containers[name=b]", "added", None, {"name": "b"})],
    ),
    (
        "rules are told by their place",
        {"rules": [{"verbs": ["get"]}]},
        {"rules": [{"verbs": ["get", "list"]}]},
        [("rules[0].verbs", "changed", ["get"], ["get", "list"])],
    ),
    (
        "a port is told by number and protocol",
        {"spec": {"ports": [{"port": 80}]}},
        {"spec": {"ports": [{"port": 80, "targetPort": 1}]}},
        [("spec.ports[port=80,protocol=TCP].targetPort", "added", None, 1)],
    ),
    (
        "names with dots are quoted",
        {"metadata": {"labels": {}}},
        {"metadata": {"labels": {"app.kubernetes.io/name": "x"}}},
        [('metadata.labels["app.kubernetes.io/name"]', "added", None, "x")],
    ),
    ("text is not a number", {"a": "1"}, {"a": 1}, [("a", "changed", "1", 1)]),
    (
        "what the server keeps for itself is no change",
        {"metadata": {"resourceVersion": "1", "generation": 1}},
        {"metadata": {"resourceVersion": "2", "generation": 2, "managedFields": [{}]}},
        [],
    ),
]


@pytest.mark.parametrize(("name", "before", "after", "changes"), CASES, ids=[case[0] for case in CASES])
def test_changes_are_told_by_field(name: str, before: Any, after: Any, changes: list[Any]) -> None:
    found = [(each.where, each.kind.value, each.before, each.after) for each in changes_between(before, after)]
    assert found == changes, name


def test_a_field_belongs_to_a_part() -> None:
    before = {"metadata": {"labels": {}}, "status": {"phase": "a"}, "data": {}}
    after = {"metadata": {"labels": {"x": "y"}}, "status": {"phase": "b"}, "data": {"k": "v"}}
    assert [change.part for change in changes_between(before, after)] == [Part.METADATA, Part.STATUS, Part.SPEC]


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b.c", "name", "containers", "conditions", "type"]), inner, max_size=4)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["spec", "status", "metadata", "data"]), VALUES, max_size=4)


@given(OBJECTS, OBJECTS)
def test_there_are_changes_exactly_when_the_values_differ(before: dict[str, Any], after: dict[str, Any]) -> None:
    changes = changes_between(before, after, with_noise=True)
    same = dict(leaves(before)) == dict(leaves(after)) and repr(sorted(map(repr, leaves(before)))) == repr(
        sorted(map(repr, leaves(after)))
    )
    assert bool(changes) is not same


@given(OBJECTS, OBJECTS)
def test_a_change_says_what_stands_there(before: dict[str, Any], after: dict[str, Any]) -> None:
    for change in changes_between(before, after, with_noise=True):
        assert value_at(before, change.path) == change.before
        assert value_at(after, change.path) == change.after


@given(OBJECTS)
def test_every_single_value_is_found_at_its_path(document: dict[str, Any]) -> None:
    for path, value in leaves(document):
        assert value_at(document, path) == value
