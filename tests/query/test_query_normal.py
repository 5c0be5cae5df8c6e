"""Predicates in one spelling: the same meaning, fewer parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.query.predicates import holds, predicates, rows

from kubewitness.query.fields import find_field
from kubewitness.query.normal import negated, normalise
from kubewitness.query.predicate import ALWAYS, NEVER, And, Exists, Keyword, Not, Operator, Or, Predicate, Same, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def verb(value: str, *, cased: bool = False) -> Text:
    return Text(find_field("verb"), Operator.EQUALS, value, cased)


def like(pattern: str, operator: Operator = Operator.LIKE) -> Text:
    return Text(find_field("userAgent"), operator, pattern)


A, B, C = verb("a"), verb("b"), verb("c")
SPELLINGS: list[tuple[str, Predicate, Predicate]] = [
    ("not not", Not(Not(A)), A),
    ("not of all", Not(And((A, B))), Or((Not(A), Not(B)))),
    ("not of any", Not(Or((A, B))), And((Not(A), Not(B)))),
    ("not of nothing", Not(And(())), NEVER),
    ("nested", And((A, And((B, And((C,)))))), And((A, B, C))),
    ("one of one", Or((And((A,)),)), A),
    ("in another order", Or((C, A, B)), Or((A, B, C))),
    ("twice", And((B, A, B)), And((A, B))),
    ("never inside all", And((A, Or(()))), NEVER),
    ("never inside any", Or((A, Or(()))), A),
    ("always inside all", And((A, And(()))), A),
    ("always inside any", Or((A, And(()))), ALWAYS),
    ("and its opposite", And((A, B, Not(A))), NEVER),
    ("or its opposite", Or((A, B, Not(A))), ALWAYS),
    ("a choice that is made already", And((A, Or((A, B)))), A),
    ("a choice that leaves nothing", Or((A, And((A, B)))), A),
    ("a choice that is made by two", Or((And((A, B)), And((A, B, C)))), And((A, B))),
    ("letters whose case does not count", verb("GET"), verb("get")),
    ("letters whose case counts", verb("GET", cased=True), verb("GET", cased=True)),
    ("keyword", Keyword("ADMIN"), Keyword("admin")),
    ("names of a field", Exists(find_field("username")), Exists(find_field("user.username"))),
    ("a short name of a field", Exists(find_field("user")), Exists(find_field("user.username"))),
    ("pattern without wildcards", like(r"a\*b"), like("a*b", Operator.EQUALS)),
    ("pattern that ends in one", like("a*"), like("a", Operator.STARTS_WITH)),
    ("pattern that begins with one", like("*a"), like("a", Operator.ENDS_WITH)),
    ("pattern between two", like(r"*a\\b*"), like(r"a\b", Operator.CONTAINS)),
    ("pattern with one inside", like("a*b"), like("a*b")),
    (
        "two fields the other way round",
        Same(find_field("verb"), find_field("objectRef.name")),
        Same(find_field("objectRef.name"), find_field("verb")),
    ),
]


@pytest.mark.parametrize(("given_", "expected"), [row[1:] for row in SPELLINGS], ids=[row[0] for row in SPELLINGS])
def test_a_predicate_has_one_spelling(given_: Predicate, expected: Predicate) -> None:
    assert normalise(given_) == expected


def parts_of(predicate: Predicate) -> Iterator[tuple[Predicate, tuple[Predicate, ...]]]:
    items = predicate.items if isinstance(predicate, And | Or) else ()
    items = (predicate.item,) if isinstance(predicate, Not) else items
    yield predicate, items
    for item in items:
        yield from parts_of(item)


@QUICK
@given(predicates, st.lists(rows, min_size=1, max_size=3))
def test_the_spelling_changes_no_answer(predicate: Predicate, several: list[dict[str, Any]]) -> None:
    plain, opposite = normalise(predicate), negated(predicate)
    for row in several:
        assert holds(plain, row) == holds(predicate, row)
        assert holds(opposite, row) != holds(predicate, row)


@QUICK
@given(predicates)
def test_the_spelling_of_a_spelling_is_the_same(predicate: Predicate) -> None:
    plain = normalise(predicate)
    assert normalise(plain) == plain
    assert negated(negated(plain)) == plain


@QUICK
@given(predicates)
def test_opposites_stand_before_single_tests_and_groups_are_not_nested(predicate: Predicate) -> None:
    plain = normalise(predicate)
    for part, items in parts_of(plain):
        if isinstance(part, Not):
            assert not isinstance(part.item, Not | And | Or)
        if isinstance(part, And | Or):
            assert part is plain or part.items
            assert len(items) == len(set(items)) != 1
            assert not any(type(item) is type(part) for item in items)


@QUICK
@given(st.lists(predicates, max_size=4), st.randoms())
def test_order_and_repetition_do_not_count(items: list[Predicate], random: Any) -> None:
    others = [*items, *items[:1]]
    random.shuffle(others)
    assert normalise(And(tuple(items))) == normalise(And(tuple(others)))
    assert normalise(Or(tuple(items))) == normalise(Or(tuple(others)))
