"""Mutations write what a real kube-apiserver would have written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.detect.cases import Case
from kubewitness.detect.mutations import EXEMPTIONS, Mutation, Variant, variants

TABLE = yaml.safe_load(Path(__file__).with_name("mutations.yaml").read_text("utf-8"))


def changed(*events: dict[str, Any]) -> list[Variant]:
    return list(variants(Case("it", is_match=True, rule_id=None, events=events, path="x.test.yaml")))


def mutations(*events: dict[str, Any]) -> list[Mutation]:
    return sorted({variant.mutation for variant in changed(*events)} - {Mutation.ENVELOPE})


@pytest.mark.parametrize("row", TABLE["become"], ids=lambda row: row["about"])
def test_an_event_becomes(row: dict[str, Any]) -> None:
    found = {variant.about: variant.events for variant in changed(TABLE["events"][row["event"]])}
    assert found[row["about"]] == (row["is"],)


@pytest.mark.parametrize("row", TABLE["apply"], ids=lambda row: row["about"])
def test_mutations_apply_where_they_make_sense(row: dict[str, Any]) -> None:
    assert mutations(row["event"]) == sorted(row["mutations"])


def test_a_case_is_not_changed_by_its_variants() -> None:
    before = yaml.safe_dump(TABLE["events"])
    for event in TABLE["events"].values():
        changed(event)
    assert yaml.safe_dump(TABLE["events"]) == before


def test_different_people_get_different_names_and_the_same_the_same() -> None:
    people = ["system:serviceaccount:shop:web", "masterclient", "system:serviceaccount:shop:web", None]
    events = [{"verb": "get", "user": {"username": name} if name else {}} for name in people]
    (renamed,) = (variant for variant in changed(*events) if variant.mutation is Mutation.ACTOR)
    first, second, third, nobody = (event["user"].get("username") for event in renamed.events)
    assert (first, nobody) == (third, None)
    assert first != second
    assert {"@" in first, "@" in second} == {True}


def test_a_failed_creation_gets_no_object_as_its_answer() -> None:
    event = {**TABLE["events"]["pod"], "responseStatus": {"code": 403}}
    patches = [variant for variant in changed(event) if variant.mutation in EXEMPTIONS["patch"]]
    assert {variant.events[0]["responseStatus"]["code"] for variant in patches} == {403}
    assert not any("responseObject" in variant.events[0] for variant in patches)


NAMES = st.text(min_size=1, max_size=3).map("f".__add__)  # `-` alone would be the end of an array in a path
VALUES = st.recursive(
    st.booleans() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_a_json_patch_of_an_empty_object_gives_the_merge_patch(fields: dict[str, Any]) -> None:
    event = {"verb": "create", "objectRef": {"resource": "things", "name": "a"}, "requestObject": fields}
    merges, adds = (
        [variant.events[0]["requestObject"] for variant in changed(event) if variant.about == about]
        for about in ("as a merge patch, at level Request", "as a JSON Patch, at level Request")
    )
    assert [_applied(operations) for operations in adds] == merges


def _applied(operations: list[dict[str, Any]]) -> dict[str, Any]:
    """What operations that add make of an object that has all parents they name."""
    whole: dict[str, Any] = {}
    for operation in operations:
        *parents, last = [key.replace("~1", "/").replace("~0", "~") for key in operation["path"].split("/")[1:]]
        into = whole
        for key in parents[:-1] if last == "-" else parents:
            into = into.setdefault(key, {})
        if last == "-":
            into.setdefault(parents[-1], []).append(operation["value"])
        else:
            into[last] = operation["value"]
    return whole
