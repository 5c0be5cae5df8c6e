"""Salvage: what is complete before the cut is kept, nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.decode.salvage import repair

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def is_part(part: object, whole: object) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and is_part(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(is_part, part, whole))
    return part == whole


@pytest.mark.parametrize(
    ("text", "saved"),
    [
        ('{"a":1,"b":"x', '{"a":1}'),
        ('{"a":1,"b":"x\\', '{"a":1}'),
        ('{"a":1,"b":"x\\u00', '{"a":1}'),
        ('{"a":1,"b":12', '{"a":1}'),
        ('{"a":1,"b":12,', '{"a":1,"b":12}'),
        ('{"a":1,"b":tru', '{"a":1}'),
        ('{"a":1,"b":', '{"a":1}'),
        ('{"a":1,"b"', '{"a":1}'),
        ('{"a":1,"b":{"c":[1,{"d":2},{"e', '{"a":1,"b":{"c":[1,{"d":2},{}]}}'),
        ("[1,2", "[1]"),
        ("{", "{}"),
        ('{"a":NaN,"b":"\t","c":"\\q","d":[', '{"a":null,"b":"\\u0009","c":"\\\\q","d":[]}'),
        ('{"a":1,,"b":2}', '{"a":1}'),
        ('{"a":"x"y"}', "{}"),
        ('{"a":[1}', '{"a":[1]}'),
    ],
)
def test_what_is_complete_is_kept(text: str, saved: str) -> None:
    assert repair(text.encode()).text == saved.encode()


def test_a_cut_string_is_kept_where_it_holds_a_record() -> None:
    keep = frozenset({("properties", "log")})
    text = rb'{"log":"{\"a","properties":{"pod":"{x","log":"{\"auditID\":\"a\",\"verb\":\"g\u00'
    assert json.loads(repair(text, keep).text)["properties"]["log"] == '{"auditID":"a","verb":"g'
    assert json.loads(repair(text).text)["properties"] == {"pod": "{x"}


def test_containers_beyond_the_depth_become_null() -> None:
    assert repair(b'{"a":{"b":[{"}":"]"}]},"c":[', max_depth=2).text == b'{"a":{"b":null},"c":[]}'


@settings(deadline=None)
@given(JSON.filter(lambda value: isinstance(value, dict | list)), st.booleans(), st.data())
def test_every_prefix_is_a_part_of_the_whole(value: object, ascii_only: bool, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=data.draw(st.sampled_from([None, 1])))
    end = data.draw(st.integers(1, len(text)))
    repaired = repair(text[:end].encode())
    assert is_part(json.loads(repaired.text), value)
    assert (repaired.open == 0) == (end == len(text))
    if repaired.open == 0:
        assert json.loads(repaired.text) == value


@settings(deadline=None)
@given(st.binary(max_size=100).map(lambda tail: b'{"a":[' + tail))
def test_whatever_follows_the_result_is_json(text: bytes) -> None:
    json.loads(repair(text.decode(errors="replace").encode()).text)
