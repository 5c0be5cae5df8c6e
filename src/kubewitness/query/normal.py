"""One spelling for predicates that say the same: what remains of `not`, constants, nesting and order.

not (verb = get or not verb = list)   becomes   verb = list and not verb = get
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, assert_never

from kubewitness.query.fields import Field
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
    Predicate,
    Same,
    Text,
    TimePart,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kubewitness.query.predicate import Leaf


def normalise(predicate: Predicate) -> Predicate:
    """The predicate in one spelling, true of the same events.

    `Not` stands before single tests only; `And` and `Or` are not nested in their like, have two items or more, each
    once and in one order, and none that another one makes needless. `ALWAYS` and `NEVER` stand alone. Fields have one
    name each, and text that is compared without regard to case is lower case.
    """
    match predicate:
        case And(items):
            return _all(map(normalise, items))
        case Or(items):
            return _any(map(normalise, items))
        case Not(item):
            return negated(item)
        case _:
            return _leaf(predicate)


def negated(predicate: Predicate) -> Predicate:
    """The opposite, in the spelling of `normalise`."""
    match predicate:
        case And(items):
            return _any(map(negated, items))
        case Or(items):
            return _all(map(negated, items))
        case Not(item):
            return normalise(item)
        case _:
            leaf = _leaf(predicate)
            return leaf.item if isinstance(leaf, Not) else Not(leaf)


def _all(items: Iterable[Predicate]) -> Predicate:
    kept = _kept(items, And, absorbed_by=Or)
    if NEVER in kept or _has_opposites(kept):
        return NEVER
    return kept[0] if len(kept) == 1 else And(tuple(kept))


def _any(items: Iterable[Predicate]) -> Predicate:
    kept = _kept(items, Or, absorbed_by=And)
    if ALWAYS in kept or _has_opposites(kept):
        return ALWAYS
    return kept[0] if len(kept) == 1 else Or(tuple(kept))


def _kept(items: Iterable[Predicate], kind: type[And | Or], absorbed_by: type[And | Or]) -> list[Predicate]:
    """Items without nesting and repetition, in one order; `a and (a or b)` is `a`."""
    flat = set(_flat(items, kind))
    needless = {
        item
        for item in flat
        if isinstance(item, absorbed_by)
        and item.items
        and any(other != item and _stands_in(other, item, absorbed_by) for other in flat)
    }
    return sorted(flat - needless, key=_key)


def _flat(items: Iterable[Predicate], kind: type[And | Or]) -> Iterator[Predicate]:
    for item in items:
        if isinstance(item, kind):
            yield from item.items
        else:
            yield item


def _stands_in(part: Predicate, whole: And | Or, kind: type[And | Or]) -> bool:
    """Whether all of `part` is among the items of `whole`."""
    several = part.items if isinstance(part, kind) else (part,)
    return bool(several) and set(several) <= set(whole.items)


def _has_opposites(items: list[Predicate]) -> bool:
    plain = set(items)
    return any(isinstance(item, Not) and item.item in plain for item in items)


def _leaf(leaf: Leaf) -> Predicate:
    match leaf:
        case Text():
            return _text(replace(leaf, field=_named(leaf.field)))
        case Same(field, other, operator):
            one, two = _named(field), _named(other)
            if operator is Operator.EQUALS and (two.name, two.path) < (one.name, one.path):
                one, two = two, one
            return Same(one, two, operator)
        case Keyword(value):
            return Keyword(value.lower())
        case Number() | Compare() | Moment() | TimePart() | Flag() | InNetwork() | Exists():
            return replace(leaf, field=_named(leaf.field))
        case _:
            assert_never(leaf)


@cache
def _named(field: Field) -> Field:
    """The field under the API's name, or the column's where the API has none."""
    name = ".".join((field.column.api or field.column.name, *field.path))
    return Field(name, field.column, field.path)


def _text(test: Text) -> Predicate:
    if not test.cased and test.operator is not Operator.REGEX:
        test = replace(test, value=test.value.lower())
    return _without_wildcards(test) if test.operator is Operator.LIKE else test


def _without_wildcards(test: Text) -> Text:
    """A pattern whose only wildcards are `*` at its ends says what a simpler operator says."""
    found = re.fullmatch(r"(\*?)((?:[^*?\\]|\\[*?\\])*)(\*?)", test.value, re.DOTALL)
    if found is None or not found[2]:
        return test
    operator = {
        (False, False): Operator.EQUALS,
        (False, True): Operator.STARTS_WITH,
        (True, False): Operator.ENDS_WITH,
        (True, True): Operator.CONTAINS,
    }[bool(found[1]), bool(found[3])]
    return replace(test, operator=operator, value=re.sub(r"\\(.)", r"\1", found[2], flags=re.DOTALL))


def _key(predicate: Predicate) -> tuple[Any, ...]:
    """What the order of items follows: tests by field, opposites and groups behind."""
    match predicate:
        case And(items):
            return (3, "", "", (), *map(_key, items))
        case Or(items):
            return (2, "", "", (), *map(_key, items))
        case Not(item):
            return (1, *_key(item)[1:])
        case Keyword(value):
            return (0, "", "Keyword", (value,))
        case Same(field, other, operator):
            return (0, field.name, "Same", (*field.path, other.name, *other.path, operator.value))
        case _:
            rest = tuple(str(getattr(predicate, name)) for name in predicate.__slots__ if name != "field")
            return (0, predicate.field.name, type(predicate).__name__, (*predicate.field.path, *rest))
