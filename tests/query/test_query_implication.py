"""What follows from a predicate: a table of what is shown and what is not, and that nothing wrong is shown."""

from __future__ import annotations

from datetime import datetime
from ipaddress import ip_network
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.query.predicates import holds, predicates, rows

from kubewitness.query.fields import find_field
from kubewitness.query.implication import excludes, implies, is_always, is_never
from kubewitness.query.predicate import (
    ALWAYS,
    NEVER,
    And,
    Compare,
    Exists,
    Flag,
    InNetwork,
    Keyword,
    Moment,
    Not,
    Number,
    Operator,
    Or,
    Order,
    Predicate,
    Same,
    Text,
    TimePart,
    TimeUnit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def text(name: str, value: str, operator: Operator = Operator.EQUALS, *, cased: bool = False) -> Text:
    return Text(find_field(name), operator, value, cased)


def verb(*values: str) -> Predicate:
    tests = tuple(text("verb", value) for value in values)
    return tests[0] if len(tests) == 1 else Or(tests)


def code(order: Order, value: float) -> Compare:
    return Compare(find_field("responseStatus.code"), order, value)


def at(order: Order, hour: int) -> Moment:
    return Moment(find_field("happened_at"), order, datetime(2026, 11, 17, hour))  # noqa: DTZ001 - UTC


def hour(lowest: int | None, highest: int | None) -> TimePart:
    return TimePart(find_field("happened_at"), TimeUnit.HOUR, lowest, highest)


CONTAINS, STARTS, ENDS, LIKE, REGEX = (
    Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH, Operator.LIKE, Operator.REGEX,
)  # fmt: skip
SECRETS = text("objectRef.resource", "secrets")
AGENT = "userAgent"
CODE = find_field("responseStatus.code")
IP = find_field("source_ip")
PRIVILEGED = find_field("privileged")
IMAGE = "requestObject.spec.containers.image"

# Name, what is known, what follows or not.
FOLLOWING: list[tuple[str, Predicate, Predicate, bool]] = [
    ("itself", SECRETS, SECRETS, True),
    ("less", And((SECRETS, verb("get"))), SECRETS, True),
    ("more", SECRETS, And((SECRETS, verb("get"))), False),
    ("a choice", verb("get"), verb("get", "list"), True),
    ("a smaller choice", verb("get", "list"), verb("get"), False),
    ("a wider choice", And((SECRETS, verb("get", "list"))), verb("list", "watch", "get"), True),
    ("a choice of groups", And((verb("get", "list"), SECRETS)), Or((And((verb("get"), SECRETS)), verb("list"))), True),
    ("anything, from nothing", NEVER, SECRETS, True),
    ("everything, from anything", SECRETS, ALWAYS, True),
    ("what is not excepted", And((SECRETS, Not(verb("get")))), Not(And((SECRETS, verb("get")))), True),
    ("an exception less", And((SECRETS, Not(verb("get", "list")))), And((SECRETS, Not(verb("get")))), True),
    ("an exception more", And((SECRETS, Not(verb("get")))), And((SECRETS, Not(verb("get", "list")))), False),
    ("not another value", verb("get"), Not(verb("list")), True),
    ("not another value of a list", text("user.groups", "a"), Not(text("user.groups", "b")), False),
    ("not another value in a body", text(IMAGE, "a"), Not(text(IMAGE, "b")), False),
    ("without case", text(AGENT, "Curl", cased=True), text(AGENT, "curl"), True),
    ("with case", text(AGENT, "curl"), text(AGENT, "curl", cased=True), False),
    ("a beginning", text(AGENT, "curl/8"), text(AGENT, "CURL", STARTS), True),
    ("another beginning", text(AGENT, "curl/8"), text(AGENT, "8", STARTS), False),
    ("a shorter beginning", text(AGENT, "curl/8", STARTS), text(AGENT, "curl", STARTS), True),
    ("a longer beginning", text(AGENT, "curl", STARTS), text(AGENT, "curl/8", STARTS), False),
    ("a shorter end", text(AGENT, "/curl", ENDS), text(AGENT, "url", ENDS), True),
    ("a part of a beginning", text(AGENT, "curl/8", STARTS), text(AGENT, "url", CONTAINS), True),
    ("a part of a part", text(AGENT, "curl/8", CONTAINS), text(AGENT, "url", CONTAINS), True),
    ("a pattern", text(AGENT, "curl/8"), text(AGENT, "c?rl/*", LIKE), True),
    ("an expression", text(AGENT, "curl/8", cased=True), text(AGENT, r"^c\w+/\d", REGEX, cased=True), True),
    ("an expression of text in any case", text(AGENT, "curl/8"), text(AGENT, "^curl", REGEX, cased=True), False),
    ("letters that are no ASCII", text(AGENT, "é"), text(AGENT, "é", CONTAINS), False),
    ("that it is there", text(AGENT, "x", CONTAINS), Exists(find_field(AGENT)), True),
    ("that what it is in is there", text(IMAGE, "x"), Exists(find_field("requestObject.spec")), True),
    ("that the body is there", text(IMAGE, "x"), Exists(find_field("requestObject")), True),
    ("that a part is there", Exists(find_field("requestObject")), Exists(find_field("requestObject.spec")), False),
    ("that both are there", Same(CODE, IP), Exists(IP), True),
    ("that an absent one has no value", Not(Exists(find_field(AGENT))), Not(text(AGENT, "x")), True),
    ("a number in a range", Number(CODE, 403), code(Order.GREATER_OR_EQUAL, 400), True),
    ("a number outside", Number(CODE, 403), code(Order.LESS, 403), False),
    ("a wider range", code(Order.GREATER, 400), code(Order.GREATER_OR_EQUAL, 400), True),
    ("a closed range", code(Order.GREATER_OR_EQUAL, 400), code(Order.GREATER, 400), False),
    ("not below", code(Order.GREATER_OR_EQUAL, 400), Not(code(Order.LESS, 400)), True),
    ("a later time", at(Order.GREATER, 9), at(Order.GREATER_OR_EQUAL, 9), True),
    ("hours inside", hour(8, 9), hour(8, None), True),
    ("hours outside", hour(8, 9), hour(9, None), False),
    ("a flag", Flag(PRIVILEGED, value=True), Not(Flag(PRIVILEGED, value=False)), True),
    ("a wider network", InNetwork(IP, ip_network("10.1.0.0/16")), InNetwork(IP, ip_network("10.0.0.0/8")), True),
    ("another network", InNetwork(IP, ip_network("10.1.0.0/16")), Not(InNetwork(IP, ip_network("::/0"))), True),
    ("an address in it", text("source_ip", "10.1.2.3"), InNetwork(IP, ip_network("10.0.0.0/8")), True),
    ("an address outside", text("source_ip", "11.1.2.3"), Not(InNetwork(IP, ip_network("10.0.0.0/8"))), True),
    ("a part of another field", Same(CODE, IP), Same(IP, CODE), True),
    ("a beginning by another field", Same(CODE, IP, STARTS), Same(CODE, IP, CONTAINS), True),
    ("a keyword in any case", Keyword("ADMIN"), Keyword("admin"), True),
]  # fmt: skip


@pytest.mark.parametrize(("known", "wanted", "shown"), [row[1:] for row in FOLLOWING], ids=[r[0] for r in FOLLOWING])
def test_what_follows(known: Predicate, wanted: Predicate, shown: bool) -> None:
    assert implies(known, wanted) is shown
    assert excludes(known, Not(wanted)) is shown


IMPOSSIBLE: list[tuple[str, Predicate]] = [
    ("two verbs", And((verb("get"), verb("list")))),
    ("two beginnings", And((text(AGENT, "curl", STARTS), text(AGENT, "wget", STARTS)))),
    ("two ends", And((text(AGENT, "a", ENDS), text(AGENT, "b", ENDS)))),
    ("value and beginning", And((text(AGENT, "curl"), text(AGENT, "wget", STARTS)))),
    ("value and expression", And((text(AGENT, "curl", cased=True), text(AGENT, "^w", REGEX, cased=True)))),
    ("value and absence", And((text(AGENT, "curl"), Not(Exists(find_field(AGENT)))))),
    ("numbers", And((code(Order.GREATER, 400), code(Order.LESS_OR_EQUAL, 400)))),
    ("times", And((at(Order.GREATER, 9), at(Order.LESS, 9)))),
    ("hours", And((hour(None, 8), hour(9, None)))),
    ("flags", And((Flag(PRIVILEGED, value=True), Flag(PRIVILEGED, value=False)))),
    ("networks", And((InNetwork(IP, ip_network("10.0.0.0/8")), InNetwork(IP, ip_network("11.0.0.0/8"))))),
    ("every way out is closed", And((verb("get", "list"), Not(verb("get")), Not(verb("list"))))),
    ("by groups", And((Or((verb("get"), And((verb("list"), SECRETS)))), Not(SECRETS), verb("list")))),
]


@pytest.mark.parametrize("predicate", [row[1] for row in IMPOSSIBLE], ids=[row[0] for row in IMPOSSIBLE])
def test_what_can_never_hold(predicate: Predicate) -> None:
    assert is_never(predicate)
    assert is_always(Not(predicate))
    assert not is_never(Not(predicate))


# A small world, small enough to try every pair of tests on every value.

WORDS = ["a", "A", "ab", "B", ""]
NEAR = [find_field(name) for name in (AGENT, "user.groups", "annotations.note")]
ORDERS = list(Order)
TESTS: list[Predicate] = [
    *(
        Text(field, operator, value, cased)
        for field in NEAR
        for operator, values in (
            *((plain, WORDS[:4]) for plain in (Operator.EQUALS, CONTAINS, STARTS, ENDS)),
            (LIKE, ["a*", "?b"]),
            (REGEX, ["^a", "b$"]),
        )
        for value in values
        for cased in (False, True)
    ),
    *map(Exists, [*NEAR, find_field("annotations"), CODE, IP]),
    *(Same(one, two, how) for one in NEAR[:2] for two in NEAR[1:] for how in (Operator.EQUALS, STARTS, CONTAINS)),
    *(Number(CODE, value) for value in (1, 2, 3)),
    *(Compare(CODE, order, value) for order in ORDERS for value in (1, 2)),
    *(hour(lowest, highest) for lowest in (None, 1, 2) for highest in (None, 1, 2)),
    *(at(order, value) for order in ORDERS for value in (1, 2)),
    *(Flag(PRIVILEGED, value=value) for value in (True, False)),
    *(InNetwork(IP, ip_network(network)) for network in ("10.0.0.0/8", "10.1.0.0/16", "::/0")),
    *(text("source_ip", value) for value in ("10.1.0.1", "10.2.0.1", "::1", "::ffff:10.1.0.1")),
]
VALUES: dict[str, list[Any]] = {
    "user_agent": [None, *WORDS],
    "groups": [None, [], *([one] for one in WORDS), ["a", "B"], ["ab", "A"]],
    "annotations": [None, "{}", *(f'{{"note":"{word}"}}' for word in WORDS), '{"note":["a","B"]}'],
    "code": [None, 1, 2, 3],
    "happened_at": [None, *(datetime(2026, 11, 17, hour) for hour in (1, 2, 3))],  # noqa: DTZ001 - UTC
    "privileged": [None, True, False],
    "source_ip": [None, "10.1.0.1", "10.2.0.1", "::1", "::ffff:10.1.0.1", "x"],
}
TEXTS = ("user_agent", "groups", "annotations")
NEAR_ROWS: list[dict[str, Any]] = [
    *(
        dict.fromkeys(VALUES) | dict(zip(TEXTS, values, strict=True))
        for values in product(*(VALUES[name] for name in TEXTS))
    ),
    *(dict.fromkeys(VALUES) | {name: value} for name, values in VALUES.items() for value in values),
]


def test_nothing_wrong_is_shown_of_single_tests() -> None:
    """Every pair of tests, on every row."""
    truths = [sum(holds(test, row) << number for number, row in enumerate(NEAR_ROWS)) for test in TESTS]
    wrong = [
        (one, other)
        for (one, here), (other, there) in product(zip(TESTS, truths, strict=True), repeat=2)
        if ((here & ~there) and implies(one, other)) or ((here & there) and excludes(one, other))
    ]
    assert wrong == []


near = st.recursive(
    st.sampled_from(TESTS),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=1, max_size=3).map(tuple).map(And),
        st.lists(inner, min_size=1, max_size=3).map(tuple).map(Or),
    ),
    max_leaves=4,
)


@QUICK
@given(near, near, st.lists(st.sampled_from(NEAR_ROWS), min_size=10, max_size=20))
def test_nothing_wrong_is_shown_of_groups(one: Predicate, other: Predicate, several: Sequence[dict[str, Any]]) -> None:
    check(one, other, several)


@QUICK
@given(predicates, predicates, st.lists(rows, min_size=1, max_size=3))
def test_nothing_wrong_is_shown(one: Predicate, other: Predicate, several: Sequence[dict[str, Any]]) -> None:
    check(one, other, several)


def check(one: Predicate, other: Predicate, several: Sequence[dict[str, Any]]) -> None:
    follows, apart = implies(one, other), excludes(one, other)
    for row in several:
        here, there = holds(one, row), holds(other, row)
        assert there or not (follows and here)
        assert not (apart and here and there)


@QUICK
@given(predicates, predicates)
def test_a_part_follows_from_the_whole(one: Predicate, other: Predicate) -> None:
    assume(not is_never(one))
    assert implies(And((one, other)), one)
    assert implies(one, Or((other, one)))
    assert is_never(And((one, Not(one))))


def test_a_proof_that_takes_too_long_is_given_up() -> None:
    tests = [Or(tuple(text("user.groups", f"{n}-{m}") for m in range(6))) for n in range(60)]
    assert not implies(And(tuple(tests)), SECRETS)
