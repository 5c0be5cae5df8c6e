"""What follows from a predicate: whether it can hold at all, and whether another one then holds too.

The answers are proofs: `True` is certain, `False` says that nothing was shown. All choices that `or` leaves are tried.
Two tests exclude each other when their values do: `verb = get` and `verb = list`, but not `groups = a` and
`groups = b`, for a list may hold both.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, TypeAlias

from kubewitness.query.normal import negated, normalise
from kubewitness.query.predicate import (
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
)
from kubewitness.query.text_implication import text_follows, texts_are_apart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubewitness.query.fields import Field
    from kubewitness.query.predicate import Leaf

_MOST_STEPS = 20_000
"""Comparisons of two tests after which a proof is given up."""


def implies(one: Predicate, other: Predicate) -> bool:
    """Whether every event of which `one` holds is one of which `other` holds."""
    known = Known(one)
    return known.is_never or known.implies(Known(other))


def excludes(one: Predicate, other: Predicate) -> bool:
    """Whether no event is such that both hold."""
    return is_never(And((one, other)))


def is_never(predicate: Predicate) -> bool:
    """Whether the predicate holds of no event."""
    return _Proof().closes({}, [normalise(predicate)])


def is_always(predicate: Predicate) -> bool:
    """Whether the predicate holds of every event."""
    return _Proof().closes({}, [negated(predicate)])


class Known:
    """A predicate that is held against many others."""

    def __init__(self, predicate: Predicate) -> None:
        """Bring it to one spelling, and take apart what it says."""
        self.normal = normalise(predicate)
        self._items = self.normal.items if isinstance(self.normal, And) else (self.normal,)
        self._columns = [_columns(item) for item in self._items]
        self._opposites = sorted(
            zip((negated(item) for item in self._items), self._columns, strict=True), key=lambda pair: len(pair[1])
        )
        self._about: dict[frozenset[str], list[Predicate]] = {}
        self._excluded: dict[Predicate, bool] = {}

    @property
    def is_never(self) -> bool:
        """Whether it holds of no event."""
        return _Proof().closes({}, [self.normal])

    def implies(self, other: Known) -> bool:
        """Whether every event of which this holds is one of which the other holds."""
        return all(self._excludes(item, columns) for item, columns in other._opposites)

    def _excludes(self, item: Predicate, columns: frozenset[str]) -> bool:
        """Whether this and an item cannot both hold; found out once, because many others say the same of a column."""
        if item not in self._excluded:
            self._excluded[item] = _Proof().closes({}, [*self._said_of(columns), item])
        return self._excluded[item]

    def _said_of(self, columns: frozenset[str]) -> list[Predicate]:
        """The items that say something of these columns, or of columns that those speak of too."""
        if columns not in self._about:
            reached, found = columns, set[int]()
            while new := {
                number
                for number, own in enumerate(self._columns)
                if number not in found and not own.isdisjoint(reached)
            }:
                found |= new
                reached = reached.union(*(self._columns[number] for number in new))
            # What can never hold implies everything, whatever it is about.
            items = [self._items[number] for number in sorted(found)]
            self._about[columns] = [NEVER] if self.normal == NEVER else items
        return self._about[columns]


def _columns(predicate: Predicate) -> frozenset[str]:
    match predicate:
        case And(items) | Or(items):
            return frozenset().union(*map(_columns, items))
        case Not(item):
            return _columns(item)
        case _:
            return frozenset(_columns_of(predicate))


def _columns_of(leaf: Leaf) -> tuple[str, ...]:
    match leaf:
        case Keyword():
            return ("",)  # of no column
        case Same(field, other):
            return field.column.name, other.column.name
        case _:
            return (leaf.field.column.name,)


_Held: TypeAlias = "dict[str, list[Predicate]]"
"""Single tests, and opposites of such, that are taken to hold: by the columns that they look at."""


class _Proof:
    """A search for tests that can hold together; it closes when there are none."""

    def __init__(self) -> None:
        self._left = _MOST_STEPS

    def closes(self, held: _Held, pending: Sequence[Predicate]) -> bool:
        """Whether `held` and all of `pending` cannot hold together."""
        held = {column: list(tests) for column, tests in held.items()}
        todo = list(pending)
        choices: list[tuple[Predicate, ...]] = []
        while todo or choices:
            while todo:
                item = todo.pop()
                match item:
                    case And(items):
                        todo += items
                    case Or(items):
                        choices.append(items)
                    case _:
                        if self._clashes(item, held):
                            return True
                        for column in _columns_of(_plain(item)):
                            held.setdefault(column, []).append(item)
            # What is left of each choice, given what is held; a choice of one is none.
            remaining: list[tuple[Predicate, ...]] = []
            for items in choices:
                possible = tuple(item for item in items if not self._is_out(item, held))
                if not possible:
                    return True
                if len(possible) == 1:
                    todo.append(possible[0])
                else:
                    remaining.append(possible)
            choices = remaining
            if not todo:
                break
        if not choices or self._left <= 0:
            return False
        choices.sort(key=len)
        first, rest = choices[0], [Or(items) for items in choices[1:]]
        return all(self.closes(held, [item, *rest]) for item in first)

    def _is_out(self, item: Predicate, held: _Held) -> bool:
        match item:
            case And(items):
                return any(self._is_out(each, held) for each in items)
            case Or(items):
                return all(self._is_out(each, held) for each in items)
            case _:
                return self._clashes(item, held)

    def _clashes(self, item: Leaf | Not, held: _Held) -> bool:
        others = [other for column in _columns_of(_plain(item)) if column in held for other in held[column]]
        self._left -= 1 + len(others)
        return self._left > 0 and any(_exclude(item, other) for other in others)


def _plain(item: Leaf | Not) -> Leaf:
    return item.item if isinstance(item, Not) else item  # type: ignore[return-value] # of a single test


def _exclude(one: Predicate, other: Predicate) -> bool:
    """Whether two single tests, or their opposites, cannot both hold."""
    match one, other:
        case Not(), Not():
            return False
        case Not(item), _:
            return _follows(other, item)  # type: ignore[arg-type] # both are single tests
        case _, Not(item):
            return _follows(one, item)  # type: ignore[arg-type] # same
        case _:
            return _are_apart(one, other)  # type: ignore[arg-type] # same


def _follows(known: Leaf, wanted: Leaf) -> bool:
    """Whether a test holds because another one does."""
    if known == wanted:
        return True
    if isinstance(wanted, Exists):
        return any(_is_within(field, wanted.field) for field in _fields(known))
    if isinstance(known, Same) and isinstance(wanted, Same):
        return _follows_same(known, wanted)
    if (
        isinstance(known, Keyword | Same)
        or isinstance(wanted, Keyword | Same)
        or not _is_same(known.field, wanted.field)
    ):
        return False
    match known, wanted:
        case Text(), Text():
            return text_follows(known, wanted)
        case Text(_, Operator.EQUALS, value), InNetwork(_, network):
            return (address := _address(value)) is not None and address in network
        case InNetwork(_, inner), InNetwork(_, outer):
            return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type] # same version
        case TimePart(_, unit), TimePart(_, other_unit) if unit is other_unit:
            return _is_inside(known, wanted)
        case (Number() | Compare() as here, Number() | Compare() as there) | (Moment() as here, Moment() as there):
            return _is_inside(here, there)
        case _:
            return False


def _are_apart(one: Leaf, other: Leaf) -> bool:
    """Whether two tests of a field that has one value want different ones."""
    if isinstance(one, Keyword | Same) or isinstance(other, Keyword | Same) or not _is_same(one.field, other.field):
        return False
    if one.field.path or one.field.column.is_list:
        return False
    match one, other:
        case Text(), Text():
            return texts_are_apart(one, other) or texts_are_apart(other, one)
        case Flag(_, value), Flag(_, other_value):
            return value is not other_value
        case InNetwork(_, network), InNetwork(_, other_network):
            return network.version != other_network.version or not network.overlaps(other_network)
        case (Text(_, Operator.EQUALS, value), InNetwork(_, network)) | (
            InNetwork(_, network),
            Text(_, Operator.EQUALS, value),
        ):
            return (address := _address(value)) is not None and address not in network
        case TimePart(_, unit), TimePart(_, other_unit) if unit is other_unit:
            return _do_not_meet(one, other)
        case (Number() | Compare() as here, Number() | Compare() as there) | (Moment() as here, Moment() as there):
            return _do_not_meet(here, there)
        case _:
            return False


def _fields(leaf: Leaf) -> tuple[Field, ...]:
    match leaf:
        case Keyword():
            return ()
        case Same(field, other):
            return (field, other)
        case _:
            return (leaf.field,)


def _is_same(one: Field, other: Field) -> bool:
    return one.column.name == other.column.name and one.path == other.path


def _is_within(field: Field, outer: Field) -> bool:
    """Whether a value of the field is a part of a value of the outer one."""
    return field.column.name == outer.column.name and field.path[: len(outer.path)] == outer.path


def _follows_same(known: Same, wanted: Same) -> bool:
    if (known.field, known.other) != (wanted.field, wanted.other):
        return False
    return known.operator is Operator.EQUALS or wanted.operator is Operator.CONTAINS


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that the engine sees in a text; None where it may see it otherwise."""
    if ":" in text and ("." in text or "%" in text):
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped else address


# Ranges: least and greatest value, and whether these belong to them.


_Ranged: TypeAlias = Number | Compare | Moment | TimePart


def _range(test: _Ranged) -> tuple[Any, bool, Any, bool]:
    match test:
        case Number(_, value):
            return value, True, value, True
        case TimePart(_, _, lowest, highest):
            return lowest, True, highest, True
        case Compare(_, order, value) | Moment(_, order, value):
            is_closed = order in {Order.LESS_OR_EQUAL, Order.GREATER_OR_EQUAL}
            if order in {Order.LESS, Order.LESS_OR_EQUAL}:
                return None, True, value, is_closed
            return value, is_closed, None, True


def _is_inside(inner: _Ranged, outer: _Ranged) -> bool:
    low, has_low, high, has_high = _range(inner)
    outer_low, has_outer_low, outer_high, has_outer_high = _range(outer)
    starts = outer_low is None or (
        low is not None and (low > outer_low or (low == outer_low and has_outer_low >= has_low))
    )
    ends = outer_high is None or (
        high is not None and (high < outer_high or (high == outer_high and has_outer_high >= has_high))
    )
    return bool(starts and ends)


def _do_not_meet(one: _Ranged, other: _Ranged) -> bool:
    return _ends_before(one, other) or _ends_before(other, one)


def _ends_before(one: _Ranged, other: _Ranged) -> bool:
    _, _, high, has_high = _range(one)
    low, has_low, _, _ = _range(other)
    if high is None or low is None:
        return False
    return bool(high < low or (high == low and not (has_high and has_low)))
