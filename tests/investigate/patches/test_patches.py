"""Tests of patches against the texts that define them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.investigate.patches.applied import apply_manifest
from kubewitness.investigate.patches.json_patch import PatchError, apply_json_patch
from kubewitness.investigate.patches.merge_patch import apply_merge_patch, merge_patch_between
from kubewitness.investigate.patches.strategic import apply_strategic_patch, has_directives

HERE = Path(__file__).parent


def _cases(name: str) -> list[Any]:
    cases: list[Any] = yaml.safe_load((HERE / f"{name}.yaml").read_text("utf-8"))
    return cases


def _name(case: Any) -> str:
    return str(case["name"]) if isinstance(case, dict) else str(case[1])


@pytest.mark.parametrize("case", _cases("rfc6902"), ids=_name)
def test_a_json_patch_does_what_rfc_6902_says(case: dict[str, Any]) -> None:
    before = copy.deepcopy(case["before"])
    if "error" in case:
        with pytest.raises(PatchError, match=case["error"]):
            apply_json_patch(before, case["patch"])
    else:
        assert apply_json_patch(before, case["patch"]) == case["after"]
    assert before == case["before"], "what is given is not changed"


@pytest.mark.parametrize("case", _cases("rfc7386"), ids=_name)
def test_a_merge_patch_does_what_rfc_7386_says(case: list[Any]) -> None:
    before, patch, after = case
    assert apply_merge_patch(before, patch) == after


@pytest.mark.parametrize("case", _cases("strategic"), ids=_name)
def test_a_strategic_merge_patch_knows_the_lists_of_the_api(case: dict[str, Any]) -> None:
    before = copy.deepcopy(case["before"])
    assert apply_strategic_patch(before, case["patch"]) == case["after"]
    assert before == case["before"], "what is given is not changed"


@pytest.mark.parametrize("case", _cases("applied"), ids=_name)
def test_what_is_applied_is_wanted_and_what_nobody_wants_goes(case: dict[str, Any]) -> None:
    target = copy.deepcopy(case["target"])
    found = apply_manifest(target, case["manifest"], case.get("before"), case.get("others", ()))
    assert found == case["after"]
    assert target == case["target"], "what is given is not changed"


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


@given(OBJECTS, OBJECTS)
def test_the_patch_between_two_objects_makes_the_one_of_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    patch = merge_patch_between(before, after)
    assert apply_merge_patch(before, patch) == after
    # With no list of the API and no directive, a strategic merge is the same.
    assert apply_strategic_patch(before, patch) == after


@given(OBJECTS)
def test_applying_a_manifest_twice_is_applying_it_once(manifest: dict[str, Any]) -> None:
    once = apply_manifest(None, manifest)
    assert apply_manifest(once, manifest, manifest) == once
    assert once == manifest


@given(OBJECTS, st.data())
def test_what_is_added_by_a_json_patch_can_be_removed_by_one(document: dict[str, Any], data: st.DataObject) -> None:
    value = data.draw(VALUES)
    path = [{"op": "add", "path": "/new~1key", "value": value}, {"op": "test", "path": "/new~1key", "value": value}]
    added = apply_json_patch(document, path)
    assert added == document | {"new/key": value}
    assert apply_json_patch(added, [{"op": "remove", "path": "/new~1key"}]) == document


@pytest.mark.parametrize(
    ("patch", "is_marked"),
    [
        ({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}, True),
        ({"spec": {"$setElementOrder/containers": [{"name": "a"}]}}, True),
        ({"spec": {"containers": [{"name": "a"}]}}, False),
        ("text", False),
    ],
)
def test_a_strategic_patch_is_told_by_its_directives(patch: Any, *, is_marked: bool) -> None:
    assert has_directives(patch) is is_marked
