"""A level or stage that is not asked again shows of every builtin rule what the one asked in its place does."""

from __future__ import annotations

from itertools import pairwise, product
from typing import TYPE_CHECKING

import pytest

from kubewitness.detect.pack import load_pack
from kubewitness.model.recording import Level, Stage
from kubewitness.policy.recorded_columns import levels_apart, stage_alike
from kubewitness.policy.visibility import Recorded, boxes_about, possible
from kubewitness.query.predicate import fields_of

if TYPE_CHECKING:
    from kubewitness.query.predicate import Predicate

LEVELS = (Level.METADATA, Level.REQUEST, Level.REQUEST_RESPONSE)


@pytest.fixture(scope="module")
def predicates() -> list[Predicate]:
    return [rule.predicate for rule in load_pack().rules if rule.predicate is not None]


def columns_of(predicate: Predicate) -> set[str]:
    return {field.column.name for field in fields_of(predicate)}


def test_a_stage_shows_what_the_one_in_its_place_does(predicates: list[Predicate]) -> None:
    replaced = 0
    for predicate, stage in product(predicates, Stage):
        other = stage_alike(stage, columns_of(predicate))
        for box, level in product(boxes_about(predicate), LEVELS if other is not stage else ()):
            replaced += 1
            assert possible(predicate, Recorded(box, level, stage)) == possible(predicate, Recorded(box, level, other))
    assert replaced


def test_a_level_that_is_left_out_shows_what_the_one_before_does(predicates: list[Predicate]) -> None:
    left_out = 0
    for predicate in predicates:
        asked = levels_apart(columns_of(predicate))
        for below, level in pairwise(LEVELS):
            for box in boxes_about(predicate) if level not in asked else ():
                left_out += 1
                shown = [possible(predicate, Recorded(box, each, Stage.RESPONSE_COMPLETE)) for each in (below, level)]
                assert shown[0] == shown[1]
    assert left_out
