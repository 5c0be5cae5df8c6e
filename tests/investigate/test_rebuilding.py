"""Whatever a log holds, the lives of an object can be told."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.investigate.lives import blame, state_at
from kubewitness.investigate.rebuilding import build_lives
from kubewitness.investigate.render.object_at import write_state
from kubewitness.investigate.render.object_fields import life_fields
from kubewitness.investigate.render.object_page import told_life
from kubewitness.investigate.render.object_table import write_diffs, write_lives
from kubewitness.investigate.render.object_words import as_yaml
from kubewitness.investigate.requests import Ending, Request
from kubewitness.investigate.writes import Rebuilder, Write

NOON = datetime(2026, 11, 17, 12)  # noqa: DTZ001 - times of events are naive and UTC
SCALARS = st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["", "a", "web", "1"])
KEYS = st.sampled_from(
    "metadata spec status kind name uid resourceVersion finalizers ownerReferences items deletionTimestamp"
    " deletionGracePeriodSeconds containers replicas target op path $patch"
    " dryRun propagationPolicy gracePeriodSeconds deleteOptions value from".split()
)
BODIES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
OBJECTS = st.builds(
    lambda version, rest, metadata: {
        "kind": "Pod",
        "metadata": {"name": "web", "uid": "one", "resourceVersion": version, **metadata},
        **rest,
    },
    st.sampled_from(["1", "2", "3", "x"]),
    st.dictionaries(st.sampled_from(["spec", "status"]), BODIES, max_size=2),
    st.dictionaries(KEYS, BODIES, max_size=2),
)


@st.composite
def writes(draw: st.DrawFn) -> list[Write]:
    """Requests on a pod, in order of time, with bodies that may be anything."""
    found = []
    for number in range(draw(st.integers(0, 8))):
        code = draw(st.sampled_from([None, 200, 201, 404]))
        at = draw(st.sampled_from([None, NOON + timedelta(seconds=number)]))
        details = {
            "resource": "pods",
            "name": "web",
            "namespace": "shop",
            "verb": draw(st.sampled_from(["get", "create", "update", "patch", "delete", "deletecollection"])),
            "subresource": draw(st.sampled_from([None, None, "status", "scale", "binding", "eviction", "finalize"])),
            "request_uri": draw(st.sampled_from(["/x", "/x?fieldManager=a", "/x?fieldManager=b&force=true"])),
            "actor": draw(st.sampled_from([None, "alice", "system:node:n", "a:namespace-controller"])),
            "object_uid": draw(st.sampled_from([None, "one", "two"])),
            "code": code,
        }
        kept = {name: value for name, value in details.items() if value is not None}
        request = Request(number, at, at, 0.0, Ending.ENDED if code else Ending.NEVER, details=kept)
        found.append(Write(request, draw(BODIES | OBJECTS), draw(BODIES | OBJECTS)))
    return found


@given(writes(), st.booleans())
def test_nothing_that_stands_in_bodies_breaks_a_story(several: list[Write], with_answers: bool) -> None:
    lives = build_lives(several, several, with_answers=with_answers, with_noise=True)
    told = [revision.request.key for life in lives for revision in life.revisions if revision.request]
    touched = {request.key for life in lives for request in life.touches}
    asked = {life.deletion.request.key for life in lives if life.deletion and life.deletion.request}
    assert {*told, *touched, *asked} <= {write.request.key for write in several}
    out = io.StringIO()
    assert all(
        told_life(number, life, lambda value: value)["items"] is not None for number, life in enumerate(lives, 1)
    )
    write_lives(lives, lambda value: value, out, with_status=True, with_blame=True)
    write_diffs(lives, lambda value: value, out)
    write_state(lives, NOON + timedelta(seconds=4), lambda value: value, out, name="web")
    for life in lives:
        assert [revision.number for revision in life.revisions] == list(range(1, len(life.revisions) + 1))
        json.dumps(life_fields(life, lambda value: value))
        assert all(each.revision in life.revisions for each in blame(life))
    state_at(lives, NOON)


@given(OBJECTS)
def test_a_state_in_yaml_is_the_state_but_for_what_the_server_keeps(state: dict[str, Any]) -> None:
    written = yaml.safe_load(as_yaml(state))
    assert written["kind"] == "Pod"
    assert written.get("spec") == state.get("spec")
    assert "resourceVersion" not in written.get("metadata", {})


def test_yaml_shows_lines_as_lines_and_what_hides_as_an_escape() -> None:
    text = as_yaml({"data": {"a": "one\ntwo\n", "b": "x\u202ey"}})
    assert "  a: |\n    one\n    two\n" in text
    assert "\u202e" not in text
    assert yaml.safe_load(text)["data"] == {"a": "one\ntwo\n", "b": "x\u202ey"}


def test_a_write_of_status_takes_nothing_else_away() -> None:
    before = {"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {"replicas": 2}, "status": {"ready": 0}}
    answer = {"metadata": {"name": "web"}, "status": {"ready": 1}}
    details = {"resource": "pods", "name": "web", "verb": "update", "subresource": "status"}
    request = Request(1, NOON, NOON, 0.0, Ending.ENDED, details=details | {"code": 200})
    assert Rebuilder().effect(Write(request, None, answer), before).state == {**before, "status": {"ready": 1}}
    whole = {**before, "spec": {"replicas": 3}}
    assert Rebuilder().effect(Write(request, None, whole), before).state == whole
